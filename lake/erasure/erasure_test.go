package erasure_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/erasure"
	"github.com/weir-lake/weir/lake/laketest"
)

const (
	erased = "conversation-of-adelheid"
	kept   = "conversation-of-berthold"
	words  = "the zither in the attic belongs to Adelheid alone"
	common = "both were told the very same sentence on that day"
)

func event(id, kind, subject string, data any) lake.Event {
	return lake.Event{ID: id, Source: "test://here", Type: kind, Subject: subject, Time: laketest.Start, Data: data}
}

func message(id, subject, content string, persons ...string) lake.Event {
	return event(id, "weir.chat.message.v1", subject, &lake.ChatMessage{
		Persons: lake.Persons{PersonIDs: persons}, ConversationID: subject, Kind: lake.KindPrompt, Role: "user", Content: content, OrderedAt: laketest.Start,
	})
}

// world is a lake in which much depends on the erased subject.
func world(t *testing.T) *lake.Lake {
	t.Helper()
	lk := laketest.New(t)
	laketest.Append(t, lk,
		message("event-0000-a1", erased, words),
		message("event-0000-a2", erased, common),
		message("event-0000-b1", kept, common),
		message("event-0000-b2", kept, "the ferry leaves at nine from the lower landing", "person-of-carlotta"),
		message("event-0000-b3", kept, "nobody in particular said this long sentence"),
		// A copy of hers under another subject, as another parser has it.
		event("event-0000-a1", "weir.gateway.call.v1", "request-0000-0001", &lake.GatewayCall{RequestID: "request-0000-0001", Messages: []lake.Message{{Role: "user", Content: words}}}),
		// What depends on hers, by several steps.
		event("generated-0001", "weir.example.generated.v1", "root-0000-0001", &lake.GeneratedExample{ParentIDs: []string{"event-0000-a1"}, Method: "paraphrase", Messages: []lake.Message{{Role: "user", Content: "an attic holds a zither that only she may play"}}}),
		event("generated-0002", "weir.example.generated.v1", "root-0000-0002", &lake.GeneratedExample{ParentIDs: []string{"generated-0001"}, Method: "paraphrase"}),
		event("generated-0003", "weir.example.generated.v1", kept, &lake.GeneratedExample{ParentIDs: []string{"event-0000-b1"}, Method: "paraphrase"}),
		// What her words seeded as a document.
		event("generated-0004", "weir.example.generated.v1", "behaviour-0000-0004", &lake.GeneratedExample{DocumentIDs: []string{"event-0000-a2"}, Method: "behaviour"}),
		event("judgement-0001", "weir.judgement.scored.v1", "judge-0000-0001", &lake.Judgement{TargetKind: "call", TargetID: "request-0000-0001", Rubric: "r"}),
		event("review-0001", "weir.review.decided.v1", "review-0000-0001", &lake.Review{ExampleID: "generated-0002", Verdict: "accept"}),
		event("outcome-0001", "weir.outcome.recorded.v1", "outcome-0000-0001", &lake.Outcome{TargetKind: "conversation", TargetID: erased, Value: "success"}),
		event("outcome-0002", "weir.outcome.recorded.v1", "outcome-0000-0002", &lake.Outcome{TargetKind: "conversation", TargetID: kept, Value: "success"}),
		event("members-0001", "weir.dataset.members.v1", "dataset:d", &lake.DatasetMembers{Dataset: "d", Version: "1", Members: []lake.DatasetMember{
			{ExampleID: "example-0000-x1", SubjectID: erased, Side: "train"}, {ExampleID: "example-0000-x2", SubjectID: kept, Side: "train"}}}),
		event("run-0001", "weir.training.state.v1", "run-0000-0001", &lake.TrainingRun{RunID: "run-0000-0001", Dataset: "d", DatasetVersion: "1"}),
		event("letter-0001", "weir.deadletter.record.v1", "letter-0000-0001", &lake.DeadLetter{Stage: "ingest", Reason: "truncated", Body: `{"conversation":"` + erased + `","content":"and the last`}),
		event("letter-0002", "weir.deadletter.record.v1", "letter-0000-0002", &lake.DeadLetter{Stage: "ingest", Reason: "truncated", Body: `{"conversation":"` + kept + `"`}),
	)
	return lk
}

func ask(t *testing.T, lk *lake.Lake, kind, id string) {
	t.Helper()
	hash := lake.KeyedHash(lk.ErasureKey(), kind, id)
	laketest.Append(t, lk, event("request-of-"+hash[:8], "weir.erasure.requested.v1", hash, &lake.Erasure{RequestID: "r-" + hash[:8], Kind: kind, KeyedHash: hash, Reason: "test"}))
}

// ids are those of a table's rows, in order.
func ids(t *testing.T, lk *lake.Lake, table string) string {
	t.Helper()
	session, _, err := duck.OpenLake(t.Context(), lk, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	list, err := session.Strings(t.Context(), "select id from "+table+" order by id")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func found(t *testing.T, lk *lake.Lake, names ...string) []erasure.Finding {
	t.Helper()
	report, err := erasure.Scan(t.Context(), lk, names, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report.Findings
}

func checkForgotten(t *testing.T, lk *lake.Lake) {
	t.Helper()
	for table, want := range map[string]string{
		"events.chat_messages":      "event-0000-b1 event-0000-b2 event-0000-b3",
		"events.gateway_calls":      "",
		"events.generated_examples": "generated-0003",
		"events.judgements":         "",
		"events.reviews":            "",
		"events.outcomes":           "outcome-0002",
		"events.dataset_members":    "members-0001",
		"events.dead_letters":       "letter-0002",
		"events.training_runs":      "run-0001",
	} {
		if got := ids(t, lk, table); got != want {
			t.Errorf("%s: %q, want %q", table, got, want)
		}
	}
	if left := found(t, lk, erased, words); len(left) > 0 {
		t.Errorf("found %+v", left)
	}
}

func TestApply(t *testing.T) {
	lk := world(t)
	if err := catalog.Publish(t.Context(), lk, catalog.Options{}); err != nil {
		t.Fatal(err)
	}
	if before := found(t, lk, erased, words); len(before) < 8 {
		t.Errorf("before: found %+v", before)
	}
	ask(t, lk, "subject", erased)
	report, err := erasure.Apply(t.Context(), lk, erasure.Options{Names: []string{erased}})
	if err != nil {
		t.Fatal(err)
	}
	checkForgotten(t, lk)
	if want := []erasure.DatasetHeld{{Dataset: "d", Version: "1", Members: 1}}; !slices.Equal(report.Datasets, want) || !slices.Equal(report.Runs, []string{"run-0000-0001"}) {
		t.Errorf("datasets %+v, runs %v", report.Datasets, report.Runs)
	}
	if want := []erasure.Shared{
		{Table: "events.chat_messages", Pieces: 3, EventID: "event-0000-b1"},
		{Table: "events.dead_letters", Pieces: 1, EventID: "letter-0002"},
	}; !slices.Equal(report.Shared, want) || report.Prints == 0 {
		t.Errorf("shared %+v, prints %d", report.Shared, report.Prints)
	}
	// The words that both were told are still his.
	if left := found(t, lk, common); len(left) == 0 {
		t.Error("what others said as well is gone")
	}
	audit, err := lk.Audit(t.Context(), lake.AuditOptions{})
	if err != nil || len(audit.Problems) > 0 {
		t.Errorf("audit: %+v, %v", audit.Problems, err)
	}
	for _, opts := range []erasure.Options{{}, {IfNeeded: true, Derive: func(context.Context) error { t.Error("derived where nothing was needed"); return nil }}} {
		again, err := erasure.Apply(t.Context(), lk, opts)
		if err != nil || len(again.Tables) > 0 || again.Purged > 0 {
			t.Errorf("again: %+v, %v", again, err)
		}
	}
	table, err := lk.Table("events.chat_messages")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Restore(t.Context(), 0, lake.RestoreOptions{}); err == nil {
		t.Error("the first version came back")
	}
}

func TestApplyPerson(t *testing.T) {
	lk := world(t)
	ask(t, lk, "person", "person-of-carlotta")
	if _, err := erasure.Apply(t.Context(), lk, erasure.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, lk, "events.chat_messages"); got != "event-0000-a1 event-0000-a2 event-0000-b1 event-0000-b3" {
		t.Error(got)
	}
	if left := found(t, lk, "person-of-carlotta"); len(left) > 0 {
		t.Errorf("found %+v", left)
	}
}

// A run that ends anywhere is finished by the next one, and what arrives
// meanwhile goes as well.
func TestInterrupted(t *testing.T) {
	for _, where := range []struct {
		step string
		n    int
	}{{"erase.before-rewrite", 1}, {"erase.after-table", 1}, {"erase.after-table", 3}, {"erase.after-events", 1}, {"erase.after-derive", 1}} {
		t.Run(fmt.Sprintf("%s/%d", where.step, where.n), func(t *testing.T) {
			t.Parallel()
			lk := world(t)
			ask(t, lk, "subject", erased)
			ctx, cancel := context.WithCancel(t.Context())
			reached := 0
			_, err := erasure.Apply(ctx, lk, erasure.Options{Session: duck.Options{Threads: 1}, Fault: func(at string) {
				if at == where.step {
					if reached++; reached == where.n {
						cancel()
					}
				}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("stopped: %v", err)
			}
			laketest.Append(t, lk, message("event-0000-a9", erased, "this sentence of hers arrived too late for the first run"))
			if _, err := erasure.Apply(t.Context(), lk, erasure.Options{Session: duck.Options{Threads: 1}}); err != nil {
				t.Fatal(err)
			}
			checkForgotten(t, lk)
		})
	}
}
