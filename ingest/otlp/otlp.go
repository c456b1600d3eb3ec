// Package otlp takes OpenTelemetry's traces and logs live, by OTLP over HTTP,
// into the lake's topics: POST /v1/traces and /v1/logs, in protobuf or JSON.
// What a request holds goes the way of a file in OTLP/JSON: read by
// ingest/source/otel, secrets taken out, what cannot be understood into dead
// letters.
//
// A request is answered with success only when Kafka has acknowledged all that
// came of it. Whoever gets another answer sends it again; the events then have
// the same ids and count once. Start at New and Receiver.Serve.
package otlp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/weir-lake/weir/ingest/files"
	"github.com/weir-lake/weir/ingest/redact"
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/otel"
	"github.com/weir-lake/weir/lake"
)

const (
	// DefaultMaxBody is the largest request, unpacked. SDKs send some hundred
	// spans at once.
	DefaultMaxBody = 16 << 20
	// DefaultMaxInFlight bounds the requests that are under way together. What is
	// made of a request takes several times its bytes.
	DefaultMaxInFlight = 32 << 20
	// DefaultAckTimeout stays below the 10 s that SDKs wait for an answer.
	DefaultAckTimeout = 8 * time.Second

	retryAfter = 5 * time.Second
	// grace is how long running requests have after a stop.
	grace = 10 * time.Second
)

// Options of New.
type Options struct {
	// Open gives the appender to write to. It is called when the first request
	// comes, and again after an appender failed.
	Open        func(context.Context) (lake.Appender, error)
	Redactor    *redact.Redactor // nil: the built-in rules
	MaxBody     int64            // bytes of a request, unpacked; 0: DefaultMaxBody
	MaxInFlight int64            // bytes of all requests under way, unpacked; 0: DefaultMaxInFlight
	AckTimeout  time.Duration    // how long a request waits for Kafka; 0: DefaultAckTimeout
	Logger      *slog.Logger     // what was refused for weir's own reasons; nil: none
	Now         func() time.Time // clock of dead letters and of Load; nil: time.Now
}

// Stats count what a Receiver acknowledged.
type Stats struct {
	Requests    int64 `json:"requests"`
	Events      int64 `json:"events"` // dead letters apart
	DeadLetters int64 `json:"dead_letters"`
	Refused     int64 `json:"refused"` // requests that got another answer than success
	Bytes       int64 `json:"bytes"`   // of acknowledged requests, unpacked
}

// Load is how a Receiver does now.
type Load struct {
	InFlight     int64     // bytes of requests under way, unpacked
	Unwritten    int64     // requests that Kafka did not take, or not in time
	Acknowledged time.Time // when Kafka last took a request; zero: never
	Failed       time.Time // when it last did not; zero: never
}

// Receiver is an http.Handler for OTLP. Close it after the last request.
type Receiver struct {
	opts      Options
	formats   []source.Format
	committer *committer
	inFlight  atomic.Int64
	closing   atomic.Bool

	requests, events, deadLetters, refused, bytes, unwritten atomic.Int64
	acknowledged, failed                                     atomic.Int64 // Unix ns; 0: never
}

// New is a receiver that writes to the appender of opts.Open.
func New(opts Options) *Receiver {
	opts.MaxBody = cmp.Or(opts.MaxBody, DefaultMaxBody)
	opts.MaxInFlight = cmp.Or(opts.MaxInFlight, DefaultMaxInFlight)
	opts.AckTimeout = cmp.Or(opts.AckTimeout, DefaultAckTimeout)
	if opts.Redactor == nil {
		opts.Redactor = redact.New(redact.Options{})
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Receiver{opts: opts, formats: []source.Format{otel.Format()}, committer: newCommitter(opts.Open)}
}

// Stats counts so far.
func (r *Receiver) Stats() Stats {
	return Stats{Requests: r.requests.Load(), Events: r.events.Load(), DeadLetters: r.deadLetters.Load(), Refused: r.refused.Load(), Bytes: r.bytes.Load()}
}

// Load is for metrics and health checks.
func (r *Receiver) Load() Load {
	at := func(ns int64) time.Time {
		if ns == 0 {
			return time.Time{}
		}
		return time.Unix(0, ns).UTC()
	}
	return Load{
		InFlight: r.inFlight.Load(), Unwritten: r.unwritten.Load(),
		Acknowledged: at(r.acknowledged.Load()), Failed: at(r.failed.Load()),
	}
}

// Serve answers requests on the listener until ctx ends; then it takes no new
// ones, lets the running ones end for up to 10 s, and closes the receiver. The
// error is the listener's, or says that requests were cut off: whoever sent
// them was told nothing and will send them again.
func (r *Receiver) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: r, ErrorLog: slog.NewLogLogger(r.opts.Logger.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("otlp: %w", err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if stop := server.Shutdown(ending); stop != nil && err == nil {
		err = fmt.Errorf("otlp: requests were cut off: %w", stop)
		server.Close()
	}
	r.Close(ending)
	return err
}

// Close refuses what still comes and waits until what was taken is written, or
// ctx ends.
func (r *Receiver) Close(ctx context.Context) {
	r.closing.Store(true)
	r.committer.close(ctx)
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	call, fault := r.receive(req)
	if fault == nil {
		r.requests.Add(1)
		r.events.Add(call.events)
		r.deadLetters.Add(call.rejected)
		r.bytes.Add(call.bytes)
		call.encoding.succeed(w, call.signal, call.rejected)
		return
	}
	r.refused.Add(1)
	if fault.status >= 500 || fault.status == http.StatusTooManyRequests {
		r.opts.Logger.Warn("otlp: refused", "status", fault.status, "cause", fault.message)
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	}
	if fault.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	call.encoding.fail(w, fault)
}

// fault is an answer other than success.
type fault struct {
	status  int
	message string
}

// received is a request that is understood so far.
type received struct {
	encoding encoding // of the answer
	signal   *signal
	bytes    int64
	events   int64
	rejected int64 // records that became dead letters
}

// receive takes a request in, all the way.
func (r *Receiver) receive(req *http.Request) (received, *fault) {
	call := received{encoding: encodingOf(req.Header.Get("Content-Type"))}
	if call.signal = signals[req.URL.Path]; call.signal == nil {
		return call, &fault{http.StatusNotFound, "there are /v1/traces and /v1/logs"}
	}
	switch {
	case req.Method != http.MethodPost:
		return call, &fault{http.StatusMethodNotAllowed, "OTLP is sent by POST"}
	case call.encoding == unknown:
		return call, &fault{http.StatusUnsupportedMediaType, "Content-Type is neither application/x-protobuf nor application/json"}
	case r.closing.Load():
		return call, &fault{http.StatusServiceUnavailable, "weir is stopping"}
	}
	hold := &holding{of: r}
	defer func() { hold.release() }()
	body, bad := r.body(req, hold)
	if bad != nil {
		return call, bad
	}
	call.bytes = int64(len(body))
	document, err := call.encoding.document(body, call.signal)
	if err != nil {
		return call, &fault{http.StatusBadRequest, err.Error()}
	}
	batch := &collected{from: "otlp://" + remote(req)}
	summary, err := files.Ingest(req.Context(), batch, files.Options{
		Paths: []string{"-"}, Stdin: bytes.NewReader(document), Formats: r.formats, Format: r.formats[0].Name,
		Redactor: r.opts.Redactor, Now: r.opts.Now,
	})
	if err != nil {
		return call, &fault{http.StatusServiceUnavailable, err.Error()}
	}
	ctx, cancel := context.WithTimeout(req.Context(), r.opts.AckTimeout)
	defer cancel()
	taken, err := r.committer.commit(ctx, batch.events, hold.release)
	if taken {
		hold = &holding{of: r} // the committer's now
	}
	if err != nil {
		r.unwritten.Add(1)
		r.failed.Store(r.opts.Now().UnixNano())
		what := "Kafka did not take it: " + err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			what = "Kafka did not acknowledge in time"
		}
		return call, &fault{http.StatusServiceUnavailable, what}
	}
	if taken {
		r.acknowledged.Store(r.opts.Now().UnixNano())
	}
	call.events, call.rejected = summary.Total.EventCount(), summary.Total.DeadLetterCount()
	return call, nil
}

// remote is the host that sent a request: dead letters name it as their file.
func remote(req *http.Request) string {
	host, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		return "client"
	}
	return host
}

// collected is an appender that keeps what one request gives.
type collected struct {
	from   string
	events []lake.Event
}

func (c *collected) Append(_ context.Context, events ...lake.Event) error {
	for _, e := range events {
		if letter, ok := e.Data.(*lake.DeadLetter); ok {
			letter.File = c.from
		}
		c.events = append(c.events, e)
	}
	return nil
}

func (c *collected) Flush(context.Context) ([]lake.Position, error) { return nil, nil }

// holding is what a request has of the bytes that may be under way.
type holding struct {
	of    *Receiver
	bytes int64
}

// take asks for n more bytes.
func (h *holding) take(n int64) bool {
	h.bytes += n
	return h.of.inFlight.Add(n) <= h.of.opts.MaxInFlight
}

func (h *holding) release() {
	h.of.inFlight.Add(-h.bytes)
	h.bytes = 0
}
