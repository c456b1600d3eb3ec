#!/usr/bin/env bash
# The providers' own Python clients against the local job server that the tests
# of weir train rest on: they read what it says, and weir asks what they ask.
# Two minutes at most, most of it pip. Usage: jobs.sh [--install]    (the packages alone)
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v python3 >/dev/null 2>&1; then
  echo "skipped: no python3 on this machine"
  exit 0
fi
VENV="${VENV_JOBS:-.venv-jobs}"
[ -x "$VENV/bin/python" ] || python3 -m venv "$VENV"
timeout 900 "$VENV/bin/pip" install --quiet --disable-pip-version-check --requirement .ci/requirements-jobs.txt
[ "${1:-}" != --install ] || exit 0
WEIR_SDK_PYTHON="$(realpath "$VENV")/bin/python" timeout 300 go test ./train/localserver -count=1 -v -run TestProvidersOwnClients |
  grep -E '^ *---|^ok|FAIL|client|asks'
