#!/usr/bin/env python3
"""Prints what go test -json says on its standard input: a line a package, the output of what failed,
and how many tests there were. Exits with 1 if one failed, or there was none."""
import collections
import json
import sys

counts, output, failed = collections.Counter(), collections.defaultdict(list), False
for line in sys.stdin:
    try:
        event = json.loads(line)
    except ValueError:  # of a compiler, or of make
        print(line, end="")
        continue
    key = (event.get("Package", event.get("ImportPath")), event.get("Test"))
    action = event["Action"]
    if action in ("output", "build-output"):
        output[key].append(event["Output"])
    elif action in ("pass", "fail", "skip"):
        if key[1]:
            counts[action] += 1
        elif action != "skip":
            print(f"{action}  {key[0]}  {event.get('Elapsed', 0):.1f}s", flush=True)
        if action == "fail":
            failed = True
            print("".join(output[key]), end="")
        elif action == "skip" and key[1]:
            print("".join(output[key]), end="")
        output.pop(key, None)
    elif action == "build-fail":
        failed = True
        print("".join(output[key]), end="")
print(f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")
sys.exit(failed or not counts["pass"])
