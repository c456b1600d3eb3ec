package evalsql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weir-lake/weir/evalsql"
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/anthropic"
	"github.com/weir-lake/weir/ingest/source/langgraph"
	"github.com/weir-lake/weir/ingest/source/litellm"
	"github.com/weir-lake/weir/ingest/source/openai"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/queries"
)

const fleetDir = "../testdata/fleet"

// collector takes events from sources and from an import.
type collector struct{ events []lake.Event }

func (c *collector) Emit(e lake.Event) error { c.events = append(c.events, e); return nil }

func (c *collector) Reject(r source.Reject) error { return &rejected{r} }

func (c *collector) Append(_ context.Context, events ...lake.Event) error {
	c.events = append(c.events, events...)
	return nil
}

func (c *collector) Flush(context.Context) ([]lake.Position, error) { return nil, nil }

type rejected struct{ source.Reject }

func (r *rejected) Error() string { return r.Reason + ": " + r.Detail }

// fleetEvents are the fleet's gateway calls, checkpoints, own events and evals.
func fleetEvents(t *testing.T) []lake.Event {
	t.Helper()
	var all collector
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(fleetDir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, format := range map[string]source.Format{
		"logs/openai.jsonl": openai.Format(), "logs/anthropic.jsonl": anthropic.Format(), "logs/litellm.jsonl": litellm.Format(), "logs/checkpoints.jsonl": langgraph.JSONL(),
	} {
		if err := format.Read(t.Context(), &source.Input{Name: name, R: bytes.NewReader(read(name))}, &all); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for line := range bytes.Lines(read("logs/events.jsonl")) {
		event, err := lake.DecodeEvent(line)
		if err != nil {
			t.Fatal(err)
		}
		all.events = append(all.events, event)
	}
	for _, name := range []string{"evals/rules.promptfoo.json", "evals/handoff.jsonl"} {
		opts := evalsql.ImportOptions{Name: name, Time: time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC), Experiment: "prompt-distillation"}
		if _, err := evalsql.Import(t.Context(), &all, bytes.NewReader(read(name)), opts); err != nil {
			t.Fatal(err)
		}
	}
	return all.events
}

// The analyses of the fleet say what the fleet's logs and its truth say when
// they are added up by hand.
func TestFleet(t *testing.T) {
	lk := laketest.New(t)
	events := fleetEvents(t)
	laketest.Append(t, lk, events...)
	session, err := duck.Open(t.Context(), duck.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if _, err := derive.Build(t.Context(), lk, allTables(t), derive.Options{Session: session}); err != nil {
		t.Fatal(err)
	}

	number := func(query string) float64 {
		t.Helper()
		var n *float64
		if err := session.Get(t.Context(), "select ("+query+")::double", &n); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if n == nil {
			return math.NaN()
		}
		return *n
	}
	expect := func(what, query string, want float64) {
		t.Helper()
		if got := number(query); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}

	calls, reported, costs := 0, 0, map[string]float64{}
	for _, e := range events {
		if call, ok := e.Data.(*lake.GatewayCall); ok {
			calls++
			if call.CostUSD != nil {
				reported++
				costs[call.Arm] += *call.CostUSD
			}
		}
	}
	expect("calls", "select count(*) from analysis.charges", float64(calls))
	expect("reported costs", "select count(*) from analysis.charges where basis = 'reported'", float64(reported))
	for _, arm := range []string{"control", "tuned"} {
		expect("cost of "+arm, "select sum(cost_usd) from analysis.charges where basis = 'reported' and arm = '"+arm+"'", costs[arm])
	}
	// The log leaves the cost of some calls out; the price list puts it back, so
	// a call that reports its cost and its price agree.
	if worst := number(`
		select max(abs(calls.cost_usd - (
			(calls.input_tokens - coalesce(calls.cached_tokens, 0)) * prices.input_usd_per_mtok
			+ coalesce(calls.cached_tokens, 0) * prices.cached_usd_per_mtok + calls.output_tokens * prices.output_usd_per_mtok) / 1e6))
		from analysis.call_costs as calls
		inner join analysis.prices as prices on prices.model_prefix = case calls.arm when 'control' then 'gpt-4.1' else 'ft:gpt-4.1-mini' end
		where calls.basis = 'reported'`); worst > 1e-8 {
		t.Errorf("a reported cost is off its price by %v", worst)
	}
	expect("calls without a cost", "select count(*) from analysis.charges where cost_usd is null", 0)

	arms := map[string]float64{}
	for line := range bytes.Lines(readTruth(t)) {
		var truth struct {
			Kind, Value string
			IDs         []string
		}
		if err := json.Unmarshal(line, &truth); err != nil {
			t.Fatal(err)
		}
		if truth.Kind == "arm" {
			arms[truth.Value]++
			expect("calls of "+truth.IDs[0]+" on another arm", "select count(*) from analysis.charges where subject_id = '"+truth.IDs[0]+"' and arm <> '"+truth.Value+"'", 0)
		}
	}
	for arm, n := range arms {
		expect("conversations of "+arm, "select count(distinct subject_id) from analysis.charges where arm = '"+arm+"'", n)
	}

	expect("graded trials of control", "select sum(n) from analysis.arm_results where category = 'all' and arm = 'control'", 24-1+16*2)
	expect("errors of control", "select sum(errors) from analysis.arm_results where category = 'all' and arm = 'control'", 1)
	expect("shared scenarios", "select sum(n) from analysis.arm_differences where arm = 'tuned'", 24-1+16)
	if saved := number("select estimate from analysis.prompt_savings where arm = 'tuned' and metric = 'saved_rate'"); saved < 0.5 || saved > 1 {
		t.Errorf("the short prompt saves %v of the overhead", saved)
	}
	expect("intervals that miss their estimate", `
		select count(*) from (
			select estimate, low, high from analysis.arm_costs union all select estimate, low, high from analysis.arm_results
			union all select estimate, low, high from analysis.prompt_savings union all select estimate, low, high from analysis.arm_differences
		) where low > estimate or high < estimate`, 0)

	whole, _, err := duck.OpenLake(t.Context(), lk, duck.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	for _, q := range queries.All() {
		if _, err := whole.Text(t.Context(), q.SQL, 100); err != nil {
			t.Errorf("query %s: %v", q.Name, err)
		}
	}
}

func readTruth(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(fleetDir, "truth.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
