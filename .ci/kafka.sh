#!/usr/bin/env bash
# The demo and the contract suite against a real Apache Kafka on this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
address=$(./scripts/real-kafka.sh start "$dir/kafka")
trap './scripts/real-kafka.sh stop "$dir/kafka" >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
echo "Apache Kafka at $address"
go build -o bin/weir ./cmd/weir
./bin/weir demo --out "$dir/demo" --brokers "$address"
WEIR_KAFKA="$address" go test -count=1 -v -run TestContractReal ./ingest | grep -E '^ *(---|ok|FAIL|PASS)'
