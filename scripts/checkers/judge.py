"""What the judges share: lines in, verdicts out.

A judge is a program: judges/NAME.py TARGET FILE, with items on stdin, one JSON
object a line: {"line": base64} is a line to judge; {"good": n} is line n of
FILE, a file of the target. It writes {"judge": …, "version": …}, then for each
item null (accepted), {"refused": why} or {"skipped": why}.
"""

import base64
import importlib.metadata
import json
import os
import sys


# Verdicts alone go to stdout; what packages print, from their import on, to stderr.
OUT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


class Skipped(Exception):
    """The judge knows nothing of such lines."""


class Refused(Exception):
    """The judge's code said no without an exception of its own."""


def row(line):
    """Reads a line as a trainer does that reads JSON lines itself."""
    return json.loads(line.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))


def through_arrow(file):
    """Rows as trainers get them that load files by Hugging Face's datasets."""
    import datasets

    datasets.disable_progress_bars()
    return list(datasets.load_dataset("json", data_files=file, split="train"))


def version(package):
    return f"{package} {importlib.metadata.version(package)}"


def serve(name, version, check, arrow=False, raw=False):
    """Judges stdin. check(target, row) raises if it refuses the row; raw: the
    line's bytes. arrow: good rows come by the datasets loader."""
    target, file = sys.argv[1:]
    with open(file, "rb") as lines:
        good = lines.read().removesuffix(b"\n").split(b"\n")
    rows = through_arrow(file) if arrow else None
    print(json.dumps({"judge": name, "version": version}), file=OUT)
    for item in sys.stdin:
        item = json.loads(item)
        verdict = None
        try:
            if "good" in item and rows is not None:
                check(target, rows[item["good"]])
            else:
                line = good[item["good"]] if "good" in item else base64.b64decode(item["line"])
                check(target, line if raw else row(line))
        except Skipped as why:
            verdict = {"skipped": str(why)}
        except Exception as why:  # each package has exceptions of its own, and bad data finds others
            verdict = {"refused": f"{type(why).__name__}: {words(why)}"[:300]}
        print(json.dumps(verdict), file=OUT)


def words(why):
    try:
        return str(why)
    except Exception:  # mistral-finetune's own cannot say themselves
        return "no words"


def validate(adapter, value, **options):
    """Validates by pydantic, through what it leaves to be read later: it checks
    the elements of an Iterable as they are taken out."""
    through(adapter.validate_python(value, **options))


def through(value):
    if isinstance(value, dict):
        for inner in value.values():
            through(inner)
    elif not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        for inner in value:
            through(inner)


def strict_types(*modules):
    """Lets the TypedDicts of modules refuse keys that they do not name, as the
    services that they describe do."""
    import typing_extensions

    for module in modules:
        for value in vars(module).values():
            if typing_extensions.is_typeddict(value):
                value.__pydantic_config__ = {"extra": "forbid", "arbitrary_types_allowed": True}
