"""What the demos share: a folder and programs that are gone afterwards, and insistence.

A demo is a function that takes a Stage; play() runs it.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import procs  # noqa: E402
import screen  # noqa: E402

BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))


class Interrupts:
    """Makes Ctrl-C and its like end the demo, but not amid what must be done whole."""

    def __init__(self):
        self._number = 0
        self._held = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number, _):
        self._number = number
        if not self._held:
            raise SystemExit(128 + number)

    def hold(self):
        self._held += 1

    def release(self):
        self._held -= 1
        if self._number and not self._held:
            raise SystemExit(128 + self._number)


class Stage:
    """The folder and the programs of a demo; close() does away with them."""

    def __init__(self, keep, interrupts):
        self.keep = keep
        self.interrupts = interrupts
        self.dir = tempfile.mkdtemp(prefix="mtls-demo-")
        self.programs = []
        # Of the person's environment, nothing that would change what is shown.
        self.env = {key: value for key, value in os.environ.items()
                    if not key.startswith("MTLS_") and not key.lower().endswith("_proxy")}
        self.env["PATH"] = os.path.join(BUILD, "bin") + ":" + os.environ["PATH"]
        self.env["CURL_HOME"] = self.dir

    def close(self):
        for program in reversed(self.programs):
            program.stop()
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, name, *argv, quiet=False, **options):
        """Starts a program in the folder, its command line shown unless it is quiet."""
        if not quiet:
            screen.command(argv)
        self.interrupts.hold()
        program = procs.Program(self.dir, name, argv, env=self.env, cwd=self.dir, **options)
        self.programs.append(program)
        self.interrupts.release()
        return program

    def audit(self, seen=0, log="audit.jsonl", **fields):
        """Waits for a line with these values in the audit log, after the first seen ones."""
        def find():
            lines = self.audit_lines(log)[seen:]
            return [line for line in lines
                    if all(json.loads(line).get(key) == fields[key] for key in fields)]
        return procs.wait_until(find, f"{fields} in the audit log")[0]

    def audit_lines(self, log="audit.jsonl"):
        try:
            with open(self.path(log), encoding="utf-8") as file:
                return [line.rstrip("\n") for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []


def need(condition, text):
    """What the demo insists on; shown when it holds, the end when it does not."""
    if not condition:
        raise AssertionError(f"it is not so that {text}")
    screen.checked(text)


def show_line(line, marked):
    """A line of JSON, broken between its fields; the marked ones stand out."""
    rows = []
    for key, value in json.loads(line).items():
        field = f"{json.dumps(key)}:{json.dumps(value)}"
        colour = screen.BOLD if key in marked else screen.DIM
        if rows and colour == rows[-1][1] == screen.DIM and \
                len(rows[-1][0] + field) < screen.WIDTH - 7:
            field = f"{rows.pop()[0]},{field}"
        rows.append((field, colour))
    for number, (text, colour) in enumerate(rows, 1):
        screen.block(text + ("," if number < len(rows) else ""), colour)


def _explain_failure(stage, error):
    print(f"\ndemo: not as it should be: {error}", file=sys.stderr)
    for program in stage.programs[-1:]:
        print(f"demo: {program.name} said: {program.err.strip()[-600:]}", file=sys.stderr)
    for line in stage.audit_lines()[-3:]:
        print(f"demo: audit log: {line}", file=sys.stderr)


def play(what, show, kind=Stage):
    """Runs show(stage), a stage of that kind; nothing is left. Returns the exit status."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder")
    options = parser.parse_args()
    interrupts = Interrupts()
    interrupts.hold()
    stage = kind(options.keep, interrupts)
    try:
        interrupts.release()
        show(stage)
        return 0
    except (AssertionError, OSError, KeyError, ValueError) as error:
        _explain_failure(stage, error)
        return 1
    finally:
        interrupts.hold()
        stage.close()
