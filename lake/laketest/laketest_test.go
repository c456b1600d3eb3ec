package laketest

import (
	"testing"

	"github.com/weir-lake/weir/lake"
)

func TestAppendGoesOnFromTheLastCall(t *testing.T) {
	lk := New(t)
	doc := func(id string) lake.Event {
		return lake.Event{ID: id, Source: "test://", Type: "weir.document.added.v1", Subject: "s", Time: Start, Data: &lake.Document{Text: id}}
	}
	Append(t, lk, doc("a"), doc("b"))
	Append(t, lk, doc("c"), lake.Event{
		ID: "d", Source: "test://", Type: "weir.outcome.recorded.v1", Subject: "s", Time: Start, Data: &lake.Outcome{Value: "success"},
	})
	table, err := lk.Table("events.documents")
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if snapshot.Version != 1 || len(snapshot.Files) != 2 || snapshot.Txns[lake.TxnAppID(Cluster, "weir.document", 0)] != 3 {
		t.Errorf("snapshot %+v", snapshot)
	}
	tables, err := lk.Tables(t.Context(), "events")
	if err != nil || len(tables) != 2 || tables[0] != "events.documents" || tables[1] != "events.outcomes" {
		t.Errorf("tables %v, %v", tables, err)
	}
}
