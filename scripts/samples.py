"""Runs each sample folder of a supported format through the whole loop and
prints one row a folder: records read, events, dead letters with reasons,
examples, and the lines that training gets. Exits 1 if a number does not add up.
"""

import collections
import json
import pathlib
import subprocess
import sys
import tempfile

FOLDERS = ["claude-code", "llm-http/test_openai", "llm-http/test_openai_responses", "llm-http/test_anthropic", "litellm", "langgraph"]


def weir(*args):
    done = subprocess.run(["bin/weir", *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"weir {' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def query(lake, sql):
    return json.loads(weir("query", "--lake", lake, "--json", "--limit", 0, sql))


def run(folder, work):
    lake = work / "lake"
    weir("init", "--lake", lake)
    total = json.loads(weir("ingest", "--lake", lake, "--json", "--quiet", "--complete", folder))["total"]
    weir("transform", "--lake", lake, "--quiet")
    rejects = query(lake, "select reason, count(*) as n from events.dead_letters group by all order by all")
    fates = collections.Counter()
    reasons = collections.Counter()
    for row in query(lake, "select fate, reason, count(*) as n from curated.funnel group by all"):
        fates[row["fate"]] += int(row["n"])
        if row["fate"] == "excluded":
            reasons[row["reason"]] += int(row["n"])
    examples = int(query(lake, "select count(*) as n from curated.examples")[0]["n"])
    if sum(fates.values()) != examples:
        sys.exit(f"{folder}: fates add up to {sum(fates.values())}, examples are {examples}")
    manifest = json.loads(weir("export", "--lake", lake, "--json", "--quiet", "--target", "openai", "--out", work / "export"))
    lines = {side["split"]: side["lines"] for side in manifest["splits"]}
    return total, rejects, examples, fates, reasons, lines


def main():
    samples = pathlib.Path(sys.argv[1])
    print(f"{'format':<30} {'files':>5} {'records':>7} {'events':>7} {'dead':>5} {'examples':>8} {'train':>6} {'valid':>6} {'open':>5} {'excl.':>6} {'lines out':>10}")
    for name in FOLDERS:
        folder = samples / name
        if not folder.is_dir():
            sys.exit(f"{folder}: not there")
        with tempfile.TemporaryDirectory() as work:
            total, rejects, examples, fates, reasons, lines = run(folder, pathlib.Path(work))
        dead = sum(int(row["n"]) for row in rejects)
        print(
            f"{name:<30} {total['files']:>5} {total['records']:>7} {sum(total['events'].values()):>7} {dead:>5} {examples:>8} {fates['train']:>6} "
            f"{fates['validation']:>6} {fates['open']:>5} {fates['excluded']:>6} {lines.get('train', 0):>5}+{lines.get('validation', 0)}"
        )
        for row in rejects:
            print(f"    dead letter: {row['reason']} {row['n']}")
        for reason, n in sorted(reasons.items()):
            print(f"    excluded: {reason} {n}")


main()
