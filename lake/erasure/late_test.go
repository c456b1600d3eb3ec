package erasure_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/erasure"
	"github.com/weir-lake/weir/lake/laketest"
)

// options record what a run leaves behind, as cmd does through Kafka.
func options(t *testing.T, lk *lake.Lake) erasure.Options {
	return erasure.Options{
		Session: duck.Options{Threads: 1},
		Record: func(_ context.Context, events []lake.Event) error {
			laketest.Append(t, lk, events...)
			return nil
		},
	}
}

func apply(t *testing.T, lk *lake.Lake, opts erasure.Options) erasure.Report {
	t.Helper()
	report, err := erasure.Apply(t.Context(), lk, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// What is said of the erased when all of theirs is gone is theirs as well, and so
// is what follows from it: only hashes tell.
func TestLate(t *testing.T) {
	t.Parallel()
	lk := world(t)
	ask(t, lk, "subject", erased)
	opts := options(t, lk)
	apply(t, lk, opts)
	const quote = "the judge quotes what she said of her zither, word by word"
	laketest.Append(t, lk,
		event("judgement-0002", "weir.judgement.scored.v1", "judge-0000-0002", &lake.Judgement{TargetKind: "message", TargetID: "event-0000-a2", Rubric: "r", Reasons: quote}),
		event("judgement-0003", "weir.judgement.scored.v1", "judge-0000-0003", &lake.Judgement{TargetKind: "message", TargetID: "event-0000-b1", Rubric: "r"}),
		event("generated-0004", "weir.example.generated.v1", "root-0000-0004", &lake.GeneratedExample{ParentIDs: []string{"generated-0002"}, Method: "paraphrase"}),
		event("feedback-0001", "weir.feedback.given.v1", "feedback-0000-0001", &lake.Feedback{UnitKind: "conversation", UnitID: erased, Kind: "comment", Comment: quote}),
		event("review-0002", "weir.review.decided.v1", "review-0000-0002", &lake.Review{ExampleID: "generated-0004", Verdict: "accept", Note: quote}),
		event("event-0000-a1", "weir.checkpoint.saved.v1", "another-parser-files-it-here", &lake.Checkpoint{Summary: words}),
		event("members-0002", "weir.dataset.members.v1", "dataset:d", &lake.DatasetMembers{Dataset: "d", Version: "2", Members: []lake.DatasetMember{
			{ExampleID: "generated-0001", SubjectID: "root-0000-0009", Side: "train"}, {ExampleID: "example-0000-x1", SubjectID: erased, Side: "train"}, {ExampleID: "example-0000-x2", SubjectID: kept, Side: "train"}}}),
	)
	opts.IfNeeded = true
	report := apply(t, lk, opts)
	for table, want := range map[string]string{
		"events.judgements":         "judgement-0003",
		"events.generated_examples": "generated-0003",
		"events.feedback":           "",
		"events.reviews":            "",
		"events.checkpoints":        "",
	} {
		if got := ids(t, lk, table); got != want {
			t.Errorf("%s: %q, want %q", table, got, want)
		}
	}
	if len(report.Datasets) != 1 || report.Datasets[0] != (erasure.DatasetHeld{Dataset: "d", Version: "2", Members: 2}) {
		t.Errorf("datasets %+v", report.Datasets)
	}
	if left := found(t, lk, erased, words, quote, "event-0000-a2", "generated-0004"); len(left) > 0 {
		t.Errorf("found %+v", left)
	}
	// What came late leaves its ids behind as well.
	laketest.Append(t, lk, event("review-0003", "weir.review.decided.v1", "review-0000-0003", &lake.Review{ExampleID: "generated-0004", Verdict: "reject"}))
	apply(t, lk, opts)
	if got := ids(t, lk, "events.reviews"); got != "" {
		t.Errorf("reviews %q", got)
	}
	if again := apply(t, lk, opts); again.Purged > 0 || len(again.Tables) > 0 {
		t.Errorf("again: %+v", again)
	}
}

// An outcome of a conversation goes with a person only where nobody else is in
// it; what the person said or signed goes everywhere.
func TestSharedConversations(t *testing.T) {
	t.Parallel()
	const shared, alone = "conversation-of-both", "conversation-with-an-agent"
	lk := laketest.New(t)
	about := func(id, target string, persons ...string) lake.Event {
		return event(id, "weir.outcome.recorded.v1", target, &lake.Outcome{Persons: lake.Persons{PersonIDs: persons}, TargetKind: "conversation", TargetID: target, Value: "success"})
	}
	laketest.Append(t, lk,
		message("event-0000-s1", shared, "what Dora says in company", "dora@example.com"),
		message("event-0000-s2", shared, "what Emil answers", "emil@example.com"),
		message("event-0000-l1", alone, "what Dora asks of the agent", "dora@example.com"),
		message("event-0000-l2", alone, "what it says"),
		about("outcome-0001", shared), about("outcome-0002", shared, "dora@example.com"), about("outcome-0003", alone), about("outcome-0004", "event-0000-s1"),
		event("feedback-0001", "weir.feedback.given.v1", shared, &lake.Feedback{UnitKind: "conversation", UnitID: shared, Kind: "thumb", Author: "dora@example.com"}),
		event("feedback-0002", "weir.feedback.given.v1", shared, &lake.Feedback{UnitKind: "conversation", UnitID: shared, Kind: "thumb", Author: "emil@example.com"}),
		event("review-0001", "weir.review.decided.v1", "review-0000-0001", &lake.Review{ExampleID: "example-0000-x1", Reviewer: "dora@example.com", Verdict: "accept"}),
		event("review-0002", "weir.review.decided.v1", "review-0000-0002", &lake.Review{ExampleID: "example-0000-x1", Reviewer: "emil@example.com", Verdict: "accept"}),
		event("assigned-0001", "weir.experiment.assigned.v1", "person-unit", &lake.Assignment{Experiment: "e", UnitKind: "person", UnitID: "dora@example.com", Arm: "a"}),
		event("assigned-0002", "weir.experiment.assigned.v1", "person-unit", &lake.Assignment{Experiment: "e", UnitKind: "person", UnitID: "emil@example.com", Arm: "a"}),
	)
	ask(t, lk, "person", "dora@example.com")
	report := apply(t, lk, options(t, lk))
	for table, want := range map[string]string{
		"events.chat_messages": "event-0000-l2 event-0000-s2",
		"events.outcomes":      "outcome-0001",
		"events.feedback":      "feedback-0002",
		"events.reviews":       "review-0002",
		"events.assignments":   "assigned-0002",
	} {
		if got := ids(t, lk, table); got != want {
			t.Errorf("%s: %q, want %q", table, got, want)
		}
	}
	// What is left of the conversations has kept its names.
	if left := found(t, lk, "dora@example.com"); len(left) > 0 {
		t.Errorf("found %+v", left)
	}
	if want := (erasure.Records{Cluster: laketest.Cluster, Topic: "weir.chat", Partition: 0, From: 0, To: 0}); len(report.Records) != 6 || report.Records[0] != want {
		t.Errorf("records %+v", report.Records)
	}
}

// What was the erased one's alone may be others' later: then what is said of it is
// theirs.
func TestAChannelLivesOn(t *testing.T) {
	t.Parallel()
	const channel = "channel-number-0001"
	lk := laketest.New(t)
	about := func(id string) lake.Event {
		return event(id, "weir.outcome.recorded.v1", "outcomes", &lake.Outcome{TargetKind: "conversation", TargetID: channel, Value: "success"})
	}
	laketest.Append(t, lk, message("event-0000-d1", channel, "hers", "dora@example.com"))
	ask(t, lk, "person", "dora@example.com")
	opts := options(t, lk)
	apply(t, lk, opts)
	laketest.Append(t, lk, about("outcome-0001"))
	apply(t, lk, opts)
	if got := ids(t, lk, "events.outcomes"); got != "" {
		t.Errorf("of an empty channel: %q", got)
	}
	laketest.Append(t, lk, message("event-0000-e1", channel, "his", "emil@example.com"), about("outcome-0002"))
	apply(t, lk, opts)
	if got := ids(t, lk, "events.outcomes"); got != "outcome-0002" {
		t.Errorf("of a channel with others: %q", got)
	}
	if left := found(t, lk); len(left) > 0 {
		t.Errorf("found %+v", left)
	}
}

// A name that stands only in what nobody understood is known to the run that
// goes on for one that was killed at once.
func TestNamesOutliveTheRun(t *testing.T) {
	t.Parallel()
	lk := laketest.New(t)
	laketest.Append(t, lk,
		message("event-0000-b1", kept, "nothing of hers"),
		event("letter-0001", "weir.deadletter.record.v1", "letter-0000-0001", &lake.DeadLetter{Stage: "ingest", Reason: "truncated", Body: `{"user":"florentine@example.com","content":"half a sen`}),
		event("letter-0002", "weir.deadletter.record.v1", "letter-0000-0002", &lake.DeadLetter{Stage: "ingest", Reason: "truncated", Body: `{"user":"gustav@example.com"`}),
	)
	if err := erasure.Remember(t.Context(), lk, "florentine@example.com", "gustav@example.com"); err != nil {
		t.Fatal(err)
	}
	ask(t, lk, "person", "florentine@example.com") // nobody asked for Gustav
	apply(t, lk, options(t, lk))
	if got := ids(t, lk, "events.dead_letters"); got != "letter-0002" {
		t.Errorf("letters %q", got)
	}
	if left := found(t, lk); len(left) > 0 {
		t.Errorf("found %+v", left)
	}
	if _, err := os.Stat(filepath.Join(lk.Dir(), "_erased", "plan.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the plan is still there: %v", err)
	}
}

// An event that was filed where nobody looks, and holds an id of the erased, does
// not make a scan pass over the words that they share.
func TestAMissIsNoExcuse(t *testing.T) {
	t.Parallel()
	lk := world(t)
	laketest.Append(t, lk, event("document-0001", "weir.document.added.v1", "document-0000-0001", &lake.Document{Kind: "essay", Text: words + ", says event-0000-a1"}))
	ask(t, lk, "subject", erased)
	apply(t, lk, options(t, lk))
	files := map[string]bool{}
	for _, finding := range found(t, lk) {
		files[filepath.Dir(finding.File)] = true
	}
	if !files["events/documents"] {
		t.Errorf("found %v", files)
	}
}

// What a rebuild has moved away is read by a scan and deleted by an erasure.
func TestBrokenTablesAreReached(t *testing.T) {
	t.Parallel()
	lk := world(t)
	aside := filepath.Join(lk.Dir(), "_broken", "events.chat_messages-20260105T080000.000000Z")
	if err := os.MkdirAll(aside, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(aside, os.DirFS(filepath.Join(lk.Dir(), "events", "chat_messages"))); err != nil {
		t.Fatal(err)
	}
	isBroken := func(findings []erasure.Finding) bool {
		for _, f := range findings {
			if len(f.File) > 8 && f.File[:8] == "_broken/" {
				return true
			}
		}
		return false
	}
	if !isBroken(found(t, lk, erased)) {
		t.Error("a scan did not look into _broken")
	}
	ask(t, lk, "subject", erased)
	apply(t, lk, options(t, lk))
	if left := found(t, lk, erased); len(left) > 0 {
		t.Errorf("found %+v", left)
	}
}
