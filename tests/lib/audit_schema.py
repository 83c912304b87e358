#!/usr/bin/env python3
"""Audit logs against shim/audit.schema.json: audit_schema.py FILE...

check() knows as much of JSON Schema as that file uses, and refuses to work with more.
"""

import json
import os
import re
import sys

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "shim",
                    "audit.schema.json")
TYPES = {"object": dict, "string": str, "integer": int, "boolean": bool}
REMARKS = {"$schema", "title", "description", "then"}


def _is_type(value, name):
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


# Each says what is wrong with a value, or nothing.
KEYWORDS = {
    "type": lambda v, want, _: None if _is_type(v, want) else f"is no {want}",
    "enum": lambda v, want, _: None if v in want else f"is not one of {want}",
    "const": lambda v, want, _: None if v == want else f"is not {want!r}",
    "minimum": lambda v, want, _: None if v >= want else f"is below {want}",
    "minLength": lambda v, want, _: None if len(v) >= want else f"is shorter than {want}",
    "maxLength": lambda v, want, _: None if len(v) <= want else f"is longer than {want}",
    # There "$" is the end alone, not also what stands before a last newline.
    "pattern": lambda v, want, _: None if re.search(re.sub(r"\$$", r"\\Z", want), v)
    else f"does not match {want}",
    "required": lambda v, want, _: next((f"has no {k}" for k in want if k not in v), None),
    "additionalProperties": lambda v, want, schema: next(
        (f"has {k}" for k in v if not want and k not in schema["properties"]), None),
    "properties": lambda v, want, _: next(
        (f"{k} {why}" for k, s in want.items() if k in v and (why := check(v[k], s))), None),
    "allOf": lambda v, want, _: next((why for s in want if (why := check(v, s))), None),
    "if": lambda v, want, schema: None if check(v, want) else check(v, schema["then"]),
}


def check(value, schema):
    """Returns what is wrong with the value, in words; None when it is as the schema says."""
    for keyword, want in schema.items():
        if keyword not in REMARKS:
            why = KEYWORDS[keyword](value, want, schema)
            if why:
                return f"{str(value)[:200]!r} {why}" if keyword not in (
                    "properties", "allOf", "if") else why
    return None


def _unique(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError(f"a key twice: {keys}")
    return dict(pairs)


def load():
    with open(PATH, encoding="utf-8") as file:
        return json.load(file)


def check_line(line, schema):
    """Returns what is wrong with a line (bytes); None when nothing is."""
    if not line.endswith(b"\n"):
        return "has no end"
    try:
        return check(json.loads(line.decode(), object_pairs_hook=_unique), schema)
    except ValueError as error:
        return str(error)


def check_file(path):
    """Raises AssertionError for a line that is not as the schema says. Returns how many."""
    schema = load()
    count = 0
    with open(path, "rb") as file:
        for line in file:
            count += 1
            why = check_line(line, schema)
            if why:
                raise AssertionError(f"{os.path.basename(path)}:{count}: {why}: {line[:600]!r}")
    return count


if __name__ == "__main__":
    try:
        print(sum(check_file(name) for name in sys.argv[1:]), "lines")
    except AssertionError as wrong:
        sys.exit(str(wrong))
