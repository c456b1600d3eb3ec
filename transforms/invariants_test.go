package transforms

import (
	"slices"
	"strconv"
	"testing"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

// invariants hold on every lake. Each query gives what breaks one.
var invariants = []struct{ name, query string }{
	{"an output is a target at most once", `
		select message.event_id from (
			select unnest(messages) as message from curated.examples where source <> 'generated'
		) where message.weight > 0 group by all having count(*) > 1`},
	{"each output that is neither refused nor empty is a target", `
		with targets as (
			select message.event_id as id from (select unnest(messages) as message from curated.examples) where message.weight > 0
		)
		select turn_id from curated.turns
		where kind = 'output' and not is_refused and (content <> '' or len(tool_calls) > 0) and turn_id not in (from targets)
		union all
		select call_id from curated.call_keys where call_id not in (from targets)
		union all
		select message.event_id from (select unnest(messages) as message from curated.checkpoints)
		where message.role = 'assistant' and message.event_id not in (from targets)`},
	{"only outputs are targets", `
		select message.event_id from (select unnest(messages) as message from curated.examples where source not in ('checkpoint', 'generated'))
		where message.weight > 0
			and message.event_id not in (select turn_id from curated.turns where kind = 'output')
			and message.event_id not in (select event_id from curated.calls)`},
	{"targets are the assistant's", `
		select example_id from (select example_id, unnest(messages) as message from curated.examples)
		where message.weight > 0 and message.role <> 'assistant'`},
	{"an example ends on a target", `
		select example_id from curated.examples where target_count > 0 and messages[-1].weight <> 1`},
	{"no kept example parts a call from its result", `
		select example_id from curated.quality where verdict = 'keep' and (unanswered_count > 0 or orphan_count > 0 or role_order_count > 0)`},
	{"a log without holes has no structural fault", `
		select example_id from curated.quality join curated.examples using (example_id)
		where list_has_any(reasons, ['call_without_result', 'result_without_call', 'role_order'])
			and conversation_id not in (select conversation_id from curated.turns where is_context_missing)`},
	{"origins are events", `
		select unnest(origin_event_ids) as id from curated.examples
		except (select event_id from curated.messages union select event_id from curated.calls
			union select event_id from curated.checkpoints union select event_id from curated.generated)`},
	{"no outcome without evidence", `
		select example_id from curated.quality where outcome <> 'unknown'
			and subject_id not in (select subject_id from curated.outcomes)`},
	{"one fate each, and a reason for what is left out", `
		select example_id from curated.examples anti join curated.funnel using (example_id)
		union all
		select example_id from curated.funnel where (fate in ('train', 'validation', 'test')) = (reason is not null)`},
	{"nothing leaks", `select kind from curated.leaks where link_count > 0`},
	{"a group has one side", `select group_id from curated.splits group by group_id having count(distinct split) > 1`},
	{"the score is a score, 0 where dropped", `
		select example_id from curated.quality where success_score not between 0 and 1 or (verdict = 'drop') <> (len(reasons) > 0)
			or (verdict = 'drop' and success_score > 0)`},
}

func checkInvariants(t *testing.T, session *duck.Session) {
	t.Helper()
	for _, invariant := range invariants {
		broken, err := session.Strings(t.Context(), "select x::varchar from ("+invariant.query+") as t(x) order by 1 limit 3")
		if err != nil {
			t.Errorf("%s: %v", invariant.name, err)
		} else if len(broken) > 0 {
			t.Errorf("%s: broken by %q", invariant.name, broken)
		}
	}
}

func openSession(t *testing.T, threads int) *duck.Session {
	t.Helper()
	session, err := duck.Open(t.Context(), duck.Options{Threads: threads, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

func build(t *testing.T, lk *lake.Lake, session *duck.Session) {
	t.Helper()
	all, err := Tables(lk.ErasureKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := derive.Build(t.Context(), lk, all, derive.Options{Session: session}); err != nil {
		t.Fatal(err)
	}
}

func hashes(t *testing.T, session *duck.Session) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, table := range tables(t) {
		hash, err := derive.LogicalHash(t.Context(), session, table.Name)
		if err != nil {
			t.Fatal(err)
		}
		out[table.Name] = hash
	}
	return out
}

// TestInvariants appends the events of a fleet in batches that cut through
// conversations, builds after each, and compares the last state with a build
// from scratch, on another number of threads, in a lake that got the same records.
func TestInvariants(t *testing.T) {
	w := newWorld(1)
	var conversations [][]lake.Event
	for range 120 {
		conversations = append(conversations, w.conversation())
	}
	var batches [3][]lake.Event
	for _, events := range conversations {
		from, left := w.IntN(len(batches)), events
		for i := from; i < len(batches); i++ {
			n := len(left)
			if i < len(batches)-1 {
				n = w.IntN(len(left) + 1)
			}
			batches[i] = append(batches[i], left[:n]...)
			left = left[n:]
		}
	}
	// A suite asks later what some were asked, and one of them is held out for it.
	for i, events := range conversations[:12] {
		for _, event := range events {
			if message, ok := event.Data.(*lake.ChatMessage); ok && message.Kind == lake.KindPrompt {
				batches[2-i%2] = append(batches[2-i%2], w.event("weir.eval.scenario.v1", "weir://tests", "scenario", &lake.Scenario{Suite: "asked", ScenarioID: event.ID, Prompt: message.Content}))
				break
			}
		}
	}
	for _, events := range conversations[12:18] {
		batches[1] = append(batches[1], w.event("weir.config.set.v1", "weir://tests", "config:test_subjects", &lake.Config{Kind: "test_subjects", Content: `["` + events[0].Subject + `"]`}))
	}
	grown, whole := laketest.New(t), laketest.New(t)
	session := openSession(t, 2)
	for i, batch := range batches {
		laketest.Append(t, grown, batch...)
		build(t, grown, session)
		t.Run("after batch "+strconv.Itoa(i), func(t *testing.T) { checkInvariants(t, session) })
	}
	for _, what := range []string{"curated.contamination where verdict = 'contaminated'", "curated.splits where split = 'test'"} {
		if n := countNow(t, session, "select count(*) from "+what); n == 0 {
			t.Errorf("no %s: the increments show less than they say", what)
		}
	}
	laketest.Append(t, whole, slices.Concat(batches[:]...)...)
	fresh := openSession(t, 1)
	build(t, whole, fresh)
	want := hashes(t, fresh)
	for table, hash := range hashes(t, session) {
		if hash != want[table] {
			t.Errorf("%s: three increments differ from one build", table)
		}
	}
}
