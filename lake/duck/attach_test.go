package duck_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

func TestOpenLakeShowsTablesAndEmptyOnes(t *testing.T) {
	ctx := context.Background()
	lk := laketest.New(t)
	laketest.Append(t, lk, lake.Event{
		ID: "a", Source: "test://", Type: "weir.document.added.v1", Subject: "d1",
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Data: &lake.Document{Kind: "rules", Text: "Say what you did."},
	})
	session, versions, err := duck.OpenLake(ctx, lk, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if versions["events.documents"] != 0 || len(versions) != 1 {
		t.Errorf("versions %v, want events.documents at 0 alone", versions)
	}
	result, err := session.Text(ctx, "select text, time from events.documents union all select content, time from events.chat_messages -- both", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Rows) != 1 || result.Rows[0][0].String != "Say what you did." || result.Rows[0][1].String != "2026-01-02 03:04:05+00" {
		t.Errorf("rows %v", result.Rows)
	}
}

// Events that an older weir wrote lack columns: they read as null.
func TestOpenLakeReadsOlderEvents(t *testing.T) {
	ctx := t.Context()
	lk := laketest.New(t)
	payload, _ := lake.PayloadOf("weir.document.added.v1")
	w, err := lk.NewEventWriter(ctx, payload)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	event := lake.Event{ID: "a", Source: "test://", Type: payload.Type, Subject: "d1", Time: laketest.Start, Data: &lake.Document{Kind: "rules"}}
	if err := w.Write(event, lake.RecordPosition{Cluster: laketest.Cluster, Topic: payload.Topic(), AppendedAt: laketest.Start}); err != nil {
		t.Fatal(err)
	}
	file, err := w.Close(ctx)
	if err != nil {
		t.Fatal(err)
	}
	table, err := lk.Table(payload.Table)
	if err != nil {
		t.Fatal(err)
	}
	older := slices.DeleteFunc(payload.Columns(), func(c lake.Column) bool { return c.Name == "media_type" })
	if _, err := table.Commit(ctx, lake.Commit{Operation: "append", Columns: older, Add: []lake.DataFile{file}}); err != nil {
		t.Fatal(err)
	}
	session, _, err := duck.OpenLake(ctx, lk, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if got, err := session.Strings(ctx, "select kind || coalesce(media_type, ' of no type') from events.documents"); err != nil || len(got) != 1 || got[0] != "rules of no type" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTextSaysThatThereIsMore(t *testing.T) {
	ctx := context.Background()
	session, err := duck.Open(ctx, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	result, err := session.Text(ctx, "select range as n, nullif(range, 1) as m from range(3)", 2)
	if err != nil {
		t.Fatal(err)
	}
	if !result.More || len(result.Rows) != 2 || result.Rows[1][1].Valid {
		t.Errorf("%+v, want two rows of three, the last with a null", result)
	}
	if _, err := session.Text(ctx, "select nothing from nowhere", 2); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("error %v, want one that names the table", err)
	}
}
