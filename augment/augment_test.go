package augment_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lake/weir/augment"
	"github.com/weir-lake/weir/augment/llm"
	"github.com/weir-lake/weir/augment/llm/llmtest"
	"github.com/weir-lake/weir/augment/method"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms"
)

// built makes a lake of some finished calls that have no words in common, with
// its curated tables.
func built(t *testing.T, calls int) *lake.Lake {
	t.Helper()
	lk := laketest.New(t)
	var events []lake.Event
	for i := range calls {
		events = append(events, call(i, func(*lake.GatewayCall) {}))
	}
	laketest.Append(t, lk, events...)
	transform(t, lk)
	return lk
}

// call is a finished call in words of its own.
func call(i int, change func(c *lake.GatewayCall)) lake.Event {
	final := true
	subject := fmt.Sprintf("ticket-%03d", i)
	words := func(from int) string {
		var list []string
		for n := range 8 {
			list = append(list, "w"+lake.StableID(subject, fmt.Sprint(from+n))[:8])
		}
		return strings.Join(list, " ")
	}
	data := &lake.GatewayCall{
		RequestID: subject, ResponseID: "r-" + subject, Status: "success", IsFinal: &final, Model: "gpt-4.1", Agent: "desk",
		Messages: []lake.Message{{Role: "user", Content: words(0)}},
		Output:   []lake.Message{{Role: "assistant", Content: words(100)}},
	}
	change(data)
	return lake.Event{
		ID: lake.StableID("test", subject), Source: "test://gateway", Type: "weir.gateway.call.v1", Subject: subject,
		Time: laketest.Start.Add(-48*time.Hour + time.Duration(i)*time.Minute), Data: data,
	}
}

// transform brings the curated tables up to date.
func transform(t *testing.T, lk *lake.Lake) {
	t.Helper()
	tables, err := transforms.Tables(lk.ErasureKey())
	if err != nil {
		t.Fatal(err)
	}
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1, TempDir: lk.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if _, err := derive.Build(t.Context(), lk, tables, derive.Options{Session: session}); err != nil {
		t.Fatal(err)
	}
}

// kept is an appender; stop is called after so many events.
type kept struct {
	mu     sync.Mutex
	events []lake.Event
	after  int
	stop   func()
}

func (k *kept) Append(_ context.Context, events ...lake.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = append(k.events, events...)
	if k.stop != nil && len(k.events) == k.after {
		k.stop()
	}
	return nil
}

func (*kept) Flush(context.Context) ([]lake.Position, error) { return nil, nil }

// encoded are the events by their ids, as they go over the wire.
func (k *kept) encoded(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, event := range k.events {
		text, err := event.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := out[event.ID]; twice {
			t.Errorf("%s was made twice", event.ID)
		}
		out[event.ID] = string(text)
	}
	return out
}

func writer(t *testing.T, answer func(n int, r llmtest.Request) llmtest.Reply) (*llm.Client, *llmtest.Server) {
	t.Helper()
	server := llmtest.New(answer)
	t.Cleanup(server.Close)
	client, err := llm.New(llm.Options{BaseURL: server.BaseURL(), Model: "writer"})
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

func reword(_ int, r llmtest.Request) llmtest.Reply {
	_, request, _ := strings.Cut(r.Messages[1].Content, "\n\n")
	text, err := json.Marshal(map[string]string{"request": fmt.Sprintf("Kindly: %s", request)})
	if err != nil {
		return llmtest.Reply{Status: 500}
	}
	return llmtest.Reply{Text: string(text)}
}

func options(t *testing.T, client *llm.Client, workers int, names ...string) augment.Options {
	t.Helper()
	methods, err := method.Named(names...)
	if err != nil {
		t.Fatal(err)
	}
	return augment.Options{
		Methods: methods, Seed: 3, PerRoot: 1, Client: client, Workers: workers,
		Clock: func() time.Time { return laketest.Start }, Session: duck.Options{Threads: 1},
	}
}

// Killed in the middle and run again: together the same events as in one run,
// each made and paid for once, whatever the number of workers.
func TestResumeAfterKill(t *testing.T) {
	lk := built(t, 24)
	client, _ := writer(t, reword)
	whole := &kept{}
	if _, err := augment.Run(t.Context(), lk, whole, options(t, client, 3, "paraphrase")); err != nil {
		t.Fatal(err)
	}
	want := whole.encoded(t)
	if len(want) < 10 {
		t.Fatalf("only %d variations", len(want))
	}

	client, server := writer(t, reword)
	ctx, stop := context.WithCancel(t.Context())
	first := &kept{after: len(want) / 2, stop: stop}
	if _, err := augment.Run(ctx, lk, first, options(t, client, 1, "paraphrase")); err == nil {
		t.Fatal("the kill was not noticed")
	}
	laketest.Append(t, lk, first.events...)
	second := &kept{}
	report, err := augment.Run(t.Context(), lk, second, options(t, client, 1, "paraphrase"))
	if err != nil {
		t.Fatal(err)
	}
	both := &kept{events: append(first.events, second.events...)}
	got := both.encoded(t)
	if len(got) != len(want) || report.Methods[0].AlreadyThere+report.Methods[0].Made > int64(len(want)) {
		t.Errorf("%d events, want %d; second run: %+v", len(got), len(want), report.Methods[0])
	}
	for id, text := range want {
		if got[id] != text {
			t.Errorf("%s:\n got %s\nwant %s", id, got[id], text)
		}
	}
	if n := len(server.Requests()); n != len(want) {
		t.Errorf("%d requests for %d variations", n, len(want))
	}
}

// Replies that fail a check are counted by reason, and nothing is made of them.
func TestRejectedRepliesMakeNothing(t *testing.T) {
	lk := built(t, 12)
	client, _ := writer(t, func(n int, r llmtest.Request) llmtest.Reply {
		if n%2 == 0 {
			return llmtest.Reply{Text: "Gladly! Here it is."}
		}
		return reword(n, r)
	})
	out := &kept{}
	report, err := augment.Run(t.Context(), lk, out, options(t, client, 1, "paraphrase"))
	if err != nil {
		t.Fatal(err)
	}
	count := report.Methods[0]
	if count.Made != int64(len(out.events)) || count.Made == 0 || count.Failed["rejected: reply is no JSON object"] < count.Made {
		t.Errorf("%d events: %+v", len(out.events), count)
	}
}

// Nothing is made beyond the share, and a wrong key ends the run at once.
func TestCapsAndWrongKey(t *testing.T) {
	lk := built(t, 24)
	opts := options(t, nil, 1, "rules")
	opts.PerRoot, opts.MaxShare = 3, 0.2
	out := &kept{}
	report, err := augment.Run(t.Context(), lk, out, opts)
	if err != nil || report.Stopped == "" {
		t.Fatalf("%+v, %v", report, err)
	}
	var originals int
	session, _, err := duck.OpenLake(t.Context(), lk, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.Get(t.Context(), "select count(*) from curated.funnel where fate = 'train'", &originals); err != nil {
		t.Fatal(err)
	}
	if len(out.events) != originals/4 {
		t.Errorf("%d variations of %d originals, want a quarter", len(out.events), originals)
	}

	client, server := writer(t, func(int, llmtest.Request) llmtest.Reply { return llmtest.Reply{Status: 401} })
	if _, err := augment.Run(t.Context(), lk, &kept{}, options(t, client, 1, "paraphrase")); err == nil || len(server.Requests()) != 1 {
		t.Errorf("%v after %d requests", err, len(server.Requests()))
	}
}

// Children bear what their parents' answers hang on, and are no duplicates of
// them where their method changed what it is there to change.
func TestChildren(t *testing.T) {
	lk := laketest.New(t)
	no := false
	var events []lake.Event
	for i := range 12 {
		events = append(events, call(i, func(c *lake.GatewayCall) {
			c.PersonIDs = []string{fmt.Sprintf("person-%d", i)}
			c.ResponseFormat, c.ToolChoice, c.ParallelToolCalls = `{"type":"text"}`, `"auto"`, &no
			c.Tools = []lake.Tool{{Name: "look_up", Parameters: `{"type":"object"}`}}
			c.Messages = []lake.Message{
				{Role: "system", Content: "You are the harbour's clerk. Be brief."},
				{Role: "user", Content: c.Messages[0].Content + " for Adam"},
			}
			c.Output[0].Content += " is what Adam needs"
		}))
	}
	laketest.Append(t, lk, events...)
	transform(t, lk)
	client, _ := writer(t, func(_ int, r llmtest.Request) llmtest.Reply {
		_, request, _ := strings.Cut(r.Messages[1].Content, "\n\n")
		words := strings.Fields(request)
		slices.Reverse(words)
		return llmtest.Reply{Text: fmt.Sprintf(`{"request": %q}`, strings.Join(words, " "))}
	})
	var made kept
	for _, name := range []string{"persona_swap", "template_reword", "entity_swap", "paraphrase"} {
		opts := options(t, client, 1, name)
		opts.PerRoot, opts.MaxShare, opts.Limit = 9, 0.9, 1
		if _, err := augment.Run(t.Context(), lk, &made, opts); err != nil {
			t.Fatal(err)
		}
	}
	// A model that gives back what it gave before.
	parrot := *made.events[len(made.events)-1].Data.(*lake.GeneratedExample)
	parrot.Messages = slices.Clone(parrot.Messages)
	parrot.Messages[1].Content += "!"
	parroted := made.events[len(made.events)-1]
	parroted.ID, parroted.Data = lake.StableID("parrot"), &parrot
	made.events = append(made.events, parroted)
	laketest.Append(t, lk, made.events...)
	transform(t, lk)
	session, _, err := duck.OpenLake(t.Context(), lk, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	got, err := session.Strings(t.Context(), `
		select concat_ws(' ', generated.method, count(*), count(*) filter (where funnel.reason = 'duplicate'))
		from curated.generated as generated join curated.funnel as funnel on funnel.example_id = generated.event_id
		group by generated.method order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"entity_swap 1 0", "paraphrase 2 1", "persona_swap 1 0", "template_reword 1 0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var same, all int
	if err := session.Get(t.Context(), `
		select count(*) filter (where child.tool_choice = parent.tool_choice and child.response_format = parent.response_format
				and not child.parallel_tool_calls and child.tools = parent.tools and generated.person_ids = calls.person_ids), count(*)
		from curated.lineage as lineage
		join curated.examples as child on child.example_id = lineage.child_id
		join curated.examples as parent on parent.example_id = lineage.parent_id
		join curated.generated as generated on generated.event_id = lineage.child_id
		join curated.calls as calls on calls.event_id = parent.origin_event_ids[1]`, &same, &all); err != nil {
		t.Fatal(err)
	}
	if same != all || all != len(made.events) {
		t.Errorf("%d of %d children have what their parents have, %d were made", same, all, len(made.events))
	}
}
