#!/usr/bin/env bash
# What weir train config writes, read by each trainer's own schema, and run as
# far as a machine without a GPU goes: MLX trains, TRL's script gets to its
# trainer, Modal's app is built, RunPod's script works a pod that is a folder.
# Four minutes at most, most of it pip.
#
# usage: scripts/trainers.sh [--install]    (--install: the packages alone)
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v python3 >/dev/null 2>&1; then
  echo "skipped: no python3 on this machine"
  exit 0
fi
VENV="${VENV_TRAINERS:-.venv-trainers}"
[ -x "$VENV/bin/python" ] || python3 -m venv "$VENV"
pip() { timeout 900 "$VENV/bin/pip" install --quiet --disable-pip-version-check "$@"; }
pip --requirement scripts/trainers/requirements.txt
pip --no-deps --requirement scripts/trainers/trainers.txt
[ "${1:-}" != --install ] || exit 0
WEIR_TRAINERS_PYTHON="$(realpath "$VENV")/bin/python" timeout 500 go test ./train/trainer -count=1 -v -run TestTrainersOwnSchemas |
  grep -E '^ *---|^ok|FAIL|schemas_test' | cut -c1-200
