"""The loader of Hugging Face's datasets: good lines as the one file that they
are, by its folder; a line to judge behind three good ones."""

import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import datasets
import judge

FILE = pathlib.Path(sys.argv[2])
FOLDER = pathlib.Path(tempfile.mkdtemp(dir=FILE.parent))
GOOD = FILE.read_bytes().split(b"\n")
datasets.disable_progress_bars()


def load(path):
    rows = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(FOLDER / "cache"))
    return [json.loads(json.dumps(row, default=str)) for row in rows]


LOADED = len(load(FILE))
COUNT = 0


def check(target, line):
    global COUNT
    if LOADED != len(GOOD) - 1:
        raise judge.Refused(f"{LOADED} rows of {len(GOOD) - 1} lines")
    if line in GOOD:
        return
    COUNT += 1
    path = FOLDER / f"{COUNT}.jsonl"
    path.write_bytes(b"\n".join(GOOD[-4:-1] + [line, b""]))
    if (n := len(load(path))) != 4:
        raise judge.Refused(f"{n} rows of 4 lines")


judge.serve("load_dataset", judge.version("datasets"), check, raw=True)
