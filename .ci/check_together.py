"""Checks Together exports with the provider's own client.

usage: python .ci/check_together.py FILE…

The strict check of the together package 1.5 knows chat lines without tools; its
successor checks no more than JSON before the upload. So lines with tools are
counted and left out here; weir validate checks those. Lines that are broken on
purpose must be refused, or the check would prove nothing. Exits 1 on a
difference.
"""

import json
import pathlib
import sys
import tempfile

from together.utils.files import check_file

BAD = {
    "unknown role": {"messages": [{"role": "narrator", "content": "x"}, {"role": "assistant", "content": "y"}]},
    "two users in a row": {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
    "no content": {"messages": [{"role": "user", "content": None}, {"role": "assistant", "content": "y"}]},
    "weight 0.5": {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0.5}]},
    "another column": {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "more": 1},
}


def passes(lines):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "lines.jsonl"
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        report = check_file(path)
    return report["is_check_passed"], report.get("message")


def plain(line):
    row = json.loads(line)
    return "tools" not in row and all(m["role"] != "tool" and "tool_calls" not in m for m in row["messages"])


def main():
    failed = 0
    for name in sys.argv[1:]:
        lines = pathlib.Path(name).read_text(encoding="utf-8").removesuffix("\n").split("\n")
        chats = [line for line in lines if plain(line)]
        ok, message = passes(chats) if chats else (True, None)
        failed += not ok
        print(f"{name}: {len(chats)} plain chats {'accepted' if ok else 'REFUSED: ' + str(message)}, {len(lines) - len(chats)} with tools left out")
    for what, row in BAD.items():
        ok, _ = passes([json.dumps(row)])
        failed += ok
        print(f"bad line, {what}: {'ACCEPTED' if ok else 'refused'}")
    sys.exit(1 if failed else 0)


main()
