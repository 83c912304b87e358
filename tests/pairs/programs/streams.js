// Node's streams over net, piped both ways: streams.js server|client PORT
// The server sends back what it gets, through a transform that turns each byte over.
'use strict';
const net = require('net');
const crypto = require('crypto');
const { pipeline, Readable, Transform } = require('stream');

const [role, port] = process.argv.slice(2);
const BLOCK = Buffer.concat([Buffer.from('MTLS-TEST-MARKER'), crypto.randomBytes(4080)]);
const BLOCKS = 1000;

const turn = () => new Transform({
    transform(chunk, encoding, done) {
        done(null, Buffer.from(chunk).map((byte) => byte ^ 0xff));
    },
});

if (role === 'server') {
    net.createServer({ allowHalfOpen: true }, (socket) => {
        pipeline(socket, turn(), socket, (error) => {
            if (error) {
                throw error;
            }
        });
    }).listen(parseInt(port, 10), '127.0.0.1');
} else {
    function* blocks() {
        for (let number = 0; number < BLOCKS; number++) {
            yield BLOCK;
        }
    }
    const want = crypto.createHash('sha256');
    const got = crypto.createHash('sha256');
    for (const block of blocks()) {
        want.update(block);
    }
    const socket = net.connect({ port: parseInt(port, 10), host: '127.0.0.1', allowHalfOpen: true });
    Readable.from(blocks()).pipe(socket);
    socket.pipe(turn()).on('data', (chunk) => got.update(chunk)).on('end', () => {
        if (got.digest('hex') !== want.digest('hex')) {
            throw new Error('other bytes came back');
        }
        console.log('fine');
    });
}
