#!/usr/bin/env python3
"""Puts what a Go test logged, or what a file NAME.md has, between a document's
markers.

Usage: between.py DOCUMENT NAME TEST_OUTPUT
"""
import re
import sys

document, name, output = sys.argv[1:]
lines = open(output, encoding="utf-8").read().splitlines() if output.endswith(".md") else []
for line in open(output, encoding="utf-8"):
    logged = re.match(r"    [a-z_]+_test\.go:\d+: ?(.*)", line)
    if logged:
        lines.append(logged[1].rstrip())
if not lines:
    sys.exit(f"{output}: the test logged nothing")
begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
text = open(document, encoding="utf-8").read()
if text.count(begin) != 1 or text.count(end) != 1:
    sys.exit(f"{document}: {begin} and {end} must stand there once")
before, rest = text.split(begin)
_, after = rest.split(end)
with open(document, "w", encoding="utf-8") as file:
    file.write(before + begin + "\n" + "\n".join(lines).strip() + "\n" + end + after)
