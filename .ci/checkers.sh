#!/usr/bin/env bash
# The export targets against checkers that are not weir's (see scripts/checkers.sh).
set -euo pipefail
exec "$(dirname "$0")/../scripts/checkers.sh"
