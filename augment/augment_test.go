package augment_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/augment"
	"github.com/weir-lake/weir/augment/llm"
	"github.com/weir-lake/weir/augment/llm/llmtest"
	"github.com/weir-lake/weir/augment/method"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms/transformstest"
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

// transform brings the tables up to date that are read here.
func transform(t *testing.T, lk *lake.Lake) {
	t.Helper()
	transformstest.Build(t, lk, "curated.funnel", "curated.knowledge", "curated.lineage")
}

// encoded are the events by their ids, as they go over the wire.
func encoded(t *testing.T, k *laketest.Kept) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, event := range k.Events {
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
	client, err := llm.New(llm.Options{BaseURL: server.BaseURL(), Model: "writer", Timeout: 300 * time.Millisecond})
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
	whole := &laketest.Kept{}
	if _, err := augment.Run(t.Context(), lk, whole, options(t, client, 3, "paraphrase")); err != nil {
		t.Fatal(err)
	}
	want := encoded(t, whole)
	if len(want) < 10 {
		t.Fatalf("only %d variations", len(want))
	}

	client, server := writer(t, reword)
	ctx, stop := context.WithCancel(t.Context())
	first := &laketest.Kept{After: len(want) / 2, Stop: stop}
	if _, err := augment.Run(ctx, lk, first, options(t, client, 1, "paraphrase")); err == nil {
		t.Fatal("the kill was not noticed")
	}
	laketest.Append(t, lk, first.Events...)
	second := &laketest.Kept{}
	report, err := augment.Run(t.Context(), lk, second, options(t, client, 1, "paraphrase"))
	if err != nil {
		t.Fatal(err)
	}
	both := &laketest.Kept{Events: append(first.Events, second.Events...)}
	got := encoded(t, both)
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
	out := &laketest.Kept{}
	report, err := augment.Run(t.Context(), lk, out, options(t, client, 1, "paraphrase"))
	if err != nil {
		t.Fatal(err)
	}
	count := report.Methods[0]
	if count.Made != int64(len(out.Events)) || count.Made == 0 || count.Failed["rejected: reply is no JSON object"] < count.Made {
		t.Errorf("%d events: %+v", len(out.Events), count)
	}

	// A server that fails once is asked again, and the events are the same.
	var want map[string]string
	for _, fails := range []llmtest.Reply{{}, {Status: 429, RetryAfter: "0.01"}, {Status: 503}, {Text: "{}", Delay: time.Minute}, {Text: "{}", BreakOff: true}} {
		client, server := writer(t, func(n int, r llmtest.Request) llmtest.Reply {
			if n == 0 && fails != (llmtest.Reply{}) {
				return fails
			}
			return reword(n, r)
		})
		out := &laketest.Kept{}
		if _, err := augment.Run(t.Context(), lk, out, options(t, client, 1, "paraphrase")); err != nil {
			t.Fatalf("%+v: %v", fails, err)
		}
		got := encoded(t, out)
		if want == nil {
			want = got
			continue
		}
		if !maps.Equal(got, want) || len(server.Requests()) != len(want)+1 {
			t.Errorf("%+v: %d events by %d requests, want %d", fails, len(got), len(server.Requests()), len(want))
		}
	}
}

// Nothing is made beyond the share, and a wrong key ends the run at once.
func TestCapsAndWrongKey(t *testing.T) {
	lk := built(t, 24)
	opts := options(t, nil, 1, "rules")
	opts.PerRoot, opts.MaxShare = 3, 0.2
	out := &laketest.Kept{}
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
	if len(out.Events) != originals/4 {
		t.Errorf("%d variations of %d originals, want a quarter", len(out.Events), originals)
	}

	client, server := writer(t, func(int, llmtest.Request) llmtest.Reply { return llmtest.Reply{Status: 401} })
	if _, err := augment.Run(t.Context(), lk, &laketest.Kept{}, options(t, client, 1, "paraphrase")); err == nil || len(server.Requests()) != 1 {
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
	var made laketest.Kept
	for _, name := range []string{"persona_swap", "template_reword", "entity_swap", "paraphrase"} {
		opts := options(t, client, 1, name)
		opts.PerRoot, opts.MaxShare, opts.Limit = 9, 0.9, 1
		if _, err := augment.Run(t.Context(), lk, &made, opts); err != nil {
			t.Fatal(err)
		}
	}
	// A model that gives back what it gave before.
	parrot := *made.Events[len(made.Events)-1].Data.(*lake.GeneratedExample)
	parrot.Messages = slices.Clone(parrot.Messages)
	parrot.Messages[1].Content += "!"
	parroted := made.Events[len(made.Events)-1]
	parroted.ID, parroted.Data = lake.StableID("parrot"), &parrot
	made.Events = append(made.Events, parroted)
	laketest.Append(t, lk, made.Events...)
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
	if same != all || all != len(made.Events) {
		t.Errorf("%d of %d children have what their parents have, %d were made", same, all, len(made.Events))
	}
}

// Examples from documents: one section of knowledge each, with its document and
// a subject of its own; the document's names are not to be used, and the judge
// is given the section.
func TestBehaviour(t *testing.T) {
	lk := laketest.New(t)
	events := []lake.Event{
		document("constitution", "The Quiet Water Compact", "# The Quiet Water Compact\n\n## Speak Once\n\nSay what you think in the room, once, with your reason, and then listen to the others.\n\n"+
			"## Close Slowly\n\nWhat is shut in haste is opened in anger, so that you wait until everybody has looked.\n"),
		document("essay", "On Standing Between", "Two who contradict each other may both have seen something; ask what each of them saw before you choose."),
	}
	for i := range 8 {
		events = append(events, call(i, func(c *lake.GatewayCall) {
			told := "You are the clerk of this harbour and you answer for what you say to the boats."
			if i == 0 {
				told = "You are the brother of Adelheid and you know what she likes and what she does not like."
			}
			c.Messages = append([]lake.Message{{Role: "system", Content: told}}, c.Messages...)
		}))
	}
	laketest.Append(t, lk, events...)
	transform(t, lk)
	client, server := writer(t, func(n int, r llmtest.Request) llmtest.Reply {
		answer := fmt.Sprintf("I hear you, and here is answer %d of mine.", n)
		if strings.Contains(r.Messages[1].Content, "Speak Once") && n%2 == 0 {
			answer = "I speak once."
		}
		return llmtest.Reply{Text: fmt.Sprintf(`{"messages":[{"role":"user","content":"What now, number %d?"},{"role":"assistant","content":%q}]}`, n, answer)}
	})
	opts := options(t, client, 1, "behaviour")
	opts.PerRoot, opts.MaxShare, opts.Terms = 4, 0.9, []string{"the compact of the boats"}
	var made laketest.Kept
	report, err := augment.Run(t.Context(), lk, &made, opts)
	if err != nil {
		t.Fatal(err)
	}
	// Two rules, an essay and the clerk's identity; not what one conversation alone was told.
	if report.Roots != 4 || report.Made() == 0 || report.Methods[0].Failed[`rejected: it names "speak once"`] == 0 {
		t.Errorf("report %+v", report)
	}
	for _, request := range server.Requests() {
		if strings.Contains(request.Messages[1].Content, "Adelheid") {
			t.Error("one conversation's prompt was given away")
		}
		if strings.Contains(request.Messages[1].Content, "Speak Once") && !strings.Contains(request.Messages[1].Content, "speak once; the quiet water compact; qwc; the compact of the boats; close slowly") {
			t.Errorf("the question names no terms:\n%s", request.Messages[1].Content)
		}
	}
	laketest.Append(t, lk, made.Events...)
	transform(t, lk)
	again := opts
	again.DryRun = true
	report, err = augment.Run(t.Context(), lk, &laketest.Kept{}, again)
	if missing := 4*4 - int64(len(made.Events)); err != nil || report.Made() != missing {
		t.Errorf("%+v, %v; want the %d that were rejected", report.Methods[0], err, missing)
	}
	session, _, err := duck.OpenLake(t.Context(), lk, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	got, err := session.Strings(t.Context(), `
		select concat_ws(' ', examples.task_type, knowledge.kind, coalesce(len(generated.document_ids), 0))
		from curated.generated as generated
		join curated.examples as examples on examples.example_id = generated.event_id
		join curated.knowledge as knowledge on knowledge.knowledge_id = generated.knowledge_id
		group by all having count(distinct generated.subject_id) = count(*) order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"constitutional rules 1", "other identity 0", "synthesis other 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func document(kind, title, text string) lake.Event {
	return lake.Event{
		ID: lake.StableID("test", "document", title), Source: "test://documents", Type: "weir.document.added.v1", Subject: "document:" + title,
		Time: laketest.Start.Add(-72 * time.Hour), Data: &lake.Document{Kind: kind, Title: title, Text: text},
	}
}
