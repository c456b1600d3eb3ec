// Package laketest helps tests that need a lake: an empty one, and events in
// it without a Kafka. Start at New and Append.
package laketest

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
)

// Cluster is the cluster id of the events that Append writes.
const Cluster = "laketest"

// Start is the time of the clock of a new lake, and of the first record's append.
var Start = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// New makes a lake in a folder of the test's own. Its clock stands at Start.
func New(t testing.TB) *lake.Lake {
	t.Helper()
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{Clock: func() time.Time { return Start }})
	if err != nil {
		t.Fatal(err)
	}
	return lk
}

// Append adds events to their tables, as a sink that reads partition 0 of
// their topics does: one commit a table, offsets that go on from the last
// call's, each record appended a second after the one before.
func Append(t testing.TB, lk *lake.Lake, events ...lake.Event) {
	t.Helper()
	for _, payload := range lake.Payloads() {
		var rows []lake.Event
		for _, event := range events {
			p, ok := lake.PayloadOf(event.Type)
			if !ok {
				t.Fatalf("append: no event type %q", event.Type)
			}
			if p == payload {
				rows = append(rows, event)
			}
		}
		if len(rows) > 0 {
			appendTo(t, lk, payload, rows)
		}
	}
}

func appendTo(t testing.TB, lk *lake.Lake, payload *lake.Payload, events []lake.Event) {
	t.Helper()
	ctx := t.Context()
	table, err := lk.Table(payload.Table)
	if err != nil {
		t.Fatal(err)
	}
	app := lake.TxnAppID(Cluster, payload.Topic(), 0)
	expect := int64(-1)
	snapshot, err := table.Snapshot(ctx)
	if err == nil {
		expect = snapshot.Txns[app]
	} else if !errors.Is(err, lake.ErrNoTable) {
		t.Fatal(err)
	}
	w, err := lk.NewEventWriter(ctx, payload)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	offset := max(expect, 0)
	for _, event := range events {
		at := lake.RecordPosition{
			Cluster: Cluster, Topic: payload.Topic(), Offset: offset,
			AppendedAt: Start.Add(time.Duration(offset) * time.Second),
		}
		if err := w.Write(event, at); err != nil {
			t.Fatal(err)
		}
		offset++
	}
	file, err := w.Close(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Commit(ctx, lake.Commit{
		Operation: "append", Columns: payload.Columns(), Add: []lake.DataFile{file},
		Txns: []lake.Txn{{AppID: app, Expect: expect, Next: offset}},
	}); err != nil {
		t.Fatal(err)
	}
}
