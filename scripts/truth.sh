#!/usr/bin/env bash
# All transforms on examples with planted truth: what is found, and what is
# excluded wrongly. The tables go into docs/curation.md between their markers.
# Usage: truth.sh [EXAMPLES]
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
WEIR_TRUTH=${1:-100000} go test ./transforms -run 'TestPlantedTruth$' -count=1 -v -timeout 60m | tee "$out"
python3 scripts/between.py docs/curation.md truth "$out"
