#!/usr/bin/env bash
# What distillation takes out of the demo's fleet and of the samples, and when
# it has paid. The outputs go into docs/distillation.md between their markers.
# Usage: distill.sh SAMPLES
set -euo pipefail
samples=$(cd "${1:?usage: distill.sh SAMPLES}" && pwd)
cd "$(dirname "$0")/.."
go build -o bin/weir ./cmd/weir
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
PATH=$root/bin:$PATH

# show prints a command as a reader would type it, and what it says.
show() { echo "\$ $*"; "$@" 2>/dev/null; }
# lake makes a lake of files, with all tables.
lake() {
    weir init --lake "$1"
    weir ingest --lake "$1" --complete "$2"
    weir transform --lake "$1"
    weir analyze --lake "$1"
} >/dev/null 2>&1
put() { python3 "$root/scripts/between.py" --text "$root/docs/distillation.md" "$1" "$2"; }

cat >list.json <<'JSON'
{"as_of": "2026-11-25", "prices": []}
JSON
cat >batch.json <<'JSON'
{"as_of": "2026-11-25", "prices": [
  {"provider": "openai", "model": "gpt-4.1", "input_usd_per_mtok": 1, "cached_usd_per_mtok": 0.25, "output_usd_per_mtok": 4, "as_of": "2025-07-04", "source": "half of the list price: the batch API"},
  {"provider": "openai", "model": "ft:gpt-4.1-mini", "input_usd_per_mtok": 0.4, "cached_usd_per_mtok": 0.1, "output_usd_per_mtok": 1.6, "as_of": "2025-11", "source": "half of the list price: the batch API"}
]}
JSON

weir synth --seed 5 --events 600 --out fleet >/dev/null
lake mylake fleet/logs
{
    show weir distill suggest --lake mylake --phase 2 --out rules.yaml
    show weir export --lake mylake --target openai --out training --distill rules.yaml | sed -n '1p;/^distilled/,$p'
    show weir distill report --lake mylake --rules rules.yaml --base gpt-4.1 --prices list.json --prices batch.json | sed '2,/^$/d'
    show weir distill report --lake mylake --rules rules.yaml | sed -n '1p;/^break-even/,$p'
    show weir distill check --lake mylake --rules rules.yaml | head -5
} >fleet.txt
lake http "$samples/llm-http"
{
    # Titles are the samples' words, and stay out of the document.
    show weir distill suggest --lake http --phase 5 --out http.yaml | sed -n '1p;$p'
    show weir distill report --lake http --rules http.yaml --base gpt-4.1 --prices list.json --prices batch.json |
        awk '/^\$/ { print; next } /^$/ { rest = 1 } rest { print; next } { printf "%-26s %8s %6s\n", $1, $(NF-1), $NF }'
} >http.txt
lake sessions "$samples/claude-code"
show weir query --lake sessions session_overhead >sessions.txt
for name in fleet http sessions; do
    put "$name" "$name.txt"
done
