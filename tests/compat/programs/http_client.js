// Talks to http_server.js: several requests at a time over kept connections.
// http_client.js PORT
'use strict';
const http = require('http');
const crypto = require('crypto');
const assert = require('assert');

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const port = parseInt(process.argv[2], 10);
const block = Buffer.concat([Buffer.from('MTLS-TEST-MARKER'), Buffer.alloc(4080, 0x5a)]);

function ask(method, path, body) {
    return new Promise((resolve, reject) => {
        const request = http.request({ host: '127.0.0.1', port, path, method, agent }, (answer) => {
            const parts = [];
            answer.on('data', (part) => parts.push(part));
            answer.on('end', () => resolve(Buffer.concat(parts)));
            answer.on('error', reject);
        });
        request.on('error', reject);
        request.end(body);
    });
}

function body(size) {
    return Buffer.concat(Array(Math.ceil(size / block.length)).fill(block)).subarray(0, size);
}

(async () => {
    for (let round = 0; round < 5; round++) {
        await Promise.all([1, 100, 16384, 500000, 1000000].map(async (size) => {
            assert((await ask('GET', `/${size}`)).equals(body(size)), `GET ${size}`);
            const want = crypto.createHash('sha256').update(body(size)).digest('hex');
            assert.strictEqual((await ask('POST', '/', body(size))).toString(), want);
        }));
    }
    agent.destroy();
    console.log('fine');
})().catch((error) => { console.error(error); process.exit(1); });
