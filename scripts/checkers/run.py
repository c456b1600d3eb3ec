"""Judges good and bad lines of every target by weir and by what weir's authors
did not write, and prints a table of the verdicts and the reasons of each
difference. Exits 1 if a good line is refused, or a difference has no reason.

usage: run.py WEIR LINES [TARGET…]    (scripts/checkers.sh makes LINES)
"""

import base64
import collections
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import subprocess
import sys
import tomllib

import mutate

HERE = pathlib.Path(__file__).parent
LEAST, EACH = 200, 2

JUDGES = {
    "openai": ["openai_types"],
    "azure": ["openai_types"],
    "fireworks": ["fireworks_types"],
    "together": ["together_files"],
    "mistral": ["mistral_messages"],
    "gemini": ["gemini_types"],
    "bedrock-nova": ["converse_shapes"],
    "bedrock-claude": ["anthropic_types"],
    "trl": ["trl_chat"],
    "trl-completion": ["trl_chat"],
    "axolotl": ["axolotl_turns"],
    "llama-factory": ["llamafactory_rows"],
    "mlx": ["mlx_rows"],
    "ms-swift": ["swift_rows"],
    "openai-rft": ["openai_types"],
    "openai-dpo": ["openai_types"],
    "azure-dpo": ["openai_types"],
    "fireworks-dpo": ["fireworks_types"],
    "together-dpo": ["together_files"],
    "trl-dpo": ["trl_chat"],
    "axolotl-dpo": ["axolotl_pairs"],
    "llama-factory-dpo": ["llamafactory_rows"],
    "ms-swift-dpo": ["swift_rows"],
}
EVERYWHERE = ["hf_datasets"]
if os.environ.get("MISTRAL_FINETUNE"):
    JUDGES["mistral"].append("mistral_finetune")


def findings(weir, target, path):
    """What weir says of a file: line → findings."""
    done = subprocess.run([weir, "validate", "--json", "--target", target, path], capture_output=True, text=True)
    if done.returncode not in (0, 3):
        sys.exit(f"weir validate {path}: exit {done.returncode}\n{done.stderr}")
    found = collections.defaultdict(list)
    for finding in json.loads(done.stdout):
        found[finding["line"]].append(f"{finding.get('path', '')}: {finding['what']} ({finding['rule']})")
    return found


def ask(judge, target, file, items):
    """A judge's verdicts on items, and its name and version."""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "TOGETHER_NO_BANNER": "1", "TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    env |= {"PYTHONDONTWRITEBYTECODE": "1", "AXOLOTL_DO_NOT_TRACK": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-W", "ignore", HERE / "judges" / f"{judge}.py", target, file]
    given = "".join(json.dumps(item) + "\n" for item in items)
    done = subprocess.run(command, input=given, capture_output=True, text=True, env=env, timeout=900)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != len(items) + 1:
        sys.exit(f"{judge} on {target}: exit {done.returncode}, {len(lines)} lines\n{done.stderr[-3000:]}")
    head, *verdicts = map(json.loads, lines)
    return head, verdicts


class Reasons:
    """What reasons.toml says: why weir and a judge may differ, and what breaks
    no rule though it was meant to."""

    def __init__(self, path):
        read = tomllib.loads(path.read_text(encoding="utf-8"))
        self.entries, self.fine = read["difference"], read["harmless"]
        self.used, self.used_fine = set(), set()

    def harmless(self, target, kind):
        for number, entry in enumerate(self.fine):
            if matches(entry["target"], target) and matches(entry["kinds"], kind):
                self.used_fine.add(number)
                return True
        return False

    def why(self, target, judge, says, kind):
        """The reason of a difference; None where there is none. says is who
        refuses: weir or judge."""
        for number, entry in enumerate(self.entries):
            if entry["refuses"] != says or not matches(entry["judge"], judge) or not matches(entry.get("target", ["*"]), target):
                continue
            if matches(entry["kinds"], kind):
                self.used.add(number)
                return entry["because"]
        return None

    def unused(self):
        """Reasons that nothing needed, but those of judges that did not run."""
        judges = {judge for names in [*JUDGES.values(), EVERYWHERE] for judge in names}
        entries = [e for i, e in enumerate(self.entries) if i not in self.used and judges & set(e["judge"])]
        entries += [e for i, e in enumerate(self.fine) if i not in self.used_fine]
        return [entry["because"] for entry in entries]


def matches(patterns, text):
    """Shell patterns, in which [] is itself: paths have it."""
    return any(fnmatch.fnmatchcase(text, pattern.replace("[]", "[[]]")) for pattern in patterns)


def judge_target(weir, lines, entry, reasons, faults):
    """Rows of the table for a target, and its differences by reason."""
    target, file = entry["target"], str(lines / entry["file"])
    good = pathlib.Path(file).read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    bad, harmless = mutate.bad_lines(target, good, EACH, LEAST, lambda kind: reasons.harmless(target, kind))
    if len(good) < LEAST or len(bad) < LEAST:
        sys.exit(f"{target}: only {len(good)} good and {len(bad)} bad lines")
    broken_lines = [line for _, line in bad + harmless]
    kinds = [kind for kind, _ in bad]
    broken = lines / target / "bad.txt"
    broken.write_bytes((b"\xef\xbb\xbf" if entry["bom"] else b"") + b"".join(line + b"\n" for line in broken_lines))
    on_good, on_bad = findings(weir, target, file), findings(weir, target, broken)
    broken.unlink()
    for number, found in on_good.items():
        faults.append(f"{target}: weir refuses good line {number}: {found}")
    for number, (kind, line) in enumerate(bad + harmless, start=1):
        if (number in on_bad) == (number > len(bad)):
            faults.append(f"{target}: weir {'refuses' if number in on_bad else 'accepts'} {kind}: {line[:400]!r} {on_bad.get(number, '')}")
    rows = [(target, "weir validate", len(good) - len(on_good), len(good), sum(n in on_bad for n in range(1, len(bad) + 1)), len(bad), 0)]
    differences = []
    for judge in JUDGES[target] + EVERYWHERE:
        head, verdicts = ask(judge, target, file, [{"good": n} for n in range(len(good))] + [{"line": base64.b64encode(line).decode()} for line in broken_lines])
        by_reason = collections.Counter()
        for n, verdict in enumerate(verdicts[: len(good)]):
            if verdict:
                faults.append(f"{target}: {judge} refuses good line {n + 1}: {verdict}")
        for number, (kind, verdict) in enumerate(zip(kinds, verdicts[len(good) :]), start=1):
            if (number in on_bad) == bool(verdict):
                continue
            says = "weir" if number in on_bad else "judge"
            because = reasons.why(target, judge, says, kind)
            if because is None:
                what = verdict or on_bad[number]
                faults.append(f"{target}: {says} alone refuses {kind} ({judge}): {str(what)[:200]}")
                because = "NO REASON"
            by_reason[says, because] += 1
        for (kind, _), verdict in zip(harmless, verdicts[len(good) + len(bad) :]):
            if verdict and not reasons.why(target, judge, "judge", kind):
                faults.append(f"{target}: {judge} refuses harmless {kind}: {verdict}")
        refused = sum(1 for v in verdicts[len(good) : len(good) + len(bad)] if v)
        accepted = sum(1 for v in verdicts[: len(good)] if not v)
        name = f"{head['version']}, {head['judge']}"
        rows.append(("every target" if judge in EVERYWHERE else target, name, accepted, len(good), refused, len(bad), by_reason.total()))
        differences += [(target, says, because, n) for (says, because), n in by_reason.items()]
    return rows, differences


def print_table(rows):
    """A row a target and judge; judges of every target in one."""
    summed = {}
    for target, judge, *numbers in rows:
        summed[target, judge] = [a + b for a, b in zip(summed.get((target, judge), [0] * 5), numbers)]
    print("| target | judge | good accepted | bad rejected | differences |\n| --- | --- | --- | --- | --- |")
    for (target, judge), (accepted, good, refused, bad, different) in sorted(summed.items(), key=lambda row: row[0][0] == "every target"):
        print(f"| {target} | {judge} | {accepted} of {good} | {refused} of {bad} | {different or ''} |")


def print_differences(differences):
    grouped = collections.defaultdict(collections.Counter)
    for target, says, because, n in differences:
        grouped[says, because][target] += n
    print("\nA line is different where weir and the judge do not agree:\n\n| refuses alone | lines | of | why |\n| --- | --- | --- | --- |")
    for (says, because), where in sorted(grouped.items(), key=lambda group: (group[0][0] != "judge", -group[1].total())):
        targets = "every target" if len(where) > 15 else ", ".join(where)
        print(f"| {says if says == 'weir' else 'the judge'} | {where.total()} | {targets} | {because} |")


def main():
    weir, lines, only = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    index = json.loads((lines / "index.json").read_text(encoding="utf-8"))
    if unjudged := {entry["target"] for entry in index} - set(JUDGES):
        sys.exit(f"no judge for {sorted(unjudged)}: add them to JUDGES")
    reasons, faults, rows, differences = Reasons(HERE / "reasons.toml"), [], [], []
    chosen = [entry for entry in index if not only or entry["target"] in only]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for more in pool.map(lambda entry: judge_target(weir, lines, entry, reasons, faults), chosen):
            rows, differences = rows + more[0], differences + more[1]
    print_table(rows)
    print_differences(differences)
    if not only:
        faults += [f"reasons.toml: nothing is so any more: {because}" for because in reasons.unused()]
    for fault in faults:
        print("fault:", fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
