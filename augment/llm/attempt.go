package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/weir-lake/weir/retry"
)

// maxReply is the most that one reply may have, bytes.
const maxReply = 16 << 20

type wireRequest struct {
	Model       string    `json:"model"`
	Messages    []Message `json:"messages"`
	MaxTokens   int64     `json:"max_tokens,omitempty"`
	Seed        int64     `json:"seed"`
	Temperature float64   `json:"temperature"`
}

type wireReply struct {
	Model   string `json:"model"`
	Choices []struct {
		Message struct {
			Content *string `json:"content"`
			Refusal string  `json:"refusal"`
		} `json:"message"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		PromptTokens     int64 `json:"prompt_tokens"`
		CompletionTokens int64 `json:"completion_tokens"`
	} `json:"usage"`
}

// attemptError is why one request gave no answer.
type attemptError struct {
	err   error
	again bool          // asking again may help
	after time.Duration // the server's wish; 0: none
}

func (e *attemptError) Error() string { return e.err.Error() }
func (e *attemptError) Unwrap() error { return e.err }

func (c *Client) attempt(ctx context.Context, r Request, body []byte) (Answer, error) {
	// Held before waiting for the pace: what does not fit need not wait.
	input, output := r.InputTokens(), r.MaxTokens
	if err := c.account.hold(input, output); err != nil {
		return Answer{}, err
	}
	if err := c.pace.wait(ctx); err != nil {
		c.account.settle(input, output, 0, 0)
		return Answer{}, err
	}
	reply, status, after, err := c.send(ctx, body)
	switch {
	case err != nil:
		// The model may have done its work before the line broke.
		c.account.settle(input, output, input, output)
		return Answer{}, &attemptError{err: err, again: true}
	case status != http.StatusOK:
		c.account.settle(input, output, 0, 0)
		again := status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500
		return Answer{}, &attemptError{err: &StatusError{Status: status, Message: retry.Message(reply, c.opts.Key, 200)}, again: again, after: after}
	}
	var wire wireReply
	if err := json.Unmarshal(reply, &wire); err != nil || len(wire.Choices) == 0 {
		c.account.settle(input, output, input, output)
		return Answer{}, &attemptError{err: ErrMalformed, again: true}
	}
	answer := Answer{Model: wire.Model, InputTokens: input, OutputTokens: output}
	if wire.Usage != nil {
		answer.InputTokens, answer.OutputTokens = wire.Usage.PromptTokens, wire.Usage.CompletionTokens
	}
	if answer.Model == "" {
		answer.Model = c.opts.Model
	}
	c.account.settle(input, output, answer.InputTokens, answer.OutputTokens)
	if c.opts.Price != nil {
		usd := c.opts.Price.Cost(answer.InputTokens, answer.OutputTokens)
		answer.USD = &usd
	}
	choice := wire.Choices[0]
	switch {
	case choice.FinishReason == "length":
		return Answer{}, &attemptError{err: ErrCutOff}
	case choice.Message.Content == nil || *choice.Message.Content == "":
		return Answer{}, &attemptError{err: fmt.Errorf("%w: no text", ErrMalformed)}
	}
	answer.Text = *choice.Message.Content
	return answer, nil
}

// send makes one request and reads its reply whole.
func (c *Client) send(ctx context.Context, body []byte) (reply []byte, status int, after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, 0, 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.opts.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.opts.Key)
	}
	if c.opts.Purpose != "" {
		request.Header.Set("X-Weir-Purpose", c.opts.Purpose)
	}
	response, err := c.opts.HTTP.Do(request)
	if err != nil {
		return nil, 0, 0, err
	}
	defer response.Body.Close()
	reply, err = io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	if err == nil && len(reply) > maxReply {
		err = errors.New("reply is over 16 MiB")
	}
	if err != nil && response.StatusCode == http.StatusOK {
		return nil, 0, 0, err
	}
	return reply, response.StatusCode, retry.After(response.Header.Get("Retry-After"), c.opts.Clock.Now()), nil
}

// backoff doubles from half a second to a minute. Up to half of it is taken
// off by the request's hash, so that requests side by side do not come back
// together.
func backoff(r Request, attempt int) time.Duration {
	wait := retry.Wait(attempt)
	spread, err := strconv.ParseUint(r.Hash()[:4], 16, 16)
	if err != nil {
		return wait
	}
	return wait - wait/2*time.Duration(spread)/0xffff
}

// pace spaces requests evenly. A nil pace waits for nothing.
type pace struct {
	clock retry.Clock
	gap   time.Duration

	mu   sync.Mutex
	next time.Time
}

func (p *pace) wait(ctx context.Context) error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	now := p.clock.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	p.next = at.Add(p.gap)
	p.mu.Unlock()
	return p.clock.Sleep(ctx, at.Sub(now))
}
