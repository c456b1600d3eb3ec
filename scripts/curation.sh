#!/usr/bin/env bash
# Precision and recall of the duplicates on planted families, and what both ways
# to propose pairs cost. Usage: curation.sh [EXAMPLES…]
set -euo pipefail
cd "$(dirname "$0")/.."
for examples in "${@:-10000}"; do
  WEIR_CURATION=$examples go test ./transforms -run 'TestCuration$' -count=1 -v -timeout 30m | sed -n 's/^ *curation_test.go:[0-9]*: //p'
done
