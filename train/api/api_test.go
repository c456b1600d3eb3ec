package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/train/api"
)

// clock passes only when somebody sleeps.
type clock struct {
	now   time.Time
	slept []time.Duration
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

// What is asked again, and what is not, by what the first reply was.
func TestAgain(t *testing.T) {
	cases := []struct {
		name       string
		status     int
		retryAfter string
		body       string
		getCalls   int
		postCalls  int
		unsure     bool // the order's fate, where it failed
		wait       time.Duration
	}{
		{name: "throttled", status: 429, getCalls: 2, postCalls: 2, wait: 500 * time.Millisecond},
		{name: "throttled for a time", status: 429, retryAfter: "7", getCalls: 2, postCalls: 2, wait: 7 * time.Second},
		{name: "throttled until a date", status: 429, retryAfter: "Mon, 05 Jan 2026 08:00:30 GMT", getCalls: 2, postCalls: 2, wait: 30 * time.Second},
		{name: "throttled for hours", status: 429, retryAfter: "7200", getCalls: 1, postCalls: 1},
		{name: "server fails", status: 500, getCalls: 2, postCalls: 1, unsure: true},
		{name: "gateway fails", status: 504, getCalls: 2, postCalls: 1, unsure: true},
		{name: "no JSON", status: 200, body: "<html>", getCalls: 2, postCalls: 1, unsure: true},
		{name: "refused", status: 400, getCalls: 1, postCalls: 1},
		{name: "conflict", status: 409, getCalls: 1, postCalls: 1},
		{name: "redirected", status: 307, getCalls: 1, postCalls: 1},
	}
	for _, c := range cases {
		for _, method := range []string{"GET", "POST"} {
			t.Run(c.name+" "+method, func(t *testing.T) {
				calls := 0
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if calls++; calls > 1 {
						fmt.Fprint(w, `{"id":"x"}`)
						return
					}
					w.Header().Set("Retry-After", c.retryAfter)
					w.Header().Set("Location", "/elsewhere")
					w.WriteHeader(c.status)
					fmt.Fprint(w, c.body)
				}))
				defer server.Close()
				clock := &clock{now: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)}
				client, err := api.New(api.Options{BaseURL: server.URL, Clock: clock})
				if err != nil {
					t.Fatal(err)
				}
				var out struct{ ID string }
				want := c.getCalls
				if method == "GET" {
					err = client.Get(t.Context(), "thing", nil, &out)
				} else {
					want = c.postCalls
					err = client.Post(t.Context(), "thing", map[string]int{"n": 1}, &out)
				}
				if calls != want || (err == nil) != (want == 2) || err == nil && out.ID != "x" {
					t.Errorf("%d calls, %q, %v", calls, out.ID, err)
				}
				if errors.Is(err, api.ErrUnsure) != (method == "POST" && c.unsure) {
					t.Errorf("unsure: %v", err)
				}
				if want == 2 && c.wait > 0 && (len(clock.slept) != 1 || clock.slept[0] != c.wait) {
					t.Errorf("waited %v", clock.slept)
				}
			})
		}
	}
}

// An order that nobody could take, because nobody was there, is not unsure.
func TestNobodyThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	clock := &clock{}
	client, err := api.New(api.Options{BaseURL: server.URL, Clock: clock, Attempts: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Post(t.Context(), "thing", nil, nil); err == nil || errors.Is(err, api.ErrUnsure) || len(clock.slept) != 2 {
		t.Errorf("%d waits, %v", len(clock.slept), err)
	}
}

func TestUpload(t *testing.T) {
	content := strings.Repeat("a line\n", 1000)
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		file, header, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		got, err := io.ReadAll(file)
		if err != nil || string(got) != content || header.Filename != "train.jsonl" || r.FormValue("purpose") != "fine-tune" || r.ContentLength <= int64(len(content)) {
			t.Errorf("%d bytes of %s, length %d, %v", len(got), header.Filename, r.ContentLength, err)
		}
		if r.Header.Get("api-key") != "k" || r.Header.Get("Authorization") != "" || r.URL.RawQuery != "api-version=v1" || r.URL.Path != "/base/files" {
			t.Errorf("%s, %v", r.URL, r.Header)
		}
		fmt.Fprint(w, `{"id":"file-1"}`)
	}))
	defer server.Close()
	client, err := api.New(api.Options{BaseURL: server.URL + "/base?api-version=v1", Key: "k", KeyHeader: "api-key", Clock: &clock{}})
	if err != nil {
		t.Fatal(err)
	}
	var last int64
	form := api.Form{
		Fields: [][2]string{{"purpose", "fine-tune"}}, Name: "train.jsonl", Bytes: int64(len(content)),
		Open:     func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		Progress: func(done, _ int64) { last = done },
	}
	var out struct{ ID string }
	if err := client.Upload(t.Context(), "files", form, &out); err != nil || out.ID != "file-1" || last != int64(len(content)) {
		t.Errorf("%q, %d bytes, %v", out.ID, last, err)
	}
	gone := errors.New("gone")
	form.Open = func() (io.ReadCloser, error) { return nil, gone }
	if err := client.Upload(t.Context(), "files", form, &out); !errors.Is(err, gone) || errors.Is(err, api.ErrUnsure) {
		t.Errorf("a file that cannot be opened: %v", err)
	}
}

func TestKeyIsNotTold(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, `{"detail":"no room for %s"}`, r.Header.Get("Authorization"))
	}))
	defer server.Close()
	var log bytes.Buffer
	client, err := api.New(api.Options{BaseURL: server.URL, Key: "k-secret", Attempts: 2, Clock: &clock{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	err = client.Get(t.Context(), "thing", nil, nil)
	if err == nil || log.Len() == 0 || strings.Contains(err.Error()+log.String(), "k-secret") || !strings.Contains(err.Error(), "no room") {
		t.Errorf("%v; %s", err, &log)
	}
}

func TestOptions(t *testing.T) {
	for _, base := range []string{"", "ftp://host", "http://", "http://user:pass%zz@host"} {
		if _, err := api.New(api.Options{BaseURL: base}); err == nil || strings.Contains(err.Error(), "pass") {
			t.Errorf("%q: %v", base, err)
		}
	}
}
