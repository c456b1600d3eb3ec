package dataset_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/dataset"
	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/erasure"
	"github.com/weir-lake/weir/lake/frozen"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms/transformstest"
)

var oneThread = duck.Options{Threads: 1}

// call is a finished call of a ticket of its own, with words of its own.
func call(i int) lake.Event {
	final := true
	subject := fmt.Sprintf("ticket-of-the-ferry-%03d", i)
	return lake.Event{
		ID: lake.StableID("test", subject), Source: "test://gateway", Type: "weir.gateway.call.v1", Subject: subject,
		Time: laketest.Start.Add(-48*time.Hour + time.Duration(i)*time.Minute),
		Data: &lake.GatewayCall{
			RequestID: subject, ResponseID: "reply-" + subject, Status: "success", IsFinal: &final, Model: "gpt-4.1", Agent: "desk",
			Messages: []lake.Message{{Role: "user", Content: fmt.Sprintf("Where does the ferry number %d berth tonight?", i)}},
			Output:   []lake.Message{{Role: "assistant", Content: fmt.Sprintf("Ferry %d berths at pier %d, from nine o'clock on.", i, i%7)}},
		},
	}
}

func calls(from, to int) []lake.Event {
	var events []lake.Event
	for i := from; i < to; i++ {
		events = append(events, call(i))
	}
	return events
}

// definition of the datasets of these tests.
func definition(t *testing.T, text string) dataset.Definition {
	t.Helper()
	definitions, err := dataset.ParseDefinitions([]byte("datasets:\n  ferries:\n    " + text + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return definitions["ferries"]
}

// build builds a version and puts its events into the lake.
func build(t *testing.T, lk *lake.Lake, d dataset.Definition) dataset.Built {
	t.Helper()
	var sent []lake.Event
	built, err := dataset.Build(t.Context(), lk, d, dataset.BuildOptions{
		Session: oneThread, Now: laketest.Start, Send: func(_ context.Context, events ...lake.Event) error {
			sent = append(sent, events...)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	laketest.Append(t, lk, sent...)
	return built
}

func heldRows(t *testing.T, lk *lake.Lake, ref frozen.Ref) []lake.DatasetMember {
	t.Helper()
	session, _, err := duck.OpenLake(t.Context(), lk, oneThread)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	rows, err := frozen.Find(t.Context(), lk, session, ref)
	if err != nil {
		t.Fatal(err)
	}
	members, err := rows.Members(t.Context(), lk, session)
	if err != nil {
		t.Fatal(err)
	}
	return members
}

func export(t *testing.T, lk *lake.Lake, ref frozen.Ref) (exporters.Manifest, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	manifest, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: dir, Dataset: ref, Session: oneThread})
	if err != nil {
		t.Fatal(err)
	}
	return manifest.Manifest, dir
}

// diff compares, and checks what holds of every comparison.
func diff(t *testing.T, lk *lake.Lake, a, b frozen.Ref) dataset.Diff {
	t.Helper()
	d, err := dataset.MakeDiff(t.Context(), lk, a, b, oneThread)
	if err != nil {
		t.Fatal(err)
	}
	var all, whys int64
	for _, n := range d.Counts {
		all += n
	}
	for _, why := range d.Whys {
		whys += why.Count
		if why.Why == "" {
			t.Errorf("%s without a reason", why.Kind)
		}
	}
	if all != int64(len(d.Rows)) || whys != all {
		t.Errorf("%d rows, counts %d, reasons %d", len(d.Rows), all, whys)
	}
	back, err := dataset.MakeDiff(t.Context(), lk, b, a, oneThread)
	if err != nil {
		t.Fatal(err)
	}
	if d.Counts[dataset.Added] != back.Counts[dataset.Removed] || d.Counts[dataset.Removed] != back.Counts[dataset.Added] ||
		d.Counts[dataset.Changed] != back.Counts[dataset.Changed] || d.Counts[dataset.Moved] != back.Counts[dataset.Moved] || d.Same != back.Same {
		t.Errorf("%+v, and back %+v", d.Counts, back.Counts)
	}
	self, err := dataset.MakeDiff(t.Context(), lk, a, a, oneThread)
	if err != nil || len(self.Rows) != 0 {
		t.Errorf("%s differs from itself: %+v, %v", a, self.Rows, err)
	}
	return d
}

// A dataset lives: it is built, exported, grows, is compared, loses somebody to an
// erasure, and its first version is brought back from its record.
func TestVersions(t *testing.T) {
	lk := laketest.New(t)
	laketest.Append(t, lk, calls(0, 40)...)
	transformstest.Build(t, lk)
	d := definition(t, "{size: 30, export: [{target: openai, model: gpt-4.1}]}")
	first := build(t, lk, d)
	if !first.IsNew || !first.Wrote || first.Plan.Selected != 30 || first.Version != first.ContentHash[:12] || first.Sides["train"]+first.Sides["validation"] != 30 {
		t.Fatalf("first %+v", first.Manifest)
	}
	if again := build(t, lk, d); again.IsNew || again.Wrote || again.Version != first.Version {
		t.Errorf("built again: new %v, wrote %v, %s", again.IsNew, again.Wrote, again.Version)
	}
	v1 := frozen.Ref{Dataset: "ferries", Version: first.Version}
	manifest, dir := export(t, lk, frozen.Ref{Dataset: "ferries"})
	if manifest.Dataset == nil || manifest.Dataset.Version != first.Version || manifest.Dataset.Erased != 0 || manifest.Splits[0].Examples != first.Sides["train"] {
		t.Errorf("manifest %+v", manifest.Dataset)
	}

	laketest.Append(t, lk, calls(40, 60)...)
	transformstest.Build(t, lk)
	larger := definition(t, "{size: 50, export: [{target: openai, model: gpt-4.1}]}")
	second := build(t, lk, larger)
	v2 := frozen.Ref{Dataset: "ferries", Version: second.Version}
	if second.Plan.Selected != 50 {
		t.Fatalf("second %+v", second.Plan)
	}
	if d := diff(t, lk, v1, v2); d.Counts[dataset.Added]-d.Counts[dataset.Removed] != 20 || d.Counts[dataset.Moved] != 0 {
		t.Errorf("%+v, %+v", d.Counts, d.Whys)
	}
	if _, other := export(t, lk, v1); !sameFile(t, filepath.Join(dir, "train.jsonl"), filepath.Join(other, "train.jsonl")) {
		t.Error("the first version is exported otherwise once there is a second")
	}
	if head := heldRows(t, lk, frozen.Ref{Dataset: "ferries"}); len(head) != 50 {
		t.Errorf("the table shows %d rows", len(head))
	}
	checkErasure(t, lk, v2, heldRows(t, lk, v2)[0].SubjectID)
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	left, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	right, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(left) == string(right)
}

func checkErasure(t *testing.T, lk *lake.Lake, ref frozen.Ref, subject string) {
	t.Helper()
	hash := lake.KeyedHash(lk.ErasureKey(), "subject", subject)
	laketest.Append(t, lk, lake.Event{ID: "request-of-the-ferry", Source: "test://here", Type: "weir.erasure.requested.v1", Subject: hash, Time: laketest.Start,
		Data: &lake.Erasure{RequestID: "r-1", Kind: "subject", KeyedHash: hash, Reason: "test"}})
	transformstest.Build(t, lk)
	_, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: filepath.Join(t.TempDir(), "out"), Dataset: ref, Session: oneThread})
	if !errors.Is(err, exporters.ErrErasedSince) {
		t.Errorf("an export of what is to be erased: %v", err)
	}
	report, err := erasure.Apply(t.Context(), lk, erasure.Options{
		Session: oneThread, Names: []string{subject}, Derive: func(context.Context) error { transformstest.Build(t, lk); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(report.Tables, func(done erasure.TableDone) bool { return done.Table == "datasets.ferries" && done.Rows == 1 }) {
		t.Errorf("erased from %+v", report.Tables)
	}
	scan, err := erasure.Scan(t.Context(), lk, []string{subject}, nil)
	if err != nil || len(scan.Findings) > 0 {
		t.Errorf("found %+v, %v", scan.Findings, err)
	}
	if left := heldRows(t, lk, ref); len(left) != 49 || slices.ContainsFunc(left, func(m lake.DatasetMember) bool { return m.SubjectID == subject }) {
		t.Errorf("%d rows are left", len(left))
	}
	manifest, _ := export(t, lk, ref)
	if e := manifest.Dataset; e.Erased != 1 || e.HeldHash == "" || e.HeldHash == e.ContentHash {
		t.Errorf("manifest %+v", e)
	}
	// The first version's rows went with the history; its record brings them back.
	list, err := dataset.List(t.Context(), lk, "ferries", oneThread)
	if err != nil || len(list) != 2 || list[1].Rows != dataset.Current || list[1].Held != 49 || list[0].Rows != dataset.Gone {
		t.Fatalf("list %+v, %v", list, err)
	}
	restored, err := dataset.Restore(t.Context(), lk, list[0].Ref, oneThread)
	if err != nil || !restored.Wrote || restored.Held != list[0].Held {
		t.Errorf("restored %+v, %v", restored, err)
	}
	audit, err := lk.Audit(t.Context(), lake.AuditOptions{})
	if err != nil || len(audit.Problems) > 0 {
		t.Errorf("audit: %+v, %v", audit.Problems, err)
	}
}

// A build that ends anywhere is gone on with, and what is recorded is what an
// undisturbed one records.
func TestStopped(t *testing.T) {
	d := definition(t, "{size: 10}")
	base := laketest.New(t)
	laketest.Append(t, base, calls(0, 12)...)
	transformstest.Build(t, base)
	var want []string
	for _, stop := range []string{"", "dataset.after-rows", "dataset.after-members"} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(base.Dir())); err != nil {
			t.Fatal(err)
		}
		lk, err := lake.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if stop != "" {
			ctx, cancel := context.WithCancel(t.Context())
			var sent []lake.Event
			_, err := dataset.Build(ctx, lk, d, dataset.BuildOptions{
				Session: oneThread, Now: laketest.Start,
				Send: func(ctx context.Context, events ...lake.Event) error {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					sent = append(sent, events...)
					return nil
				},
				Fault: func(step string) {
					if step == stop {
						cancel()
					}
				},
			})
			if err == nil {
				t.Fatalf("%s: was not stopped", stop)
			}
			laketest.Append(t, lk, sent...)
			if list, err := dataset.List(t.Context(), lk, "", oneThread); err != nil || len(list) > 0 {
				t.Errorf("%s: half a build is listed: %+v, %v", stop, list, err)
			}
			if _, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: filepath.Join(t.TempDir(), "o"), Dataset: frozen.Ref{Dataset: "ferries"}, Session: oneThread}); !errors.Is(err, frozen.ErrUnknown) {
				t.Errorf("%s: exported: %v", stop, err)
			}
		}
		built := build(t, lk, d)
		if !built.IsNew || built.Wrote != (stop == "") {
			t.Errorf("%s: new %v, wrote %v", stop, built.IsNew, built.Wrote)
		}
		got := recordedIDs(t, lk)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", stop, got, want)
		}
	}
}

func recordedIDs(t *testing.T, lk *lake.Lake) []string {
	t.Helper()
	session, _, err := duck.OpenLake(t.Context(), lk, oneThread)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	list, err := session.Strings(t.Context(), `
		select distinct id || ' ' || len(members)::varchar from events.dataset_members union all
		select distinct id || ' ' || member_count::varchar from events.dataset_versions order by all`)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestParseDefinitions(t *testing.T) {
	definitions, err := dataset.ParseDefinitions(dataset.DefaultDefinitions())
	if err != nil || len(definitions) != 2 || definitions["agent_chat"].Size != 2000 || definitions["curriculum"].Mix.Name != "curriculum" {
		t.Fatalf("%+v, %v", definitions, err)
	}
	for text, want := range map[string]string{
		"":                                               "datasets.yaml: no datasets",
		"datasets:\n  a:\n    sise: 3":                   `datasets.yaml:3: unknown key "sise"`,
		"datasets:\n  a: {size: many}":                   "datasets.yaml: line 2: cannot unmarshal",
		"datasets:\n  a: {}\n  a: {}":                    "already defined",
		"datasets:\n  b: {}\n  A-b: {}":                  "datasets.yaml:3: dataset A-b",
		"datasets:\n  weir_a: {}":                        "not with weir_",
		"datasets:\n  a: {split: [test]}":                "split: each of train, validation",
		"datasets:\n  a: {review: {max_defect_rate: 5}}": "a share is 0 to 1",
		"datasets:\n  a: {filter: {reviewed: maybe}}":    `not "maybe"`,
		"datasets:\n  a: {mix: {targets: []}}":           "targets are needed",
		"datasets:\n  a: {export: [{model: x}]}":         "a target",
	} {
		if _, err := dataset.ParseDefinitions([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	lk := laketest.New(t)
	laketest.Append(t, lk, calls(0, 12)...)
	transformstest.Build(t, lk)
	for _, rule := range []string{"{min_reviewed_share: 0.01}", "{max_defect_rate: 0.5}"} {
		_, err := dataset.Build(t.Context(), lk, definition(t, "{review: "+rule+"}"), dataset.BuildOptions{Session: oneThread})
		if !errors.Is(err, dataset.ErrReview) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	// A version that was recorded after the tables were built, and that contradicts
	// their sides, has to be in the split first.
	d := definition(t, "{about: all}")
	rows := build(t, lk, d).Plan.Rows
	other := map[string]string{"train": "validation", "validation": "train"}[rows[0].Split]
	laketest.Append(t, lk, lake.Event{ID: "members-of-another", Source: "test://here", Type: "weir.dataset.members.v1", Subject: "dataset:x", Time: laketest.Start,
		Data: &lake.DatasetMembers{Dataset: "x", Version: "1", Members: []lake.DatasetMember{{ExampleID: "e", ContentHash: "c", SubjectID: rows[0].SubjectID, Side: other}}}})
	if _, err := dataset.Build(t.Context(), lk, d, dataset.BuildOptions{Session: oneThread}); !errors.Is(err, dataset.ErrBehind) {
		t.Errorf("behind: %v", err)
	}
}
