#!/usr/bin/env bash
# OpenTelemetry's Python SDK sends GenAI spans to a running weir, which is then
# stopped; the lake must hold a row for each call and score. The SDK runs twice:
# the calls are the same ones, by the ids of their replies, and count once.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/venv.sh
go build -o bin/weir ./cmd/weir
dir=$(mktemp -d)
weir=
trap '[ -z "$weir" ] || kill "$weir" 2>/dev/null || true; rm -rf "$dir"' EXIT
conversations=100
./bin/weir init --lake "$dir/lake" >/dev/null

./bin/weir ingest --lake "$dir/lake" --listen-otlp 127.0.0.1:0 --quiet > "$dir/out" 2> "$dir/err" &
weir=$!
for _ in $(seq 100); do
  endpoint=$(sed -n 's/^listening on //p' "$dir/err")
  [ -z "$endpoint" ] || break
  kill -0 "$weir" 2>/dev/null || { cat "$dir/err"; exit 1; }
  sleep 0.1
done
"$VENV/bin/python" .ci/check_otlp.py "$endpoint" "$conversations"
"$VENV/bin/python" .ci/check_otlp.py "$endpoint" "$conversations"
kill -TERM "$weir"
wait "$weir" || { cat "$dir/err"; exit 1; }
weir=
cat "$dir/out"

rows() { "$VENV/bin/duckdb" -readonly -csv -noheader "$dir/lake/catalog.duckdb" -c "$1"; }
check() { # name, want, query
  got=$(rows "$3")
  [ "$got" = "$2" ] || { echo "$1: $got, want $2"; exit 1; }
  echo "$1: $got"
}
check "events of calls, sent twice" $((4 * conversations)) "select count(*) from events.gateway_calls"
check "dead letters" 0 "select count(*) from events.dead_letters"
./bin/weir transform --lake "$dir/lake" --quiet >/dev/null
check "calls" $((2 * conversations)) "select count(*) from curated.calls"
check "judgements, one a run" $((2 * conversations)) "select count(*) from curated.judgements"
check "conversations" "$conversations" "select count(distinct conversation_id) from curated.calls"
check "examples" "$conversations" "select count(*) from curated.examples"
check "targets of an example" 2 "select distinct len([m for m in messages if m.weight = 1]) from curated.examples"
