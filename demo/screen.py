"""What the demo writes: 80 columns, and colours where they are seen and wanted."""

import contextlib
import os
import re
import sys
import textwrap
import threading
import time

WIDTH = 80
INDENT = "   "
BOLD, DIM, GREEN, RED, CYAN = "1", "2", "32", "31", "36"


def _has_colours():
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and \
        os.environ.get("TERM") != "dumb"


def paint(text, colour):
    return f"\033[{colour}m{text}\033[0m" if _has_colours() else text


def say(text="", colour=None, indent=INDENT):
    """One line or, when it is too long for one, several; never cuts a line it can keep."""
    lines = [text] if len(indent + text) <= WIDTH else textwrap.wrap(
        text, WIDTH - len(indent), break_on_hyphens=False)
    for line in lines or [""]:
        line = (indent + line).rstrip()
        print(paint(line, colour) if colour and line else line, flush=True)


def step(text):
    say()
    say(text, BOLD, indent="")


def part(text):
    say()
    say(text, BOLD)


def command(argv):
    """A command line as it would be typed, with a backslash where it is broken."""
    line = "$"
    for word in argv:
        if len(INDENT + line + " " + word + " \\") > WIDTH:
            say(line + " \\", CYAN)
            line = "     "
        line += " " + (word if word and not set(word) & set(" *^'") else f"'{word}'")
    say(line, CYAN)


def checked(text):
    say(f"ok  {text}", GREEN)


def block(text, colour=DIM):
    """Somebody else's words: a program's output, a file."""
    for line in text.rstrip().split("\n"):
        say(line, colour, INDENT + "| ")


def excerpt(text, wanted=None):
    """Of somebody else's words the lines that hold one of the wanted ones (None: all), in
    place of what is left out three dots; tables are drawn together and cut at the edge."""
    left_out = False
    for line in text.rstrip().split("\n") if text.strip() else ():
        if wanted is not None and not any(word in line for word in wanted):
            left_out = True
            continue
        if left_out:
            block("...")
            left_out = False
        if wanted is not None:
            line = re.sub("(?<=[^ ]) {3,}", "  ", line)
        room = WIDTH - len(INDENT) - 2
        block(line if wanted is None or len(line) <= room else line[:room - 3] + "...")


@contextlib.contextmanager
def waiting(what):
    """Says what is waited for; on a terminal with the seconds that it takes."""
    if not sys.stdout.isatty():
        say(f"... {what}", DIM)
        yield
        return
    done = threading.Event()
    start = time.monotonic()

    def count():
        while not done.wait(1):
            print(f"\r{INDENT}{paint(f'... {what} ({time.monotonic() - start:.0f} s)', DIM)}",
                  end="", flush=True)
    counter = threading.Thread(target=count, daemon=True)
    counter.start()
    try:
        yield
    finally:
        done.set()
        counter.join()
        print("\r", end="")
        say(f"... {what} ({time.monotonic() - start:.0f} s)", DIM)


def hexdump(data, lines=5):
    for at in range(0, min(len(data), lines * 16), 16):
        row = data[at:at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        say(f"{at:04x}  {row.hex(' '):47}  |{text}|", DIM)
