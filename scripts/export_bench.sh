#!/usr/bin/env bash
# An export to OpenAI's form beside DuckDB's own COPY … TO JSON of the same rows:
# time, processor time and peak memory of each. The rows are made up, some 2.5 kB
# each. On a busy machine the processor time says more.
# Usage: export_bench.sh [ROWS…]       default 100000 1000000
# Needs GNU time, and for a million rows 10 GB of disk. WEIR_BENCH_DIR keeps the lakes.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "${WEIR_BENCH_DIR:-}" ]; then
  work=$WEIR_BENCH_DIR
  mkdir -p "$work"
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
go build -o bin/weir ./cmd/weir
go test -c -o "$work/exporters.test" ./exporters
measured() { # NAME COMMAND…: seconds, processor seconds, peak kB, and the command's bytes
  local name=$1; shift
  /usr/bin/time -o "$work/time" -f '%e %U %S %M' "$@" >"$work/$name.out"
}
row() { # NAME BYTES
  awk -v name="$1" -v rows="$rows" -v bytes="$2" '{printf "%-22s %9d %9.1f %9.1f %9.0f %9.0f\n", name, rows, $1, $2 + $3, $4 / 1024, bytes / 1e6}' "$work/time"
}
printf '%-22s %9s %9s %9s %9s %9s\n' what rows s cpu_s peak_MB out_MB
for rows in "${@:-100000 1000000}"; do
  for rows in $rows; do
    lake=$work/lake-$rows
    if [ ! -d "$lake" ]; then
      (cd exporters && WEIR_EXPORT_LAKE=$lake WEIR_EXPORT_ROWS=$rows "$work/exporters.test" -test.run 'TestMakeLake$' -test.timeout 2h >/dev/null)
    fi
    rm -rf "$work/out"
    measured export ./bin/weir export --lake "$lake" --target openai --out "$work/out" --quiet
    row 'weir export' "$(find "$work/out" -maxdepth 1 -type f -exec cat {} + | wc -c)"
    measured again ./bin/weir export --lake "$lake" --target openai --out "$work/out" --quiet --if-changed
    row 'weir export, unchanged' 0
    rm -rf "$work/out"
    export WEIR_EXPORT_LAKE=$lake WEIR_EXPORT_ROWS=$rows WEIR_EXPORT_OUT=$work/copy.json
    (cd exporters && measured copy "$work/exporters.test" -test.run 'TestCopyToJSON$' -test.timeout 2h)
    row 'DuckDB COPY TO JSON' "$(wc -c < "$work/copy.json")"
    rm -f "$work/copy.json"
  done
done
