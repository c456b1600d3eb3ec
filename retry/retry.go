// Package retry has what clients of other people's APIs share when an answer
// does not come: a clock, the waits between attempts, and what a failing server
// says. It sends nothing and decides nothing: whether something may be asked
// again is its callers' to know.
package retry

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// Longest is what a client waits at a server's word; a server that asks for
	// more is not waited for.
	Longest = 5 * time.Minute

	firstWait = 500 * time.Millisecond
	lastWait  = time.Minute
)

// Clock tells and spends time.
type Clock interface {
	Now() time.Time
	// Sleep returns early with the context's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// System is the system's clock.
type System struct{}

// Now is time.Now.
func (System) Now() time.Time { return time.Now() }

// Sleep waits for the duration or the context's end.
func (System) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Wait is the time after the n-th attempt, from 1: it doubles from half a second
// to a minute.
func Wait(attempt int) time.Duration {
	return min(lastWait, firstWait<<min(max(attempt-1, 0), 10))
}

// After reads a Retry-After header: seconds, or a date. It is 0 where the header
// names no time to come.
func After(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseFloat(header, 64); err == nil && seconds > 0 && seconds < 1e6 {
		return time.Duration(seconds * float64(time.Second))
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// Message is what a failing server's reply says, in the forms that are usual
// (error.message, error, message, detail), else the reply's beginning: one line
// of at most so many characters. The key is taken out: some servers repeat it.
func Message(reply []byte, key string, most int) string {
	text := message(reply)
	if key != "" {
		text = strings.ReplaceAll(text, key, "[key]")
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}

func message(reply []byte) string {
	var wire struct {
		Error   json.RawMessage `json:"error"`
		Message json.RawMessage `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(reply, &wire) == nil {
		var inner struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(wire.Error, &inner) == nil && inner.Message != "" {
			return inner.Message
		}
		for _, raw := range []json.RawMessage{wire.Message, wire.Error, wire.Detail} {
			var text string
			if json.Unmarshal(raw, &text) == nil && text != "" {
				return text
			}
			if len(raw) > 0 && string(raw) != "null" && string(raw) != `""` {
				return string(raw)
			}
		}
	}
	return string(reply[:min(len(reply), 1000)])
}
