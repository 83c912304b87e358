// An HTTP server that answers GET /N with N bytes and POST with the body's SHA-256.
// http_server.js PORT
'use strict';
const http = require('http');
const crypto = require('crypto');

const block = Buffer.concat([Buffer.from('MTLS-TEST-MARKER'), Buffer.alloc(4080, 0x5a)]);

http.createServer((request, response) => {
    if (request.method === 'POST') {
        const hash = crypto.createHash('sha256');
        request.on('data', (chunk) => hash.update(chunk));
        request.on('end', () => response.end(hash.digest('hex')));
        return;
    }
    let left = parseInt(request.url.slice(1), 10);
    response.setHeader('Content-Length', left);
    const more = () => {
        while (left > 0) {
            const part = block.subarray(0, Math.min(left, block.length));
            left -= part.length;
            if (!response.write(part)) {
                response.once('drain', more);
                return;
            }
        }
        response.end();
    };
    more();
}).listen(parseInt(process.argv[2], 10), '127.0.0.1');
