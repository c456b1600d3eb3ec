package retention_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/lake/rebuild"
	"github.com/weir-lake/weir/lake/retention"
	"github.com/weir-lake/weir/lake/upkeep"
)

const (
	day      = 24 * time.Hour
	messages = "events.chat_messages"
)

// now is what ages count from at first.
var now = laketest.Start.Add(100 * day)

// record is a row to be, and where it stands in its topic.
type record struct {
	partition int
	event     lake.Event
}

func message(id, subject string, at time.Time) lake.Event {
	return lake.Event{ID: id, Source: "test://here", Type: "weir.chat.message.v1", Subject: subject, Time: at,
		Data: &lake.ChatMessage{ConversationID: subject, Kind: lake.KindPrompt, Content: "words of " + id, OrderedAt: at}}
}

// sink appends records to a lake as a sink does: a file and a commit each
// partition.
func sink(t *testing.T, lk *lake.Lake, next map[int]int64, records ...record) {
	t.Helper()
	byPartition := map[int][]lake.Event{}
	for _, r := range records {
		byPartition[r.partition] = append(byPartition[r.partition], r.event)
	}
	for partition := range 3 {
		events := byPartition[partition]
		if len(events) == 0 {
			continue
		}
		payload, _ := lake.PayloadOf(events[0].Type)
		w, err := lk.NewEventWriter(t.Context(), payload)
		if err != nil {
			t.Fatal(err)
		}
		app, from := lake.TxnAppID("c", payload.Topic(), partition), next[partition]
		for _, event := range events {
			at := lake.RecordPosition{Cluster: "c", Topic: payload.Topic(), Partition: partition, Offset: next[partition], AppendedAt: now}
			if err := w.Write(event, at); err != nil {
				t.Fatal(err)
			}
			next[partition]++
		}
		file, err := w.Close(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		table, err := lk.Table(payload.Table)
		if err != nil {
			t.Fatal(err)
		}
		if from == 0 {
			from = -1
		}
		_, err = table.Commit(t.Context(), lake.Commit{Operation: "append", Columns: payload.Columns(), Add: []lake.DataFile{file},
			Txns: []lake.Txn{{AppID: app, Expect: from, Next: next[partition]}}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ids are those of a table's rows with their places, in the order of places.
func ids(t *testing.T, lk *lake.Lake, table string) []string {
	t.Helper()
	session, _, err := duck.OpenLake(t.Context(), lk, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	list, err := session.Strings(t.Context(), "select kafka_partition || '/' || kafka_offset || ' ' || id from "+table+" order by kafka_partition, kafka_offset")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func txns(t *testing.T, lk *lake.Lake) string {
	t.Helper()
	table, err := lk.Table(messages)
	if err != nil {
		t.Fatal(err)
	}
	head, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(head.Txns)
}

func apply(t *testing.T, lk *lake.Lake, at time.Time, rules ...retention.Rule) []retention.Result {
	t.Helper()
	results, err := retention.Apply(t.Context(), lk, rules, retention.Options{Now: at, Session: duck.Options{Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func TestApply(t *testing.T) {
	ago := func(days int) time.Time { return now.Add(-time.Duration(days) * day) }
	old, young := ago(40), ago(10)
	for _, c := range []struct {
		name   string
		rule   retention.Rule
		events []lake.Event
		keeps  string
		held   int64
	}{
		{"a_conversation_goes_when_its_last_message_is_old",
			retention.Rule{Family: "chat", OlderThan: 30 * day},
			[]lake.Event{message("a1", "a", ago(50)), message("a2", "a", old), message("b1", "b", young)}, "b1", 0},
		{"an_open_conversation_stays_whole",
			retention.Rule{Family: "chat", OlderThan: 30 * day},
			[]lake.Event{message("a1", "a", old), message("a2", "a", young)}, "a1 a2", 1},
		{"by_rows_an_open_conversation_loses_what_is_old",
			retention.Rule{Family: "chat", OlderThan: 30 * day, Rows: true},
			[]lake.Event{message("a1", "a", old), message("a2", "a", young)}, "a2", 0},
		{"a_row_of_exactly_the_age_stays",
			retention.Rule{Family: "chat", OlderThan: 30 * day},
			[]lake.Event{message("a1", "a", ago(30)), message("b1", "b", ago(30).Add(-time.Microsecond))}, "a1", 0},
		{"a_row_without_a_time_counts_from_its_arrival",
			retention.Rule{Family: "chat", OlderThan: 30 * day},
			[]lake.Event{message("a1", "a", time.Unix(0, 0))}, "a1", 0},
		{"a_clock_that_ran_ahead_does_not_keep_a_row",
			retention.Rule{Family: "chat", OlderThan: time.Nanosecond},
			[]lake.Event{message("a1", "a", now.Add(1000*day)), message("b1", "b", now)}, "", 0},
		{"outcomes_go_by_rows",
			retention.Rule{Family: "outcome", OlderThan: 30 * day},
			[]lake.Event{
				{ID: "o1", Source: "test://here", Type: "weir.outcome.recorded.v1", Subject: "a", Time: old, Data: &lake.Outcome{TargetID: "a"}},
				{ID: "o2", Source: "test://here", Type: "weir.outcome.recorded.v1", Subject: "a", Time: young, Data: &lake.Outcome{TargetID: "a"}},
			}, "o2", 0},
		{"another_family_is_left_alone",
			retention.Rule{Family: "gateway", OlderThan: 30 * day},
			[]lake.Event{message("a1", "a", old)}, "a1", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			lk := laketest.New(t)
			var records []record
			for i, event := range c.events {
				records = append(records, record{i % 2, event})
			}
			sink(t, lk, map[int]int64{}, records...)
			at := now
			if c.rule.OlderThan == time.Nanosecond { // everything that is in the lake is old
				at = now.Add(time.Second)
			}
			payload, _ := lake.PayloadOf(c.events[0].Type)
			results := apply(t, lk, at, c.rule)
			var kept []string
			for _, id := range ids(t, lk, payload.Table) {
				kept = append(kept, strings.Fields(id)[1])
			}
			slices.Sort(kept)
			if got := strings.Join(kept, " "); got != c.keeps {
				t.Errorf("kept %q, want %q", got, c.keeps)
			}
			if results[0].Held != c.held {
				t.Errorf("%d held, want %d", results[0].Held, c.held)
			}
			if payload.Family == c.rule.Family && results[0].Rows != int64(len(c.events)-len(kept)) {
				t.Errorf("%d rows went by the report, %d of %d stay", results[0].Rows, len(kept), len(c.events))
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	lk := laketest.New(t)
	for name, c := range map[string]struct {
		rules []retention.Rule
		want  error
	}{
		"a ledger":    {[]retention.Rule{{Family: "erasure", OlderThan: day}}, retention.ErrLedger},
		"members":     {[]retention.Rule{{Family: "dataset", OlderThan: day}}, retention.ErrLedger},
		"config":      {[]retention.Rule{{Family: "config", OlderThan: day}}, retention.ErrLedger},
		"no family":   {[]retention.Rule{{Family: "chats", OlderThan: day}}, retention.ErrFamily},
		"no age":      {[]retention.Rule{{Family: "chat"}}, nil},
		"a rule more": {[]retention.Rule{{Family: "chat", OlderThan: day}, {Family: "chat", OlderThan: 2 * day}}, nil},
	} {
		_, err := retention.Apply(t.Context(), lk, c.rules, retention.Options{Now: now})
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	lk := laketest.New(t)
	sink(t, lk, map[int]int64{}, record{0, message("a1", "a", now.Add(-40*day))}, record{1, message("b1", "b", now)})
	before := ids(t, lk, messages)
	rules := []retention.Rule{{Family: "chat", OlderThan: 30 * day}}
	dry, err := retention.Apply(t.Context(), lk, rules, retention.Options{Now: now, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(t, lk, messages); !slices.Equal(got, before) {
		t.Errorf("%v is left of %v", got, before)
	}
	if _, err := os.Stat(filepath.Join(lk.Dir(), "_retention")); err == nil {
		t.Error("it is in the ledger")
	}
	if done := apply(t, lk, now, rules...); done[0] != dry[0] || dry[0].Rows != 1 || dry[0].Files != 1 {
		t.Errorf("%+v was said, %+v done", dry, done)
	}
}

// killed ends a run at a step, as kill -9 would: what it holds is dropped by the
// test's process, the lock by its deferred unlock.
type killed struct{ step string }

func applyUntil(t *testing.T, lk *lake.Lake, at time.Time, rule retention.Rule, step string) (wasKilled bool) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			wasKilled = true
		}
	}()
	_, err := retention.Apply(t.Context(), lk, []retention.Rule{rule}, retention.Options{Now: at, Session: duck.Options{Threads: 1}, Fault: func(s string) {
		if s == step {
			panic(killed{s})
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return false
}

// world is what the property test believes of a lake.
type world struct {
	lake  *lake.Lake
	next  map[int]int64
	log   []placed // all that was ever appended
	alive map[string]bool
}

type placed struct {
	record
	offset int64
}

func (p placed) id() string { return fmt.Sprintf("%d/%d %s", p.partition, p.offset, p.event.ID) }

// age is as the package comment has it.
func (p placed) age() time.Time {
	if p.event.Time.After(now) {
		return now // all records were appended then
	}
	return p.event.Time
}

func (w *world) append(t *testing.T, records []record) {
	for _, r := range records {
		offset := w.next[r.partition]
		for _, before := range w.log {
			if before.partition == r.partition {
				offset = max(offset, before.offset+1)
			}
		}
		p := placed{r, offset}
		w.log = append(w.log, p)
		w.alive[p.id()] = true
	}
	sink(t, w.lake, w.next, records...)
}

// expire does what Apply should, the slow way.
func (w *world) expire(before time.Time, byRow bool) {
	youngest := map[string]time.Time{}
	for _, p := range w.log {
		if w.alive[p.id()] && p.age().After(youngest[p.event.Subject]) {
			youngest[p.event.Subject] = p.age()
		}
	}
	for _, p := range w.log {
		if byRow && p.age().Before(before) || !byRow && youngest[p.event.Subject].Before(before) {
			delete(w.alive, p.id())
		}
	}
}

func (w *world) want() []string {
	var want []string
	for _, p := range w.log {
		if w.alive[p.id()] {
			want = append(want, p.id())
		}
	}
	slices.SortFunc(want, func(a, b string) int {
		var pa, oa, pb, ob int
		fmt.Sscanf(a, "%d/%d", &pa, &oa)
		fmt.Sscanf(b, "%d/%d", &pb, &ob)
		return (pa-pb)*1_000_000 + oa - ob
	})
	return want
}

// TestWhatGoesIsWhatIsOld appends, expires, kills and merges at random, and
// compares with a model; at the end a lake that is made anew from the same topics
// has the same rows.
func TestWhatGoesIsWhatIsOld(t *testing.T) {
	kills := 0
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 7))
		w := &world{lake: laketest.New(t), next: map[int]int64{}, alive: map[string]bool{}}
		at := now
		for round := range 4 {
			var records []record
			for i := range 1 + random.IntN(12) {
				subject := fmt.Sprint("s", random.IntN(10))
				id := fmt.Sprintf("m%d-%d", round, i)
				if random.IntN(6) == 0 && len(w.log) > 0 { // read again
					again := w.log[random.IntN(len(w.log))]
					records = append(records, again.record)
					continue
				}
				time := at.Add(-time.Duration(random.IntN(60*24)) * time.Hour)
				if random.IntN(20) == 0 {
					time = at.Add(1000 * day)
				}
				// A subject's records are in one partition, but not where their number changed.
				records = append(records, record{(int(subject[1]) + random.IntN(2)) % 3, message(id, subject, time)})
			}
			w.append(t, records)
			if random.IntN(2) == 0 {
				if _, err := upkeep.Compact(t.Context(), w.lake, messages, upkeep.Options{Session: duck.Options{Threads: 1}}); err != nil {
					t.Fatal(err)
				}
			}
			offsets := txns(t, w.lake)
			rule := retention.Rule{Family: "chat", OlderThan: time.Duration(10+random.IntN(30)) * day, Rows: random.IntN(4) == 0}
			if random.IntN(2) == 0 {
				step := []string{"expire.before-rewrite", "expire.before-commit", "expire.after-commit"}[random.IntN(3)]
				if applyUntil(t, w.lake, at, rule, step) {
					kills++
					w.expire(at.Add(-rule.OlderThan), rule.Rows) // it is decided, and done by the next run, whatever comes meanwhile
					w.append(t, []record{{0, message(fmt.Sprint("late", round), "s0", at)}})
					offsets = txns(t, w.lake)
					apply(t, w.lake, at, rule)
					w.expire(at.Add(-rule.OlderThan), rule.Rows)
				} else {
					w.expire(at.Add(-rule.OlderThan), rule.Rows)
				}
			} else {
				before := ids(t, w.lake, messages)
				result := apply(t, w.lake, at, rule)[0]
				w.expire(at.Add(-rule.OlderThan), rule.Rows)
				if after := ids(t, w.lake, messages); int64(len(before)-len(after)) != result.Rows {
					t.Errorf("seed %d: %d rows before, %d after, %d went by the report", seed, len(before), len(after), result.Rows)
				}
			}
			if got, want := ids(t, w.lake, messages), w.want(); !slices.Equal(got, want) {
				t.Fatalf("seed %d, round %d: rule %+v\n%v\nwant\n%v", seed, round, rule, got, want)
			}
			if again := apply(t, w.lake, at, rule)[0]; again.Rows != 0 || again.Files != 0 {
				t.Errorf("seed %d: a second run takes out %+v", seed, again)
			}
			if got := txns(t, w.lake); got != offsets {
				t.Errorf("seed %d: the sink's offsets moved from %s to %s", seed, offsets, got)
			}
			at = at.Add(time.Duration(random.IntN(10)) * day)
		}
		checkAudit(t, w.lake)
		checkRebuilt(t, w)
	}
	if kills < 3 {
		t.Errorf("%d runs were killed: the test does not test that", kills)
	}
}

func checkAudit(t *testing.T, lk *lake.Lake) {
	t.Helper()
	report, err := lk.Audit(t.Context(), lake.AuditOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range report.Problems {
		if problem.Kind != lake.ProblemOrphan { // of the runs that were killed
			t.Errorf("audit: %+v", problem)
		}
	}
}

func checkRebuilt(t *testing.T, w *world) {
	t.Helper()
	tables := rebuildFrom(t, w)
	for _, table := range tables {
		if table.State != rebuild.Equal {
			t.Errorf("made anew, %s is %s: %d rows, %d anew", table.Table, table.State, table.Rows, table.NewRows)
		}
	}
}

func rebuildFrom(t *testing.T, w *world) []rebuild.Compared {
	t.Helper()
	tables, err := rebuild.Run(t.Context(), w.lake, rebuild.Options{
		Session: duck.Options{Threads: 1},
		Fill: func(_ context.Context, generation *lake.Lake) error {
			var records []record
			for _, p := range w.log {
				records = append(records, p.record)
			}
			sink(t, generation, map[int]int64{}, records...)
			return nil
		},
		Derive: func(context.Context, *lake.Lake, bool) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// A table whose log is lost is made anew from the topics: what was expired stays
// away, and verify knows why offsets have no row.
func TestALostTableComesBackWithoutWhatWasExpired(t *testing.T) {
	w := &world{lake: laketest.New(t), next: map[int]int64{}, alive: map[string]bool{}}
	w.append(t, []record{{0, message("b1", "b", now)}, {0, message("a1", "a", now.Add(-40*day))}, {0, message("b2", "b", now)}})
	apply(t, w.lake, now, retention.Rule{Family: "chat", OlderThan: 30 * day})
	w.append(t, []record{{0, message("a2", "a", now)}}) // it goes on after all
	want := ids(t, w.lake, messages)
	if err := os.RemoveAll(filepath.Join(w.lake.Dir(), "events", "chat_messages", "_delta_log")); err != nil {
		t.Fatal(err)
	}
	rebuildFrom(t, w)
	if got := ids(t, w.lake, messages); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	checkAudit(t, w.lake)
}

func TestExpiredRowsAreNotRestored(t *testing.T) {
	w := &world{lake: laketest.New(t), next: map[int]int64{}, alive: map[string]bool{}}
	w.append(t, []record{{0, message("a1", "a", now.Add(-40*day))}, {0, message("b1", "b", now)}})
	apply(t, w.lake, now, retention.Rule{Family: "chat", OlderThan: 30 * day})
	table, err := w.lake.Table(messages)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Restore(t.Context(), 0, lake.RestoreOptions{}); !errors.Is(err, lake.ErrErased) {
		t.Errorf("restored: %v", err)
	}
}

// A sink and compactions run while old rows go: nothing young is lost, and all
// that is old goes.
func TestApplyBesideASinkAndCompaction(t *testing.T) {
	lk := laketest.New(t)
	next := map[int]int64{}
	var young int
	put := func(i int) {
		sink(t, lk, next, record{i % 3, message(fmt.Sprint("old", i), fmt.Sprint("o", i), now.Add(-40*day))},
			record{(i + 1) % 3, message(fmt.Sprint("young", i), fmt.Sprint("y", i), now)})
		young++
	}
	for i := range 8 {
		put(i)
	}
	ctx, stop := context.WithCancel(t.Context())
	merged := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			_, err = upkeep.Compact(ctx, lk, messages, upkeep.Options{Session: duck.Options{Threads: 1}})
		}
		if ctx.Err() != nil {
			err = nil
		}
		merged <- err
	}()
	expired := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			_, err = retention.Apply(ctx, lk, []retention.Rule{{Family: "chat", OlderThan: 30 * day}}, retention.Options{Now: now, Session: duck.Options{Threads: 1}})
		}
		if ctx.Err() != nil {
			err = nil
		}
		expired <- err
	}()
	for i := 8; i < 30; i++ {
		put(i)
	}
	stop()
	if err := errors.Join(<-merged, <-expired); err != nil {
		t.Fatal(err)
	}
	apply(t, lk, now, retention.Rule{Family: "chat", OlderThan: 30 * day})
	rows := ids(t, lk, messages)
	for _, id := range rows {
		if strings.Contains(id, "old") {
			t.Errorf("%s is still there", id)
		}
	}
	if len(rows) != young {
		t.Errorf("%d rows, %d young ones were appended", len(rows), young)
	}
	checkAudit(t, lk)
}
