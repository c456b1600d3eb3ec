#!/usr/bin/env python3
"""Puts what a Go test logged between a document's markers.

Usage: between.py [--text] DOCUMENT NAME TEST_OUTPUT

With --text the output is no test's, and goes in as it is, as code. An output
NAME.md goes in as it is.
"""
import re
import sys

args = sys.argv[1:]
is_text = args[0] == "--text"
document, name, output = args[is_text:]
lines = []
for line in open(output, encoding="utf-8"):
    if is_text:
        lines.append(("    " + line).rstrip())
        continue
    if output.endswith(".md"):
        lines.append(line.rstrip())
        continue
    logged = re.match(r"    [a-z_]+_test\.go:\d+: ?(.*)", line)
    if logged:
        lines.append(logged[1].rstrip())
if not lines:
    sys.exit(f"{output}: there is nothing in it")
begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
text = open(document, encoding="utf-8").read()
if text.count(begin) != 1 or text.count(end) != 1:
    sys.exit(f"{document}: {begin} and {end} must stand there once")
before, rest = text.split(begin)
_, after = rest.split(end)
body = "\n".join(lines)
with open(document, "w", encoding="utf-8") as file:
    file.write(before + begin + "\n" + (body.strip("\n") if is_text else body.strip()) + "\n" + end + after)
