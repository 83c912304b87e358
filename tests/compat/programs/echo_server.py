"""Line servers of socketserver: echo_server.py forking|threading PORT.

"GET n" is answered with n bytes, "PUT n" and n bytes with their SHA-256, QUIT ends the
connection, any other line is sent back; over rfile and wfile, wfile with its own buffer.
"""

import hashlib
import socketserver
import sys

BLOCK = b"MTLS-TEST-MARKER" + bytes(range(240))


class Handler(socketserver.StreamRequestHandler):
    wbufsize = 8192

    def handle(self):
        for line in self.rfile:
            words = line.split() or [b""]
            if words[0] == b"GET":
                size = int(words[1])
                self.wfile.write((BLOCK * (size // len(BLOCK) + 1))[:size])
            elif words[0] == b"PUT":
                data = self.rfile.read(int(words[1]))
                self.wfile.write(hashlib.sha256(data).hexdigest().encode() + b"\n")
            elif words[0] == b"QUIT":
                return
            else:
                self.wfile.write(line)
            self.wfile.flush()


def main():
    base = {"forking": socketserver.ForkingTCPServer,
            "threading": socketserver.ThreadingTCPServer}[sys.argv[1]]
    base.allow_reuse_address = True
    base.request_queue_size = 64
    with base(("127.0.0.1", int(sys.argv[2])), Handler) as server:
        server.serve_forever()


main()
