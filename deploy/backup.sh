#!/usr/bin/env bash
# backup.sh LAKE TO: copies a lake while sinks, transforms and readers use it.
#
# The copy is each table at the version that it stood at when its turn came. The
# logs come first and the data files after them, so that no log names a file that
# is not there; files that came meanwhile are named by no log, and vacuum takes
# them. Upkeep waits meanwhile: it would delete files that are still to be copied.
# Of an embedded broker nothing is copied: see docs/operations.md.
#
# The copy is published and verified at the end; the exit code is that of
# weir lake verify. It holds the erasure key and is as secret as the lake.
set -euo pipefail
if [ $# -ne 2 ] || [ ! -f "$1/weir.json" ]; then
  echo "usage: backup.sh LAKE TO" >&2
  exit 2
fi
weir=${WEIR:-weir}
if [ -e "$2" ] && [ -n "$(ls -A "$2")" ]; then
  echo "backup: $2 is not empty" >&2
  exit 2
fi
mkdir -p "$2"
to=$(cd "$2" && pwd)
cd "$1"

mkdir -p _tmp
exec 9>>_tmp/upkeep.lock
flock 9

for log in {events,curated,analysis,datasets}/*/_delta_log; do
  [ -d "$log" ] || continue
  # A folder that is listed while entries come may show one and not the one
  # before it. What is before the last of this listing is there for the next.
  last=$(ls "$log" | grep -E '^[0-9]{20}\.json$' | tail -n 1 || true)
  [ -n "$last" ] || continue
  mkdir -p "$to/$log"
  # Without _last_checkpoint, which may point beyond: readers do without it.
  ls "$log" | grep -E '^[0-9]{20}\.' | awk -v last="${last%.json}" 'substr($0, 1, 20) <= last' |
    (cd "$log" && xargs cp -p -t "$to/$log")
done

for table in {events,curated,analysis,datasets}/*/; do
  [ -d "$to/$table" ] || continue
  # A compaction that lost its race deletes its own file, which no log names: what
  # the copy lacks is for verify to say.
  find "$table" -maxdepth 1 -type f -print0 | xargs -0 -r cp -p -t "$to/$table" ||
    echo "backup: not all files of $table could be copied" >&2
done

for beside in weir.json retention.yaml _retention _erased; do
  [ ! -e "$beside" ] || cp -pR "$beside" "$to/"
done
flock -u 9

"$weir" lake publish --lake "$to"
"$weir" lake verify --lake "$to"
