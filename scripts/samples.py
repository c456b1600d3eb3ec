"""Runs each sample folder through the whole loop and prints one row a folder:
records read, events, dead letters with reasons, examples, and the lines that
training gets. Then gives one session as growing snapshots and as slices, and
compares with the whole. Exits 1 if a number does not add up.
"""

import collections
import json
import pathlib
import subprocess
import sys
import tempfile

# Eval results are not logs: weir eval import reads them.
EVALS = {"deepeval", "inspect", "lm-eval", "openai-evals", "promptfoo", "alpaca-eval"}
SESSION = "claude-code/44_785715c3f5_2_full.jsonl"


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


def folders(samples):
    """Every folder of logs; llm-http holds one a provider."""
    for folder in sorted(path for path in samples.iterdir() if path.is_dir() and path.name not in EVALS):
        if any(path.is_file() for path in folder.iterdir()):
            yield folder
        else:
            yield from sorted(path for path in folder.iterdir() if path.is_dir())


def messages(work, name, *batches):
    """What the lake holds of a session that came in one or more batches."""
    lake = work / name
    weir("init", "--lake", lake)
    for batch in batches:
        weir("ingest", "--lake", lake, "--quiet", batch)
    weir("transform", "--lake", lake, "--quiet")
    return query(lake, """
        select count(*) as messages, count(distinct conversation_id) as conversations,
               md5(string_agg(event_id || coalesce(parent_id, '') || coalesce(content, ''), chr(10) order by event_id)) as hash
        from curated.messages""")[0]


def pieces(samples):
    """One session in pieces has to come out as one conversation, once."""
    lines = (samples / SESSION).read_bytes().splitlines(keepends=True)
    cuts = [0, len(lines) // 3, 2 * len(lines) // 3, len(lines)]
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        snapshots, slices = [], []
        for i, (start, end) in enumerate(zip(cuts, cuts[1:])):
            for name, first, into in (("snapshot", 0, snapshots), ("slice", start, slices)):
                path = work / f"{name}{i}.jsonl"
                path.write_bytes(b"".join(lines[first:end]))
                into.append(path)
        found = {
            "the whole file": messages(work, "whole", samples / SESSION),
            "three growing snapshots": messages(work, "snapshots", *snapshots),
            "three slices": messages(work, "slices", *slices),
            "slices, the last one first": messages(work, "shuffled", *reversed(slices)),
        }
    print(f"\n{SESSION}, given as")
    for name, row in found.items():
        print(f"  {name:<28} {row['conversations']} conversations, {row['messages']} messages, hash {row['hash'][:12]}")
    if len({json.dumps(row, sort_keys=True) for row in found.values()}) != 1:
        sys.exit("the pieces do not come out as the whole")


def main():
    samples = pathlib.Path(sys.argv[1])
    print(f"{'format':<30} {'files':>5} {'records':>7} {'events':>7} {'dead':>5} {'examples':>8} {'train':>6} {'valid':>6} {'open':>5} {'excl.':>6} {'lines out':>10}")
    for folder in folders(samples):
        name = folder.relative_to(samples).as_posix()
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
    pieces(samples)


main()
