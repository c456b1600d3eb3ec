#!/usr/bin/env bash
# Runs every fuzz target for a while, one after the other, and prints how long,
# how many inputs, and what came of it. A finding does not stop the others: Go
# keeps its input in the package's testdata/fuzz, where it is a test from then on.
# Usage: fuzz.sh [TIME [PATTERN]], such as 5m slack: targets whose package or name has the pattern.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-5m}
pattern=${2:-.}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
printf '%-36s %-20s %8s %10s  %s\n' package target seconds inputs result
while read -r package target; do
  began=$SECONDS
  result=ok
  if ! go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 2s >"$log" 2>&1; then
    result=$(grep -oE -m1 'testdata/fuzz/[^ ]+$|build failed' "$log" || echo failed)
    failed=1
  fi
  inputs=$(grep -oE 'execs: [0-9]+' "$log" | tail -n 1 | cut -d ' ' -f 2 || true)
  printf '%-36s %-20s %8d %10s  %s\n' "$package" "$target" $((SECONDS - began)) "${inputs:-0}" "$result"
  if [ "$result" != ok ]; then
    grep -vE '^fuzz: (elapsed|minimizing)' "$log" | head -n 40
  fi
done < <(
  grep -rE --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | sort |
    sed -E 's|^(.*)/[^/]*:func (.*)$|\1 \2|' | grep -E -- "$pattern"
)
exit $failed
