package retry_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/retry"
)

func TestAfter(t *testing.T) {
	now := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0.25": 250 * time.Millisecond, "-3": 0, "soon": 0, "1e9": 0,
		"Mon, 05 Jan 2026 08:00:30 GMT": 30 * time.Second, "Mon, 05 Jan 2026 07:00:00 GMT": 0,
	} {
		if got := retry.After(header, now); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

func TestWait(t *testing.T) {
	for attempt, want := range map[int]time.Duration{
		0: 500 * time.Millisecond, 1: 500 * time.Millisecond, 2: time.Second, 5: 8 * time.Second, 8: time.Minute, 1000: time.Minute,
	} {
		if got := retry.Wait(attempt); got != want {
			t.Errorf("attempt %d: %s, want %s", attempt, got, want)
		}
	}
}

func TestMessage(t *testing.T) {
	for reply, want := range map[string]string{
		`{"error":{"message":"no such\n model","code":1}}`: "no such model",
		`{"error":"quota"}`:                                       "quota",
		`{"message":"slow down","detail":[]}`:                     "slow down",
		`{"object":"error","message":{"detail":[{"msg":"bad"}]}}`: `{"detail":[{"msg":"bad"}]}`,
		`{"detail":[{"loc":["body"]}]}`:                           `[{"loc":["body"]}]`,
		`{"error":null,"message":""}`:                             `{"error":null,"message":""}`,
		`<html>k-secret</html>`:                                   "<html>[key]</html>",
		strings.Repeat("é", 90):                                   strings.Repeat("é", 60) + "…",
	} {
		if got := retry.Message([]byte(reply), "k-secret", 60); got != want {
			t.Errorf("%s: %q, want %q", reply, got, want)
		}
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	if err := (retry.System{}).Sleep(ctx, time.Hour); err == nil || time.Since(begun) > time.Minute {
		t.Errorf("slept on: %v", err)
	}
	if err := (retry.System{}).Sleep(t.Context(), 0); err != nil {
		t.Error(err)
	}
}
