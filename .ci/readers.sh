#!/usr/bin/env bash
# The demo lake read by what we did not write: the DuckDB CLI through the
# catalog (from another folder, and after a move), delta-rs by the Delta log,
# pandas and Polars through current/. All counts must be weir's own.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/venv.sh
[ -d demo/lake ] || { go build -o bin/weir ./cmd/weir; ./bin/weir demo --out demo; }
root=$PWD
./bin/weir lake verify --lake demo/lake
./bin/weir lake tables --lake demo/lake --json > demo/counts.json
"$VENV/bin/python" .ci/readers.py demo/lake < demo/counts.json
moved=$(mktemp -d)
trap 'rm -rf "$moved"' EXIT
cp -r demo/lake "$moved/elsewhere"
for lake in "$root/demo/lake" "$moved/elsewhere"; do
  (cd / && "$root/$VENV/bin/duckdb" -readonly -csv -noheader "$lake/catalog.duckdb" \
    -c "select 'duckdb cli', count(*) from curated.funnel")
done
for query in queries/*.sql transforms/*.sql evalsql/*.sql; do
  "$VENV/bin/duckdb" -readonly -csv -noheader "$root/demo/lake/catalog.duckdb" -f "$query" >/dev/null || { echo "$query does not run in the DuckDB shell"; exit 1; }
done
echo "every query, transform and analysis runs by itself in the DuckDB shell"
TOGETHER_NO_BANNER=1 TQDM_DISABLE=1 "$VENV/bin/python" .ci/check_together.py demo/exports/together/train.jsonl demo/exports/together/validation.jsonl
