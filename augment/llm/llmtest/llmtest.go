// Package llmtest is an OpenAI-compatible server for tests. What it answers
// depends on the request alone, so equal seeds give equal outputs; it fails as
// it is told to: throttles, breaks off, answers nonsense, or takes its time.
// Start at New.
package llmtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	"github.com/weir-lake/weir/augment/llm"
)

// Request is what the server is asked.
type Request struct {
	Model     string        `json:"model"`
	Messages  []llm.Message `json:"messages"`
	MaxTokens int64         `json:"max_tokens"`
	Seed      int64         `json:"seed"`

	Key     string `json:"-"` // bearer token
	Purpose string `json:"-"` // X-Weir-Purpose
}

// Reply is what it does. The zero value answers with an empty text.
type Reply struct {
	Text       string
	Status     int           // other than 0 and 200: an error
	RetryAfter string        // header
	Delay      time.Duration // before it answers
	Raw        string        // body instead of a completion
	BreakOff   bool          // the connection breaks in the middle of the body
	Finish     string        // finish_reason; empty: stop
	NoUsage    bool
}

// Server answers chat completions.
type Server struct {
	*httptest.Server

	mu     sync.Mutex
	seen   []Request
	answer func(n int, r Request) Reply
}

// New starts a server; the n-th request (from 0) gets what answer says. It is
// to be closed.
func New(answer func(n int, r Request) Reply) *Server {
	s := &Server{answer: answer}
	s.Server = httptest.NewServer(s)
	return s
}

// BaseURL is what a client is given.
func (s *Server) BaseURL() string { return s.URL + "/v1" }

// Requests are those that came so far, in their order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.seen...)
}

// ServeHTTP is http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, h *http.Request) {
	var r Request
	if err := json.NewDecoder(h.Body).Decode(&r); err != nil || h.URL.Path != "/v1/chat/completions" {
		http.Error(w, "no chat completion", http.StatusBadRequest)
		return
	}
	r.Key, r.Purpose = h.Header.Get("Authorization"), h.Header.Get("X-Weir-Purpose")
	s.mu.Lock()
	n := len(s.seen)
	s.seen = append(s.seen, r)
	s.mu.Unlock()

	reply := s.answer(n, r)
	select {
	case <-time.After(reply.Delay):
	case <-h.Context().Done():
		return
	}
	body := []byte(reply.Raw)
	if reply.Raw == "" {
		body = completion(r, reply)
	}
	if reply.RetryAfter != "" {
		w.Header().Set("Retry-After", reply.RetryAfter)
	}
	w.Header().Set("Content-Type", "application/json")
	if reply.BreakOff {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		body = body[:len(body)/2]
	}
	if reply.Status != 0 {
		w.WriteHeader(reply.Status)
	}
	_, _ = w.Write(body) // a client that left is the test's own doing
}

func completion(r Request, reply Reply) []byte {
	if reply.Status != 0 && reply.Status != http.StatusOK {
		return fmt.Appendf(nil, `{"error":{"message":%q}}`, reply.Text)
	}
	finish := reply.Finish
	if finish == "" {
		finish = "stop"
	}
	out := map[string]any{
		"model":   r.Model,
		"choices": []any{map[string]any{"message": map[string]any{"role": "assistant", "content": reply.Text}, "finish_reason": finish}},
	}
	if !reply.NoUsage {
		prompt := 0
		for _, m := range r.Messages {
			prompt += len(m.Content) / 4
		}
		out["usage"] = map[string]any{"prompt_tokens": prompt, "completion_tokens": len(reply.Text) / 4}
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil // a map of strings and numbers always encodes
	}
	return body
}
