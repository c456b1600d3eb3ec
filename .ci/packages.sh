#!/usr/bin/env bash
# The Python packages of all checks, one venv after the other. .ci/run has them
# come from the network while the tests run.
set -euo pipefail
cd "$(dirname "$0")/.."
(. .ci/venv.sh)
./scripts/checkers.sh --install
./.ci/jobs.sh --install
./scripts/trainers.sh --install
