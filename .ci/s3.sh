#!/usr/bin/env bash
# An export's upload against an S3 server that weir did not write (moto), and read
# back with Amazon's own client (boto3): what is there is the export, a run that is
# killed is gone on with, nothing is sent twice.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/venv.sh
go build -o bin/weir ./cmd/weir
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
port=$((20000 + RANDOM % 20000))
"$VENV/bin/moto_server" --port "$port" >"$dir/moto.log" 2>&1 &
server=$!
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_REGION=us-east-1 AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port
"$VENV/bin/python" .ci/check_s3.py make

rows=20000 # some 55 MB: files of one part and of several
(cd exporters && WEIR_EXPORT_LAKE=$dir/lake WEIR_EXPORT_ROWS=$rows go test . -count=1 -run 'TestMakeLake$' >/dev/null)
args=(--lake "$dir/lake" --target openai --out "$dir/out" --if-changed --quiet --upload s3://datasets/team)
for after in 2 7 8 9; do
  "$VENV/bin/python" .ci/check_s3.py kill "$after" ./bin/weir export "${args[@]}"
done
./bin/weir export "${args[@]}" | grep '^uploaded:'
"$VENV/bin/python" .ci/check_s3.py same "$dir/out"
./bin/weir export "${args[@]}" | grep '^uploaded: .* 0 files of 0 bytes;'
