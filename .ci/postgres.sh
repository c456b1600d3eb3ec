#!/usr/bin/env bash
# LangGraph's own Postgres checkpointer writes the states of small graphs; weir
# reads them by the database's URL, and must find what LangGraph finds. Reading
# twice adds nothing, and the password is nowhere in the lake.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/venv.sh
bin=$(dirname "$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -1)")
if [ "$bin" = . ]; then
  echo "skipped: no Postgres on this machine (Debian: postgresql)"
  exit 0
fi
go build -o bin/weir ./cmd/weir
dir=$(mktemp -d)
as=() # the server refuses to run as root
if [ "$(id -u)" = 0 ]; then
  as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
  mkdir -p "$dir/db" && chmod 711 "$dir" && chown nobody:nogroup "$dir/db"
fi
server() { "${as[@]}" env HOME="$dir/db" "$bin/pg_ctl" --pgdata "$dir/db/data" --silent "$@"; }
trap 'server stop --mode immediate >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
password="tide-$RANDOM-$RANDOM"
mkdir -p "$dir/db"
echo "$password" > "$dir/db/password"
chmod 644 "$dir/db/password"
port=$("$VENV/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"${as[@]}" env HOME="$dir/db" "$bin/initdb" --pgdata "$dir/db/data" --username weir --pwfile "$dir/db/password" --auth scram-sha-256 --no-sync >/dev/null
server start --log "$dir/db/log" --options "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir/db -c fsync=off"
url="postgres://weir:$password@127.0.0.1:$port/postgres"
"$VENV/bin/python" .ci/langgraph_postgres.py "$url" > "$dir/want"

lake="$dir/lake"
./bin/weir init --lake "$lake" >/dev/null
./bin/weir ingest --lake "$lake" --complete --strict "$url"
rows() { "$VENV/bin/duckdb" -readonly -csv -noheader "$lake/catalog.duckdb" -c "$1"; }
check() { # name, query
  want=$(sed -n "s/^$1 //p" "$dir/want")
  got=$(rows "$2")
  [ "$got" = "$want" ] || { echo "$1: $got, LangGraph says $want"; exit 1; }
  echo "$1: $got"
}
said="select distinct subject, m.event_id as id, m.content as content from (select subject, unnest(messages) as m from events.checkpoints)"
check checkpoints "select count(*) from events.checkpoints"
check interrupted "select count(*) from events.checkpoints where status = 'interrupted'"
check messages "select count(*) from ($said)"
check contents "select md5(string_agg(content, chr(10) order by content)) from ($said)"

./bin/weir ingest --lake "$lake" --complete --quiet --strict "$url" >/dev/null
./bin/weir transform --lake "$lake" --quiet >/dev/null
check checkpoints "select count(*) from curated.checkpoints"
[ "$(rows "select count(*) from events.dead_letters")" = 0 ]
if grep -rqF -- "$password" "$lake"; then
  echo "the password is in the lake"
  exit 1
fi
echo "examples: $(rows "select count(*) from curated.examples"), targets: $(rows "select sum(len([m for m in messages if m.weight = 1])) from curated.examples")"
