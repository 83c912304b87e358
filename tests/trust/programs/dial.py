"""A client that does what it is told on its standard input, a JSON line a step:

    {"thread": 1, "resolve": "db.test"}      have a thread look a name up
    {"thread": 1, "connect": 4711}           and dial what it has found, or
    {"thread": 1, "connect": 4711, "to": "127.0.0.3"}    an address of its own choice

Each step is answered by one JSON line. A connection sends a line and reads to the end; its
answer tells step (the call that failed, or "done"), end (its errno or "eof") and got (text).
"""

import errno
import json
import os
import queue
import socket
import sys
import threading

LINE = b"MTLS-TEST-MARKER of the client\n"
SECONDS = 20


def talk(sock, address, answer):
    answer["step"] = "connect"
    sock.connect(address)
    answer["step"] = "send"
    sock.sendall(LINE)
    answer["step"] = "recv"
    while chunk := sock.recv(4096):
        answer["got"] += chunk.decode("latin-1")
    answer["step"] = "done"


def dial(address):
    answer = {"got": "", "end": "eof"}
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as sock:
        sock.settimeout(None)
        try:
            talk(sock, address, answer)
        except OSError as error:
            answer["end"] = errno.errorcode.get(error.errno, str(error))
    return answer


class Thread:
    """One thread of the program, and what it has to do."""

    def __init__(self, number):
        self.number = number
        self.steps = queue.Queue()
        self.address = None
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            step = self.steps.get()
            answer = {"found": self.address}
            if "resolve" in step:
                found = socket.getaddrinfo(step["resolve"], 1, 0, socket.SOCK_STREAM)
                self.address = found[step.get("number", 0)][4][0]
                answer = {"found": [one[4][0] for one in found]}
            if "connect" in step:
                answer = dial((step.get("to") or self.address, step["connect"]))
            # One write a line: print() has threads write into each other's.
            os.write(1, json.dumps({"thread": self.number, **answer}).encode() + b"\n")


def main():
    threads = {}
    print("ready", flush=True)
    for line in sys.stdin:
        step = json.loads(line)
        number = step["thread"]
        if number not in threads:
            threads[number] = Thread(number)
        threads[number].steps.put(step)


main()
