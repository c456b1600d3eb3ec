#!/usr/bin/env bash
# A lake that has lived: many small commits, columns that a newer weir has
# added, compaction, checkpoints of the log, an erasure, a table put back to an
# earlier version, a vacuum. Then delta-rs, DuckDB, Polars, pandas and Apache
# Spark read every table, and weir verify looks at it.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/venv.sh
"$VENV/bin/pip" install --quiet --disable-pip-version-check --requirement .ci/spark/requirements.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mvn -q -B -f .ci/spark/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$work/jars" >&2
go build -o bin/weir ./cmd/weir
weir=$PWD/bin/weir
lake=$work/lake

echo "== a weir whose messages and calls have a field more"
mkdir "$work/newer"
git archive HEAD | tar -x -C "$work/newer"
sed -i 's|^\(\s*\)Content  *string .*fid:"32".*|&\n\1Mood string `json:"mood,omitempty" fid:"990" doc:"a field of a newer version"`|' "$work/newer/lake/payloads.go"
sed -i 's|^\(\s*\)Arguments .*fid:.*|&\n\1Effort string `json:"effort,omitempty" fid:"991" doc:"a nested field of a newer version"`|' "$work/newer/lake/message.go"
grep -q Mood "$work/newer/lake/payloads.go" && grep -q Effort "$work/newer/lake/message.go"
(cd "$work/newer" && go build -o "$work/weir-newer" ./cmd/weir)

echo "== commits by both, in turn"
"$weir" init --lake "$lake"
"$weir" synth --seed 11 --events 900 --out "$work/fleet" >/dev/null
i=0
for file in $(find "$work/fleet/logs" -type f | sort); do
  binary=$weir
  [ $((i++ % 3)) -ne 1 ] || binary=$work/weir-newer
  "$binary" ingest --lake "$lake" --quiet --complete "$file" >/dev/null
  [ $((i % 6)) -ne 0 ] || "$weir" transform --lake "$lake" --quiet >/dev/null
done
"$weir" transform --lake "$lake" --quiet >/dev/null
"$weir" lake checkpoint --lake "$lake" >/dev/null
"$weir" lake compact --lake "$lake" --quiet

echo "== a subject is forgotten, a table goes back, what is left over goes away"
subject=$("$weir" query --lake "$lake" --format csv "select subject from events.chat_messages group by all order by count(*) desc, subject limit 1" | tail -1)
"$weir" erase --lake "$lake" --subject "$subject" --reason "a reader's test" | tail -20
"$weir" analyze --lake "$lake" --quiet >/dev/null
version=$("$weir" lake log --lake "$lake" --json curated.quality | python3 -c 'import json, sys; print(max(c["version"] for c in json.load(sys.stdin)))')
"$weir" lake restore --lake "$lake" curated.quality --version "$version"
"$weir" lake maintain --lake "$lake"
"$weir" lake verify --lake "$lake"

"$weir" lake tables --lake "$lake" --json >"$work/counts.json"
"$VENV/bin/python" .ci/readers.py "$lake" "$work/jars" <"$work/counts.json" 2>/dev/null
