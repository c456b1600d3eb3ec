package llm_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lake/weir/augment/llm"
	"github.com/weir-lake/weir/augment/llm/llmtest"
)

// clock passes only when somebody sleeps.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(max(d, 0))
	if d > 0 {
		c.slept = append(c.slept, d)
	}
	return ctx.Err()
}

func start(t *testing.T, opts llm.Options, answer func(n int, r llmtest.Request) llmtest.Reply) (*llm.Client, *llmtest.Server, *clock) {
	t.Helper()
	server := llmtest.New(answer)
	t.Cleanup(server.Close)
	c := &clock{now: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)}
	opts.BaseURL, opts.Model, opts.Clock = server.BaseURL(), "writer", c
	client, err := llm.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return client, server, c
}

func ask(text string) llm.Request {
	return llm.Request{Messages: []llm.Message{{Role: "user", Content: text}}, MaxTokens: 100, Seed: 7}
}

func TestAnswer(t *testing.T) {
	client, server, _ := start(t, llm.Options{Key: "k-1", Purpose: "augment", Price: &llm.Price{Input: 1, Output: 10}},
		func(int, llmtest.Request) llmtest.Reply { return llmtest.Reply{Text: "eight words"} })
	answer, err := client.Complete(t.Context(), ask("twelve chars"))
	if err != nil {
		t.Fatal(err)
	}
	if answer.Text != "eight words" || answer.InputTokens != 3 || answer.OutputTokens != 2 || *answer.USD != 23e-6 {
		t.Errorf("answer: %+v, $%v", answer, *answer.USD)
	}
	got := server.Requests()[0]
	if got.Key != "Bearer k-1" || got.Purpose != "augment" || got.Seed != 7 || got.MaxTokens != 100 {
		t.Errorf("request: %+v", got)
	}
	if spent := client.Spent(); spent != (llm.Spent{Calls: 1, InputTokens: 3, OutputTokens: 2, USD: 23e-6}) {
		t.Errorf("spent: %+v", spent)
	}
}

// Each way to fail, what comes of it, and what it is charged.
func TestFailures(t *testing.T) {
	fine := llmtest.Reply{Text: "fine"}
	held := ask("q").InputTokens() + 100
	cases := []struct {
		name    string
		first   llmtest.Reply
		calls   int
		waits   []time.Duration // nil: not looked at
		tokens  int64           // charged for the first request
		wantErr error           // nil: the second answer
		status  int
	}{
		{name: "throttled", first: llmtest.Reply{Status: 429, RetryAfter: "7"}, calls: 2, waits: []time.Duration{7 * time.Second}},
		{name: "throttled until a date", first: llmtest.Reply{Status: 429, RetryAfter: "Mon, 05 Jan 2026 08:00:30 GMT"}, calls: 2, waits: []time.Duration{30 * time.Second}},
		{name: "throttled for hours", first: llmtest.Reply{Status: 429, RetryAfter: "7200"}, calls: 1, status: 429},
		{name: "server fails", first: llmtest.Reply{Status: 503}, calls: 2},
		{name: "refused", first: llmtest.Reply{Status: 401}, calls: 1, status: 401},
		{name: "redirected", first: llmtest.Reply{Status: 307}, calls: 1, status: 307},
		{name: "not JSON", first: llmtest.Reply{Raw: "<html>"}, calls: 2, tokens: held},
		{name: "no choices", first: llmtest.Reply{Raw: `{"choices":[]}`}, calls: 2, tokens: held},
		{name: "broken off", first: llmtest.Reply{Text: "fine", BreakOff: true}, calls: 2, tokens: held},
		{name: "too slow", first: llmtest.Reply{Text: "fine", Delay: time.Minute}, calls: 2, tokens: held},
		{name: "cut at its limit", first: llmtest.Reply{Text: "fine", Finish: "length"}, calls: 1, tokens: 1, wantErr: llm.ErrCutOff},
		{name: "empty", first: llmtest.Reply{}, calls: 1, wantErr: llm.ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client, server, clock := start(t, llm.Options{Timeout: 200 * time.Millisecond}, func(n int, _ llmtest.Request) llmtest.Reply {
				if n == 0 {
					return c.first
				}
				return fine
			})
			answer, err := client.Complete(t.Context(), ask("q"))
			var status *llm.StatusError
			switch {
			case c.status != 0:
				if !errors.As(err, &status) || status.Status != c.status {
					t.Errorf("got %v, want status %d", err, c.status)
				}
			case !errors.Is(err, c.wantErr) || err == nil && answer.Text != "fine":
				t.Errorf("got %q, %v; want %v", answer.Text, err, c.wantErr)
			}
			if n := len(server.Requests()); n != c.calls {
				t.Errorf("%d requests, want %d", n, c.calls)
			}
			if c.waits != nil && (len(clock.slept) != 1 || clock.slept[0] != c.waits[0]) {
				t.Errorf("waited %v, want %v", clock.slept, c.waits)
			}
			spent := client.Spent()
			want := c.tokens
			if err == nil {
				want++ // "fine" is one of the server's tokens
			}
			if spent.InputTokens+spent.OutputTokens != want || spent.Calls != int64(c.calls) {
				t.Errorf("spent %+v, want %d tokens in %d calls", spent, want, c.calls)
			}
		})
	}
}

func TestGivesUp(t *testing.T) {
	client, server, clock := start(t, llm.Options{Attempts: 4}, func(int, llmtest.Request) llmtest.Reply { return llmtest.Reply{Status: 500} })
	if _, err := client.Complete(t.Context(), ask("q")); err == nil {
		t.Fatal("no error")
	}
	if n := len(server.Requests()); n != 4 || len(clock.slept) != 3 || clock.slept[2] <= clock.slept[0] {
		t.Errorf("%d requests, waits %v", n, clock.slept)
	}
}

// The budget holds for calls side by side too: what they may cost is set aside.
func TestBudget(t *testing.T) {
	each := ask("q").InputTokens() + 100
	cases := []struct {
		name   string
		budget llm.Budget
		most   int
	}{
		{"calls", llm.Budget{Calls: 3}, 3},
		{"tokens", llm.Budget{Tokens: 2*each + 50}, 2},
		{"money", llm.Budget{USD: float64(each) * 2.5e-6}, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var first sync.WaitGroup
			first.Add(c.most)
			client, server, _ := start(t, llm.Options{Budget: c.budget, Price: &llm.Price{Input: 1, Output: 1}, Attempts: 1},
				func(int, llmtest.Request) llmtest.Reply {
					first.Done()
					first.Wait() // nobody is charged before all that fit are under way
					return llmtest.Reply{Text: strings.Repeat("word", 100)}
				})
			var wg sync.WaitGroup
			failed := make(chan error, 8)
			for range 8 {
				wg.Go(func() {
					_, err := client.Complete(t.Context(), ask("q"))
					failed <- err
				})
			}
			wg.Wait()
			close(failed)
			refused := 0
			for err := range failed {
				if errors.Is(err, llm.ErrBudget) {
					refused++
				} else if err != nil {
					t.Error(err)
				}
			}
			if n := len(server.Requests()); n != c.most || refused != 8-c.most {
				t.Errorf("%d requests, %d refused; want %d requests", n, refused, c.most)
			}
		})
	}
}

func TestRate(t *testing.T) {
	client, _, clock := start(t, llm.Options{PerMinute: 30}, func(int, llmtest.Request) llmtest.Reply { return llmtest.Reply{Text: "fine"} })
	begin := clock.Now()
	for range 5 {
		if _, err := client.Complete(t.Context(), ask("q")); err != nil {
			t.Fatal(err)
		}
	}
	if took := clock.Now().Sub(begin); took != 8*time.Second {
		t.Errorf("five requests at 30 a minute took %s, want 8s", took)
	}
}

// Neither the key nor a prompt gets into logs and errors, even where the server
// repeats them.
func TestNothingSecretIsLogged(t *testing.T) {
	var log bytes.Buffer
	client, _, _ := start(t, llm.Options{Key: "k-secret", Attempts: 2, Logger: slog.New(slog.NewTextHandler(&log, nil))},
		func(int, llmtest.Request) llmtest.Reply {
			return llmtest.Reply{Status: http.StatusTooManyRequests, Text: "slow down, k-secret"}
		})
	_, err := client.Complete(t.Context(), ask("my diary"))
	if err == nil || log.Len() == 0 {
		t.Fatalf("error %v, log %q", err, &log)
	}
	for _, text := range []string{err.Error(), log.String()} {
		if strings.Contains(text, "k-secret") || strings.Contains(text, "diary") {
			t.Errorf("%s", text)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, opts := range []llm.Options{
		{Model: "m"}, {BaseURL: "ftp://host/v1", Model: "m"}, {BaseURL: "http://host"},
		{BaseURL: "http://host", Model: "m", Budget: llm.Budget{USD: 1}},
	} {
		if _, err := llm.New(opts); err == nil {
			t.Errorf("%+v: no error", opts)
		}
	}
}
