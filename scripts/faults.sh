#!/usr/bin/env bash
# The fault suite on the embedded broker and on a real Apache Kafka (see
# real-kafka.sh). Usage: faults.sh KILLS [embedded|kafka]. At least 200 kills are the long form.
set -euo pipefail
cd "$(dirname "$0")/.."
kills=${1:?usage: faults.sh KILLS [embedded|kafka]}
on=${2:-both}

suite() {
    WEIR_FAULT_KILLS=$kills go test ./faults -count=1 -v -timeout 120m -run TestFaults |
        grep -E '^ *(---|FAIL|ok|panic)|kills,|oracle:|_test.go'
}

if [ "$on" != kafka ]; then
    echo "== embedded broker"
    suite
fi
if [ "$on" != embedded ]; then
    dir=$(mktemp -d)
    address=$(./scripts/real-kafka.sh start "$dir/kafka")
    trap './scripts/real-kafka.sh stop "$dir/kafka" >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
    echo "== Apache Kafka at $address"
    export WEIR_FAULT_KAFKA="$address,$dir/kafka"
    suite
fi
