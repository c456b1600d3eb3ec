// Package llm talks to any endpoint that speaks OpenAI's chat completions: one
// request, one answer, within a budget and a rate. It knows no prompt and no
// example. Start at New; llmtest has a server for tests.
//
// Requests that were throttled (429), that the server failed on (5xx), that
// were cut off or came back unreadable are sent again, each time later; the
// server's Retry-After rules. What may have been billed counts: a request that
// was cut off is charged in full, one that was refused is not.
//
// Neither prompts and answers nor the key are ever logged or put into errors.
package llm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/weir-lake/weir/retry"
)

// Options of a Client.
type Options struct {
	BaseURL     string // with its version: https://api.example.com/v1
	Key         string // bearer token; empty: none is sent
	Model       string
	Attempts    int           // requests for one answer, at most; 0: 5
	Timeout     time.Duration // of one request; 0: two minutes
	PerMinute   int           // requests a minute, evenly spaced; 0: no limit
	Budget      Budget
	Price       *Price // nil: not known
	Temperature float64
	Purpose     string // sent as X-Weir-Purpose, so that a gateway's log of these calls can be told apart
	Logger      *slog.Logger
	HTTP        *http.Client // nil: a new one that follows no redirects
	Clock       retry.Clock  // nil: the system's
}

// Message of a request.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Request is one question. Equal requests have equal hashes.
type Request struct {
	Messages  []Message
	MaxTokens int64 // of the answer
	Seed      int64
}

// InputTokens is a guess at what a request comes to: a token for every three
// bytes, which is more than English text and JSON have, and four a message.
func (r Request) InputTokens() int64 {
	n := int64(4)
	for _, m := range r.Messages {
		n += int64(len(m.Content)+2)/3 + 4
	}
	return n
}

// Hash is the sha256 of the messages, in hex.
func (r Request) Hash() string {
	h := sha256.New()
	for _, m := range r.Messages {
		h.Write([]byte(m.Role + "\x1f" + m.Content + "\x1e"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Answer is what came back.
type Answer struct {
	Text         string
	Model        string // as the server names it, else as it was asked for
	InputTokens  int64
	OutputTokens int64
	USD          *float64 // nil: no price is known
}

// Errors that callers tell apart; StatusError is the third kind.
var (
	// ErrMalformed says that the reply is not a chat completion.
	ErrMalformed = errors.New("malformed reply")
	// ErrCutOff says that the answer ended at its length limit.
	ErrCutOff = errors.New("answer was cut off at its length limit")
)

// StatusError is a reply that is not 200.
type StatusError struct {
	Status  int
	Message string // what the server says, shortened
}

func (e *StatusError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("status %d", e.Status)
	}
	return fmt.Sprintf("status %d: %s", e.Status, e.Message)
}

// Client asks one model. It is safe for concurrent use.
type Client struct {
	opts    Options
	url     string
	account *account
	pace    *pace
}

// ErrNoPrice says that money cannot be counted.
var ErrNoPrice = errors.New("a budget in money needs the model's price")

// New checks the options; it sends nothing.
func New(opts Options) (*Client, error) {
	base, err := url.Parse(opts.BaseURL)
	switch {
	case err != nil:
		return nil, errors.New("llm: base URL is none") // the text may hold a password
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return nil, fmt.Errorf("llm: base URL %q: want http or https and a host", base.Redacted())
	case opts.Model == "":
		return nil, errors.New("llm: no model")
	case opts.Budget.USD > 0 && opts.Price == nil:
		return nil, fmt.Errorf("llm: %s: %w", opts.Model, ErrNoPrice)
	}
	if opts.Attempts == 0 {
		opts.Attempts = 5
	}
	if opts.Timeout == 0 {
		opts.Timeout = 2 * time.Minute
	}
	if opts.Clock == nil {
		opts.Clock = retry.System{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.HTTP == nil {
		// A redirect would take prompts to where nobody sent them.
		opts.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	c := &Client{opts: opts, url: base.JoinPath("chat", "completions").String(), account: &account{budget: opts.Budget}}
	if opts.Price != nil {
		c.account.price = *opts.Price
	}
	if opts.PerMinute > 0 {
		c.pace = &pace{clock: opts.Clock, gap: time.Minute / time.Duration(opts.PerMinute)}
	}
	return c, nil
}

// Model is the model that is asked.
func (c *Client) Model() string { return c.opts.Model }

// Spent is what was spent so far.
func (c *Client) Spent() Spent { return c.account.total() }

// Complete asks until there is an answer, the attempts or the budget are used
// up, or the error is one that asking again does not mend.
func (c *Client) Complete(ctx context.Context, r Request) (Answer, error) {
	body, err := json.Marshal(wireRequest{
		Model: c.opts.Model, Messages: r.Messages, MaxTokens: r.MaxTokens, Seed: r.Seed, Temperature: c.opts.Temperature,
	})
	if err != nil {
		return Answer{}, fmt.Errorf("llm: %w", err)
	}
	for attempt := 1; ; attempt++ {
		answer, err := c.attempt(ctx, r, body)
		if err == nil {
			return answer, nil
		}
		var failed *attemptError
		if !errors.As(err, &failed) || !failed.again || attempt == c.opts.Attempts || ctx.Err() != nil {
			return Answer{}, fmt.Errorf("llm: %s: %w", c.opts.Model, err)
		}
		wait := backoff(r, attempt)
		if failed.after > 0 {
			wait = failed.after
		}
		if wait > retry.Longest {
			return Answer{}, fmt.Errorf("llm: %s: asked to wait %s: %w", c.opts.Model, wait.Round(time.Second), err)
		}
		c.opts.Logger.Warn("model did not answer, asking again", "model", c.opts.Model, "prompt", r.Hash()[:12], "attempt", attempt, "wait", wait, "error", err)
		if err := c.opts.Clock.Sleep(ctx, wait); err != nil {
			return Answer{}, fmt.Errorf("llm: %w", err)
		}
	}
}
