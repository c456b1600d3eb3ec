#!/usr/bin/env bash
# All transforms on a corpus too large for memory: rows and seconds of each step,
# processor time and peak memory. The corpus goes through the broker like any
# log. Usage: million.sh [EXAMPLES]; WEIR_MILLION_DIR keeps corpus and lake there,
# and what is ingested there is not ingested again.
set -euo pipefail
cd "$(dirname "$0")/.."
examples=${1:-1000000}
weir=${WEIR:-bin/weir}
[[ -n ${WEIR:-} ]] || go build -o "$weir" ./cmd/weir
if [[ -n ${WEIR_MILLION_DIR:-} ]]; then
  work=$WEIR_MILLION_DIR
  mkdir -p "$work"
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
measured() { # NAME COMMAND…: its output to NAME.json, and seconds, processor time and peak memory to NAME.cost
  local name=$1
  shift
  python3 - "$work/$name" "$@" <<'PY'
import json, resource, subprocess, sys, time
start = time.monotonic()
with open(sys.argv[1] + ".json", "w") as out:
    code = subprocess.run(sys.argv[2:], stdout=out).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cost = {"seconds": time.monotonic() - start, "processor": used.ru_utime + used.ru_stime, "peak_gb": used.ru_maxrss / 1e6}
json.dump(cost, open(sys.argv[1] + ".cost", "w"))
sys.exit(code)
PY
}

if [[ ! -e $work/ingest.cost ]]; then
  "$weir" synth --seed 1 --examples "$examples" --out "$work/corpus" --json >/dev/null
  "$weir" init --lake "$work/lake" >/dev/null
  measured ingest "$weir" ingest --lake "$work/lake" --quiet --json "$work/corpus/logs"
fi
measured transform "$weir" transform --lake "$work/lake" --freeze-boilerplate --threads 2 --memory 8GB --quiet --json
python3 - "$work" "$examples" <<'PY'
import json, os, sys
work, examples = sys.argv[1:]
size = os.path.getsize(f"{work}/corpus/logs/events.jsonl")
print(f"{int(examples):,} examples of {size / int(examples) / 1e3:.1f} KB each, two threads, memory_limit 8 GB.\n")
print("| step | rows | seconds |\n|---|---:|---:|")
for t in sorted(json.load(open(f"{work}/transform.json")), key=lambda t: -t["seconds"]):
    print(f"| {t['table'].removeprefix('curated.')} | {t['rows']:,} | {t['seconds']:.1f} |")
print()
for name in ("ingest", "transform"):
    cost = json.load(open(f"{work}/{name}.cost"))
    print(f"weir {name}: {cost['seconds']:.0f} s, {cost['processor']:.0f} s of processor time, at its peak {cost['peak_gb']:.1f} GB of memory.")
PY
