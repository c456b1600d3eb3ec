package ingest

import (
	"reflect"
	"testing"

	"github.com/weir-lake/weir/lake"
)

func TestHeld(t *testing.T) {
	lk := newLake(t)
	conn := keep(connect(t, lk))
	c := kafkaClient(t, address(conn))
	value := encoded(t, message("s", 1))
	put(t, c, "weir.chat", 1, value, value, value)
	put(t, c, "weir.chat", 2, value, value, value)
	deleteBefore(t, c, "weir.chat", 2, 2)
	at := func(cluster string, partition int, offset int64) lake.Position {
		return lake.Position{Cluster: cluster, Topic: "weir.chat", Partition: partition, Offset: offset}
	}
	own := conn.ClusterID()
	missing, err := conn.Held(t.Context(), []lake.Position{
		at(own, 1, 0), at(own, 1, 3), at(own, 1, 4), at(own, 2, 1), at(own, 2, 2), at("other", 1, 0),
	})
	want := []lake.Position{at(own, 1, 4), at(own, 2, 1), at("other", 1, 0)}
	if err != nil || !reflect.DeepEqual(missing, want) {
		t.Errorf("missing %+v, %v; want %+v", missing, err, want)
	}
}

func TestEnds(t *testing.T) {
	lk := newLake(t)
	conn := keep(connect(t, lk))
	sent := send(t, conn, message("s", 1), message("t", 2))
	ends, err := conn.Ends(t.Context(), "weir.chat", "weir.dataset", "nowhere")
	if err != nil || len(ends) != len(sent) {
		t.Fatalf("ends %+v, sent up to %+v, %v", ends, sent, err)
	}
	if missing, err := Landed(t.Context(), lk, ends); err != nil || len(missing) != len(ends) {
		t.Errorf("before the sink: missing %+v, %v", missing, err)
	}
	drain(t, lk, conn, SinkOptions{})
	if missing, err := Landed(t.Context(), lk, ends); err != nil || len(missing) > 0 {
		t.Errorf("after the sink: missing %+v, %v", missing, err)
	}
}
