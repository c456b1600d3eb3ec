"""Together: check_file of the provider's own client, by files of one line."""

import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
from together.lib.utils.files import check_file

FOLDER = tempfile.TemporaryDirectory()
PATH = pathlib.Path(FOLDER.name) / "line.jsonl"


def check(target, line):
    PATH.write_bytes(line + b"\n")
    report = check_file(PATH)
    if not report["is_check_passed"]:
        raise judge.Refused(report.get("message"))


judge.serve("check_file", judge.version("together"), check, raw=True)
