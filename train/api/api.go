// Package api speaks HTTP and JSON with the job APIs of training providers. It
// knows no provider: paths and bodies are its callers'. Start at New.
//
// What may be asked again is: questions, and orders that were surely not taken
// (throttled, or never sent). An order whose fate nobody knows (a time-out, a
// broken line, a failing server) is never repeated: ErrUnsure says so, and the
// caller looks before it orders again.
//
// The key is never logged or put into errors.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/weir-lake/weir/retry"
)

const (
	maxReply = 64 << 20
	// slowestUpload is what a line is expected to carry, bytes a second.
	slowestUpload = 64 << 10
)

// Options of a Client.
type Options struct {
	BaseURL   string        // with its version; a query in it is sent with every request
	Key       string        // empty: none is sent
	KeyHeader string        // that bears the key as it is; empty: Authorization, as a bearer token
	Attempts  int           // requests for one answer, at most; 0: 6
	Timeout   time.Duration // of one request, an upload's without its body; 0: one minute
	Logger    *slog.Logger
	HTTP      *http.Client // nil: a new one that follows no redirects
	Clock     retry.Clock  // nil: the system's
}

// ErrUnsure says that nobody knows whether an order was taken.
var ErrUnsure = errors.New("it is not known whether the provider took it")

// StatusError is a reply that is not 2xx.
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

// IsRefusal tells whether the provider said no, so that asking again as before
// does not help.
func IsRefusal(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && !passes(status.Status)
}

// IsConflict tells whether the provider said that what was ordered is there
// already.
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

// IsMissing tells whether the provider said that there is no such thing.
func IsMissing(err error) bool { return hasStatus(err, http.StatusNotFound) }

func hasStatus(err error, want int) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Status == want
}

// passes tells whether a status is of the moment.
func passes(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500
}

// Client talks to one provider. It is safe for concurrent use.
type Client struct {
	opts Options
	base *url.URL
}

// New checks the options; it sends nothing.
func New(opts Options) (*Client, error) {
	base, err := url.Parse(opts.BaseURL)
	switch {
	case err != nil:
		return nil, errors.New("base URL is none") // the text may hold a password
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return nil, fmt.Errorf("base URL %q: want http or https and a host", base.Redacted())
	}
	if opts.Attempts == 0 {
		opts.Attempts = 6
	}
	if opts.Timeout == 0 {
		opts.Timeout = time.Minute
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.HTTP == nil {
		// A redirect would take the data to where nobody sent them.
		opts.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if opts.Clock == nil {
		opts.Clock = retry.System{}
	}
	return &Client{opts: opts, base: base}, nil
}

// BasePath is the path of the base URL.
func (c *Client) BasePath() string { return c.base.Path }

// Get asks until there is an answer, the attempts are used up, or the provider
// says no.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	return c.repeat(ctx, request{method: http.MethodGet, path: path, query: query}, out, func(error) bool { return true })
}

// Post orders. It repeats only what was surely not taken; ErrUnsure says that
// the order's fate is not known.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	return c.PostQuery(ctx, path, nil, in, out)
}

// PostQuery is Post with a query.
func (c *Client) PostQuery(ctx context.Context, path string, query url.Values, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	if in == nil {
		body = nil
	}
	r := request{method: http.MethodPost, path: path, query: query, kind: "application/json", length: int64(len(body)),
		body: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }}
	return c.order(ctx, r, out)
}

// Form is a file with the fields that go before it.
type Form struct {
	Fields [][2]string // name and value
	Field  string      // name of the file's field; empty: file
	Name   string      // of the file
	Bytes  int64
	Open   func() (io.ReadCloser, error)
	// Progress is told how many bytes are on their way; it may be nil.
	Progress func(done, of int64)
}

// Upload sends a file as multipart/form-data, streaming. Like Post it repeats
// only what was surely not taken.
func (c *Client) Upload(ctx context.Context, path string, form Form, out any) error {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	for _, field := range form.Fields {
		if err := w.WriteField(field[0], field[1]); err != nil {
			return err
		}
	}
	field := form.Field
	if field == "" {
		field = "file"
	}
	if _, err := w.CreateFormFile(field, form.Name); err != nil {
		return err
	}
	before := head.Len()
	if err := w.Close(); err != nil {
		return err
	}
	begin, end := head.Bytes()[:before], head.Bytes()[before:]
	r := request{
		method: http.MethodPost, path: path, kind: w.FormDataContentType(),
		// Told beforehand: some servers take no chunked bodies.
		length: int64(head.Len()) + form.Bytes,
		extra:  time.Duration(form.Bytes/slowestUpload) * time.Second,
		body: func() (io.ReadCloser, error) {
			file, err := form.Open()
			if err != nil {
				return nil, err
			}
			content := &counting{in: io.LimitReader(file, form.Bytes), of: form.Bytes, tell: form.Progress}
			return struct {
				io.Reader
				io.Closer
			}{io.MultiReader(bytes.NewReader(begin), content, bytes.NewReader(end)), file}, nil
		},
	}
	return c.order(ctx, r, out)
}

type counting struct {
	in   io.Reader
	done int64
	of   int64
	tell func(done, of int64)
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if c.done += int64(n); c.tell != nil {
		c.tell(c.done, c.of)
	}
	return n, err
}

func (c *Client) order(ctx context.Context, r request, out any) error {
	err := c.repeat(ctx, r, out, isNotTaken)
	if err != nil && !isNotTaken(err) && !IsRefusal(err) && !errors.Is(err, errOpen) {
		return fmt.Errorf("%w: %w", err, ErrUnsure)
	}
	return err
}

// isNotTaken tells that an order surely was not taken and may be given again:
// throttled, or the line was never there.
func isNotTaken(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Status == http.StatusTooManyRequests
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

type request struct {
	method string
	path   string
	query  url.Values
	kind   string // content type
	body   func() (io.ReadCloser, error)
	length int64
	extra  time.Duration // beyond the time-out
}

// repeat sends until it succeeds, or again says that it must not be repeated.
func (c *Client) repeat(ctx context.Context, r request, out any, again func(error) bool) error {
	for attempt := 1; ; attempt++ {
		after, err := c.send(ctx, r, out)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("%s %s: %w", r.method, r.path, err)
		if ctx.Err() != nil || attempt >= c.opts.Attempts || IsRefusal(err) || errors.Is(err, errOpen) || !again(err) {
			return err
		}
		wait := retry.Wait(attempt)
		if after > 0 {
			wait = after
		}
		if wait > retry.Longest {
			return fmt.Errorf("asked to wait %s: %w", wait.Round(time.Second), err)
		}
		c.opts.Logger.Warn("provider did not answer, asking again", "attempt", attempt, "wait", wait, "error", err)
		if err := c.opts.Clock.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// errOpen says that what is to be sent could not be read.
var errOpen = errors.New("body")

// send makes one request and reads its reply whole.
func (c *Client) send(ctx context.Context, r request, out any) (after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout+r.extra)
	defer cancel()
	var body io.ReadCloser
	if r.body != nil {
		if body, err = r.body(); err != nil {
			return 0, fmt.Errorf("%w: %w", errOpen, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.url(r), body)
	if err != nil {
		return 0, err
	}
	req.ContentLength = r.length
	if r.length == 0 {
		req.Body = http.NoBody // else its length would count as unknown
	}
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	switch {
	case c.opts.Key == "":
	case c.opts.KeyHeader != "":
		req.Header.Set(c.opts.KeyHeader, c.opts.Key)
	default:
		req.Header.Set("Authorization", "Bearer "+c.opts.Key)
	}
	response, err := c.opts.HTTP.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // its text repeats the URL, which may hold a password
		}
		return 0, err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	if err == nil && len(reply) > maxReply {
		err = errors.New("reply is over 64 MiB")
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return retry.After(response.Header.Get("Retry-After"), c.opts.Clock.Now()),
			&StatusError{Status: response.StatusCode, Message: retry.Message(reply, c.opts.Key, 300)}
	}
	if err != nil {
		return 0, err
	}
	if out == nil {
		return 0, nil
	}
	if err := json.Unmarshal(reply, out); err != nil {
		return 0, fmt.Errorf("reply: %w", err)
	}
	return 0, nil
}

func (c *Client) url(r request) string {
	u := c.base.JoinPath(r.path)
	query := u.Query()
	for name, values := range r.query {
		query[name] = values
	}
	u.RawQuery = query.Encode()
	return u.String()
}
