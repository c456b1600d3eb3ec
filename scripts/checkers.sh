#!/usr/bin/env bash
# Good and bad lines of every export target, judged by weir validate and by what
# its authors did not write: the trainers' and providers' own packages. Prints a
# table and the reason of each difference; exits 1 where one has none. The
# packages come from PyPI into CHECKERS_VENV, once; no torch. With
# MISTRAL_FINETUNE=DIR, a checkout of mistralai/mistral-finetune, its own check
# judges too. Usage: checkers.sh [--write | --install]
# (--write: into docs/targets.md; --install: the packages alone)
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v python3 >/dev/null 2>&1; then
  echo "skipped: no python3 on this machine"
  exit 0
fi
venv=${CHECKERS_VENV:-$PWD/.venv-checkers}
wanted=$(cat scripts/checkers/*.txt)
if [ "$(cat "$venv/installed.txt" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement scripts/checkers/requirements.txt
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement scripts/checkers/trainers.txt
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$venv/mistral-finetune" mistral-common==1.5.1
  echo "$wanted" > "$venv/installed.txt"
fi
[ "${1:-}" != --install ] || exit 0
export MISTRAL_COMMON="$venv/mistral-finetune"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o bin/weir ./cmd/weir
WEIR_LINES="$work/lines" go test ./exporters/target -count=1 -run 'TestLines$' >/dev/null
"$venv/bin/python" scripts/checkers/run.py bin/weir "$work/lines" > "$work/table.md" || failed=1
cat "$work/table.md"
if [ "${1:-}" = --write ]; then
  python3 scripts/between.py docs/targets.md checkers "$work/table.md"
fi
exit "${failed:-0}"
