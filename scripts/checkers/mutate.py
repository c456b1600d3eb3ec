"""Breaks good lines on purpose, each by one rule.

Three kinds: every key of a line is left out, made null, given another type, and
each object gets a key that nobody knows (by_key); what only the meaning of the
form forbids is done to it (by_meaning); and a line becomes no JSON object.
"""

import copy
import itertools
import json
import random

from meanings import MEANINGS, PAIR

MOST = 12  # lines of a kind

# What stands below these keys is the user's own.
FREE = {"arguments", "args", "response", "input", "json", "parameters"}


def walk(value, path=""):
    """Every object below a value, with its path: lists without numbers, and
    messages with their role, since their keys differ by it."""
    if isinstance(value, dict):
        role = value.get("role") or value.get("from")
        at = f"{path}<{role}>" if role else path
        yield at, value
        for key, inner in value.items():
            if key not in FREE:
                yield from walk(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, f"{path}[]")


def by_key(rows):
    """Yields (rule, place, broken row)."""
    seen, always, where = {}, {}, {}
    for number, row in enumerate(rows):
        for path, found in walk(row):
            always[path] = always.get(path, set(found)) & set(found)
            where.setdefault(path, []).append(number)
            for key in found:
                seen.setdefault((path, key), []).append(number)
    for (path, key), numbers in sorted(seen.items()):
        place = f"{path}.{key}" if path else key
        # A key that some good line goes without may be missing, or null.
        required = key in always[path]
        for rule, change in OPERATIONS.items():
            if rule in ("missing", "null") and not required:
                continue
            if rule == "missing" and place.endswith("tool_calls[].id"):
                continue  # only an answered call needs one: call_without_id
            for number in dict.fromkeys(numbers[: 4 * MOST]):
                row = copy.deepcopy(rows[number])
                found = next(o for p, o in walk(row) if p == path and key in o)
                if change(found, key):
                    yield rule, place, row
    for path in sorted(always):
        for number in dict.fromkeys(where[path][: 4 * MOST]):
            row = copy.deepcopy(rows[number])
            next(o for p, o in walk(row) if p == path)["zzz"] = 1
            yield "unknown_key", path or "line", row


def _missing(found, key):
    del found[key]
    return True


def _null(found, key):
    found[key] = None
    return True


def _type(found, key):
    found[key] = 7 if isinstance(found[key], (str, list, dict)) else "x"
    return True


def _list_as_text(found, key):
    if isinstance(found[key], (list, dict)):
        found[key] = "x"
        return True
    return False


def _empty(found, key):
    if isinstance(found[key], list):
        found[key] = []
        return True
    return False


OPERATIONS = {"missing": _missing, "null": _null, "type": _type, "text_for_list": _list_as_text, "empty_list": _empty}





def by_meaning(target, rows):
    for function in MEANINGS[target]:
        yield from itertools.islice(broken_by(function, rows), MOST)


def broken_by(function, rows):
    for row in rows:
        row = copy.deepcopy(row)
        request = row.get("input", row)  # of OpenAI's pairs, where the others have the line
        if "completion" in row:
            messages = row["prompt"] + row["completion"]
        else:
            messages = next(request[key] for key in ("messages", "conversations", "contents", "prompt") if key in request)
        if function in PAIR:
            request = row
        if function(request, messages) is False:
            continue
        if "completion" in row:
            row["prompt"], row["completion"] = messages[:-1], messages[-1:]
        yield "meaning", function.__name__, row


def by_bytes(lines):
    """What is no JSON object at all."""
    for line in lines:
        yield "bytes", "cut_off", line[: len(line) // 2]
        yield "bytes", "two_values", line + line
        yield "bytes", "in_a_list", b"[" + line + b"]"
        yield "bytes", "a_text", b'"hello"'
        yield "bytes", "not_utf8", line.replace(b'"role"', b'"r\xffle"').replace(b'"from"', b'"fr\xffm"')
        yield "bytes", "trailing_comma", line[:-1] + b",}"
        yield "bytes", "single_quotes", b"{'messages': []}"


def bad_lines(target, lines, each, least, harmless):
    """Lines that break one rule each: (kind, line), where kind is rule:place;
    `each` of a kind, more where that makes fewer than `least`. Then one line of
    each kind that is harmless, though it was meant to break something."""
    rng = random.Random(7)
    lines = list(lines)
    rng.shuffle(lines)
    rows = [json.loads(line) for line in lines]
    good = {canonical(row) for row in rows}
    kinds = {}
    for rule, place, row in [*by_key(rows), *by_meaning(target, rows)]:
        kind = kinds.setdefault((rule, place), {})
        if len(kind) < MOST and canonical(row) not in good:
            kind[json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()] = None
    for rule, place, line in by_bytes(lines[:MOST]):
        kinds.setdefault((rule, place), {})[line] = None
    kinds = {f"{rule}:{place}": list(lines) for (rule, place), lines in kinds.items()}
    bad = {}
    while len(bad) < least and each <= MOST:
        bad = {line: kind for kind, lines in kinds.items() if not harmless(kind) for line in lines[:each]}
        each += 1
    return [(kind, line) for line, kind in bad.items()], [(kind, lines[0]) for kind, lines in kinds.items() if harmless(kind)]


def canonical(row):
    return json.dumps(row, sort_keys=True)
