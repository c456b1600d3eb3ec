#!/usr/bin/env bash
# What a second transform costs after 1 % more events, nine of ten of them in
# new conversations: time and files beside the full run, and processor time, which
# says the same on a busy machine. Usage: incremental.sh [EVENTS]
set -euo pipefail
cd "$(dirname "$0")/.."
events=${1:-100000}
go build -o bin/weir ./cmd/weir
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
weir() { ./bin/weir "$@"; }
TIMEFORMAT='%U %S'
transform() { # NAME: what happened to each table, and user and system seconds
  { time weir transform --lake "$work/lake" --quiet --json > "$work/$1.json"; } 2> "$work/$1.cpu"
}

weir synth --seed 11 --events "$events" --out "$work/old" --json >/dev/null
weir synth --seed 12 --events $((events * 9 / 1000)) --out "$work/new" --json >/dev/null
weir init --lake "$work/lake" >/dev/null
weir ingest --lake "$work/lake" --quiet --json "$work/old/logs" >/dev/null
transform full

# One event in a thousand goes on with one of the youngest old conversations.
weir query --lake "$work/lake" --limit 0 --json "
  select subject_id, conversation_id, (max(ordered_at) + interval 1 minute)::varchar as at, max(position) as position
  from curated.messages group by all order by max(ordered_at) desc limit $((events / 2000))" > "$work/subjects.json"
python3 - "$work/subjects.json" > "$work/more.jsonl" <<'PY'
import json, sys
for row in json.load(open(sys.argv[1])):
    at = row["at"].replace(" ", "T").replace("+00", "Z")
    for k, (kind, role, text) in enumerate([("prompt", "user", "And one thing more, please."), ("output", "assistant", "Done, that too.")]):
        position = int(row["position"]) + 1000 * (k + 1)
        print(json.dumps({
            "specversion": "1.0", "id": f"{row['subject_id']}-more-{k}", "source": "bench://incremental", "type": "weir.chat.message.v1",
            "subject": row["subject_id"], "time": at,
            "data": {"conversation_id": row["conversation_id"], "message_id": f"more-{k}", "response_id": "r-more" if kind == "output" else "",
                     "kind": kind, "role": role, "content": text, "position": position, "ordered_at": at}}))
PY
weir ingest --lake "$work/lake" --quiet --json "$work/new/logs" "$work/more.jsonl" >/dev/null
transform second
transform third
python3 - "$work" <<'PY'
import json, sys
full, second, third = ({t["table"]: t for t in json.load(open(f"{sys.argv[1]}/{name}.json"))} for name in ("full", "second", "third"))
print(f"{'table':<30}{'rows':>9}{'full s':>8}{'files':>7}{'second s':>10}{'mode':>13}{'touched':>9}{'files':>9}")
for name, a in full.items():
    b = second[name]
    print(f"{name:<30}{b['rows']:>9}{a['seconds']:>8.2f}{'+%d' % a['files_added']:>7}{b['seconds']:>10.2f}{b['mode']:>13}{b['touched']:>9}{'+%d -%d' % (b['files_added'], b['files_removed']):>9}")
total = [sum(t["seconds"] for t in run.values()) for run in (full, second, third)]
cpu = [sum(map(float, open(f"{sys.argv[1]}/{name}.cpu").read().split())) for name in ("full", "second", "third")]
print(f"processor time: full run {cpu[0]:.1f} s; after 1 % more events {cpu[1]:.1f} s ({100 * cpu[1] / cpu[0]:.0f} %); nothing new {cpu[2]:.1f} s")
print(f"full run {total[0]:.1f} s; after 1 % more events {total[1]:.1f} s ({100 * total[1] / total[0]:.0f} %); nothing new {total[2]:.1f} s")
PY
