package review_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/queries"
	"github.com/weir-lake/weir/review"
	"github.com/weir-lake/weir/transforms/transformstest"
)

// appender puts events straight into the lake.
type appender struct {
	t  *testing.T
	lk *lake.Lake
}

func (a appender) Append(_ context.Context, events ...lake.Event) error {
	laketest.Append(a.t, a.lk, events...)
	return nil
}

func (a appender) Flush(context.Context) ([]lake.Position, error) { return nil, nil }

// fleet is a lake with four finished calls, so that three are drawn.
func fleet(t *testing.T) *lake.Lake {
	t.Helper()
	lk := laketest.New(t)
	yes := true
	for i := range 4 {
		id := fmt.Sprintf("station-%d", i)
		laketest.Append(t, lk, lake.Event{
			ID: id, Source: "test://calls", Type: "weir.gateway.call.v1", Subject: id, Time: laketest.Start.Add(time.Duration(i) * time.Minute),
			Data: &lake.GatewayCall{
				ConversationID: id, ResponseID: id, Model: "m", Status: "success", IsFinal: &yes,
				Messages: []lake.Message{{Role: "user", Content: fmt.Sprintf("What is the level at gauge number %d?", i)}},
				Output:   []lake.Message{{Role: "assistant", Content: fmt.Sprintf("It is %d metres.", i)}},
			},
		})
	}
	transformstest.Build(t, lk)
	return lk
}

func open(t *testing.T, lk *lake.Lake, clock func() time.Time, overlap float64) *review.Queue {
	t.Helper()
	q, err := review.Open(t.Context(), lk, appender{t, lk}, review.QueueOptions{Overlap: overlap, Clock: clock, Session: duck.Options{Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func next(t *testing.T, q *review.Queue, reviewer string) review.Item {
	t.Helper()
	item, err := q.Next(t.Context(), reviewer)
	if err != nil {
		t.Fatal(err)
	}
	return item
}

func count(t *testing.T, lk *lake.Lake, query string) int {
	t.Helper()
	session, _, err := duck.OpenLake(t.Context(), lk, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	var n int
	if err := session.Get(t.Context(), query, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func decision(item review.Item, reviewer, verdict string) review.Decision {
	return review.Decision{ExampleID: item.ExampleID, ContentHash: item.ContentHash, Reviewer: reviewer, Verdict: verdict}
}

// One reviewer an item: two people and two processes never get the same, until
// a reservation lapses.
func TestReservations(t *testing.T) {
	lk := fleet(t)
	now := laketest.Start.Add(time.Hour)
	clock := func() time.Time { return now }
	first, second := open(t, lk, clock, 0), open(t, lk, clock, 0)
	a, b := next(t, first, "ann"), next(t, second, "bob")
	if a.ExampleID == b.ExampleID {
		t.Error("both got one item")
	}
	if again := next(t, second, "ann"); again.ExampleID != a.ExampleID {
		t.Error("who comes back does not get the item that they hold")
	}
	if err := first.Decide(t.Context(), decision(a, "ann", "accept")); err != nil {
		t.Fatal(err)
	}
	c := next(t, first, "ann")
	if c.ExampleID == a.ExampleID || c.ExampleID == b.ExampleID {
		t.Error("an item that is decided or held was handed out")
	}
	if _, err := second.Next(t.Context(), "cy"); !errors.Is(err, review.ErrEmpty) {
		t.Errorf("everything is held: error %v", err)
	}
	now = now.Add(review.DefaultHold)
	if got := next(t, second, "cy"); got.ExampleID != b.ExampleID {
		t.Error("a lapsed item is not handed out")
	}
	if err := first.Decide(t.Context(), review.Decision{ExampleID: c.ExampleID, ContentHash: "old", Reviewer: "ann", Verdict: "accept"}); !errors.Is(err, review.ErrStale) {
		t.Errorf("stale: error %v", err)
	}
}

// Two blind reviewers, an edit that is undone, and what the tables make of it.
func TestDecideAndUndo(t *testing.T) {
	lk := fleet(t)
	clock := func() time.Time { return laketest.Start.Add(time.Hour) } // stands still: the order must hold all the same
	q := open(t, lk, clock, 1)
	ann, bob := next(t, q, "ann"), next(t, q, "bob")
	if ann.ExampleID != bob.ExampleID {
		t.Error("an item for two reviewers went to one")
	}
	if _, err := q.Undo(t.Context(), "ann"); !errors.Is(err, review.ErrNothingToUndo) {
		t.Errorf("nothing to undo: error %v", err)
	}
	edit := decision(ann, "ann", "edit")
	edit.EditedMessages = append(ann.Messages[:1:1], lake.Message{Role: "assistant", Content: "I cannot see that gauge."})
	for _, d := range []review.Decision{edit, decision(bob, "bob", "reject")} {
		if err := q.Decide(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	transformstest.Build(t, lk)
	children := "select count(*) from curated.examples where source = 'generated'"
	excluded := "select count(*) from curated.funnel where reason = 'review_reject'"
	if n := count(t, lk, children); n != 1 {
		t.Errorf("%d edited children, want 1", n)
	}
	if n := count(t, lk, excluded); n != 1 {
		t.Errorf("%d rejected examples, want 1", n)
	}
	if n := count(t, lk, "select count(*) from curated.preference_pairs where basis = 'edit'"); n != 1 {
		t.Errorf("%d preference pairs, want 1", n)
	}
	if n := count(t, lk, "select count(*) from curated.review_sample where example_id = '"+ann.ExampleID+"'"); n != 1 {
		t.Error("the rejected example has left the sample")
	}
	back, err := q.Undo(t.Context(), "ann")
	if err != nil || back.ExampleID != ann.ExampleID || next(t, q, "ann").ExampleID != ann.ExampleID {
		t.Errorf("undo gave %q, error %v", back.ExampleID, err)
	}
	if err := q.Decide(t.Context(), decision(back, "ann", "accept")); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Undo(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	transformstest.Build(t, lk)
	if n := count(t, lk, children); n != 0 {
		t.Errorf("%d children of an edit that was undone", n)
	}
	if n := count(t, lk, excluded); n != 0 {
		t.Errorf("%d rejected examples, want 0", n)
	}
	source, err := review.OpenSource(t.Context(), lk, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	status, err := source.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(status.Reviewers) != 1 || status.Reviewers[0].Verdicts["accept"] != 1 {
		t.Errorf("reviewers %+v", status.Reviewers)
	}
	if e := status.Estimates[0]; e.Part != "all" || e.Set != 4 || e.Reviewed != 1 || *e.Rate != 0 {
		t.Errorf("estimate %+v", e)
	}
}

// What rules exclude is asked about in a queue of its own, and the decisions
// say how often each rule was right.
func TestAuditQueue(t *testing.T) {
	lk := laketest.New(t)
	yes := true
	answers := []string{"It is two metres.", strings.Repeat("It is low. ", 5), strings.Repeat("It stands high. ", 5), strings.Repeat("All is calm. ", 5)}
	for i, answer := range answers {
		id := fmt.Sprintf("station-%d", i)
		laketest.Append(t, lk, lake.Event{
			ID: id, Source: "test://calls", Type: "weir.gateway.call.v1", Subject: id, Time: laketest.Start.Add(time.Duration(i) * time.Minute),
			Data: &lake.GatewayCall{
				ConversationID: id, ResponseID: id, Model: "m", Status: "success", IsFinal: &yes,
				Messages: []lake.Message{{Role: "user", Content: fmt.Sprintf("What is the level at gauge number %d?", i)}},
				Output:   []lake.Message{{Role: "assistant", Content: answer}},
			},
		})
	}
	transformstest.Build(t, lk)
	q, err := review.Open(t.Context(), lk, appender{t, lk}, review.QueueOptions{
		Name: review.AuditQueue, Clock: func() time.Time { return laketest.Start.Add(time.Hour) }, Session: duck.Options{Threads: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, verdict := range []string{"reject", "accept", "reject"} {
		item := next(t, q, "ann")
		if item.Queue != "audit" || item.Stratum != "repetition/gateway" {
			t.Errorf("item %+v", item)
		}
		if err := q.Decide(t.Context(), decision(item, "ann", verdict)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Next(t.Context(), "ann"); !errors.Is(err, review.ErrEmpty) {
		t.Errorf("error %v, want an empty queue", err)
	}
	transformstest.Build(t, lk)
	// Two of three, and Wilson's interval, by hand: (2 + 1.92 ± 1.96 √(2·1/3 + 0.96)) / (3 + 3.84).
	i := slices.IndexFunc(queries.All(), func(q queries.Query) bool { return q.Name == "rule_precision" })
	const want = " where rule = 'repetition' and excluded = 3 and reviewed = 3 and agreed = 2 and precision = 0.667 and low = 0.208 and high = 0.939"
	if n := count(t, lk, "select count(*) from ("+strings.TrimSuffix(strings.TrimSpace(queries.All()[i].SQL), ";")+")"+want); n != 1 {
		t.Errorf("%d rules with two of three right", n)
	}
	if n := count(t, lk, "select count(*) from curated.reviews where queue = 'audit'"); n != 3 {
		t.Errorf("%d decisions of the audit, want 3", n)
	}
	if _, err := review.Open(t.Context(), lk, appender{t, lk}, review.QueueOptions{Name: "other"}); err == nil {
		t.Error("a queue that is not there opens")
	}
}
