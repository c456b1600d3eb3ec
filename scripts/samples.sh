#!/usr/bin/env bash
# Every sample of a supported format through ingest → sink → transform → export,
# a lake for each, and what came of it as a table. Usage: samples.sh DIR
set -euo pipefail
samples=$(cd "${1:?usage: samples.sh DIR}" && pwd)
cd "$(dirname "$0")/.."
go build -o bin/weir ./cmd/weir
exec python3 scripts/samples.py "$samples"
