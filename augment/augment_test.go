package augment_test

import (
	"context"
	"encoding/json"
	"fmt"
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
	final := true
	var events []lake.Event
	for i := range calls {
		subject := fmt.Sprintf("ticket-%03d", i)
		word := func(n int) string { return "w" + lake.StableID(subject, fmt.Sprint(n))[:8] }
		var asks, answers []string
		for n := range 8 {
			asks, answers = append(asks, word(n)), append(answers, word(n+100))
		}
		events = append(events, lake.Event{
			ID: lake.StableID("test", subject), Source: "test://gateway", Type: "weir.gateway.call.v1", Subject: subject,
			Time: laketest.Start.Add(-48*time.Hour + time.Duration(i)*time.Minute),
			Data: &lake.GatewayCall{
				RequestID: subject, ResponseID: "r-" + subject, Status: "success", IsFinal: &final, Model: "gpt-4.1", Agent: "desk",
				Messages: []lake.Message{{Role: "user", Content: strings.Join(asks, " ")}},
				Output:   []lake.Message{{Role: "assistant", Content: strings.Join(answers, " ")}},
			},
		})
	}
	laketest.Append(t, lk, events...)
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
	return lk
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
