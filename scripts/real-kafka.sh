#!/usr/bin/env bash
# A real Apache Kafka broker on this machine, without Docker: one node in KRaft
# mode on loopback, its jars from Maven Central. Needs Java 17 and mvn.
#
#   scripts/real-kafka.sh start DIR    prints the bootstrap address on stdout
#   scripts/real-kafka.sh stop DIR
#
# DIR keeps data, logs and jars; starting again goes on with the same cluster.
# KAFKA_VERSION takes another version than that of scripts/kafka/pom.xml, and
# KAFKA_LIBS a folder of jars to share between DIRs.
set -euo pipefail

usage() {
    echo "usage: $0 start|stop DIR" >&2
    exit 2
}
[ $# -eq 2 ] || usage
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
dir=$(cd "$2" && pwd)
libs=${KAFKA_LIBS:-$dir/libs}
pidfile=$dir/pid
config=$dir/server.properties

running() {
    [ -f "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

bootstrap() {
    sed -n 's/^advertised.listeners=PLAINTEXT:\/\/\([^,]*\).*/\1/p' "$config"
}

# An array, not a function: of a function in the background $! is the shell.
java=(java -Xms256m -Xmx512m -cp "$libs/*" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true)

start() {
    if running; then
        bootstrap
        return
    fi
    if ! ls "$libs"/kafka_*.jar >/dev/null 2>&1; then
        mvn -q -B -f "$here/kafka/pom.xml" ${KAFKA_VERSION:+-Dkafka.version=$KAFKA_VERSION} \
            dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs" >&2
    fi
    if [ ! -f "$config" ]; then
        local client controller
        client=$(free_port)
        controller=$(free_port)
        cat >"$config.new" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$client,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$client
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data
auto.create.topics.enable=false
num.partitions=4
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES
        local id
        id=$("${java[@]}" kafka.tools.StorageTool random-uuid 2>/dev/null)
        "${java[@]}" kafka.tools.StorageTool format --config "$config.new" --cluster-id "$id" >"$dir/format.log" 2>&1 || {
            cat "$dir/format.log" >&2
            exit 1
        }
        mv "$config.new" "$config"
    fi
    nohup "${java[@]}" kafka.Kafka "$config" >>"$dir/broker.log" 2>&1 </dev/null &
    echo $! >"$pidfile"
    disown
    local address host port
    address=$(bootstrap)
    host=${address%:*}
    port=${address##*:}
    for _ in $(seq 120); do
        if ! running; then
            echo "$0: the broker ended; its log is $dir/broker.log" >&2
            tail -n 20 "$dir/broker.log" >&2
            exit 1
        fi
        if (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null; then
            echo "$address"
            return
        fi
        sleep 0.5
    done
    echo "$0: no broker at $address after a minute; its log is $dir/broker.log" >&2
    exit 1
}

stop() {
    running || return 0
    local pid
    pid=$(cat "$pidfile")
    kill "$pid"
    for _ in $(seq 60); do
        kill -0 "$pid" 2>/dev/null || { rm -f "$pidfile"; return 0; }
        sleep 0.5
    done
    echo "$0: process $pid does not end" >&2
    exit 1
}

case $1 in
start) start ;;
stop) stop ;;
*) usage ;;
esac
