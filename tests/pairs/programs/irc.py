"""Two users of an IRC server in one channel: irc.py PORT"""

import socket
import sys

MARKER = "MTLS-TEST-MARKER"


class User:
    def __init__(self, name, port):
        self.name = name
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.stream = self.sock.makefile("rw", newline="\r\n", encoding="ascii")
        self.say(f"NICK {name}", f"USER {name} 0 * :{MARKER}")
        assert MARKER in self.hear(" 372 ")
        self.hear(" 376 ")
        self.say("JOIN #news")
        self.hear(" 366 ")

    def say(self, *lines):
        self.stream.write("".join(line + "\r\n" for line in lines))
        self.stream.flush()

    def hear(self, what):
        """Reads on to a line with these words."""
        while line := self.stream.readline():
            if line.startswith("PING"):
                self.say("PONG" + line[4:].strip())
            elif what in line:
                return line
        raise AssertionError(f"{self.name} never heard {what}")


def main():
    users = [User(name, int(sys.argv[1])) for name in ("alice", "bob")]
    for number in range(20):
        speaker, hearer = users[number % 2], users[1 - number % 2]
        speaker.say(f"PRIVMSG #news :{MARKER} {number}")
        line = hearer.hear("PRIVMSG #news")
        assert line.startswith(f":{speaker.name}!") and line.endswith(f"{MARKER} {number}\r\n")
    for user in users:
        user.say("QUIT :over")
        user.hear("ERROR")
        user.sock.close()
    print("fine")


main()
