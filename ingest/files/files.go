// Package files takes native log files into the lake's topics: it finds the
// files, opens what is compressed, finds the format of each, takes secrets out
// of what the format reads, and appends the events. What cannot be understood
// is appended as a dead letter and counted. Start at Ingest.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/redact"
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

// Options say what to ingest and how.
type Options struct {
	Paths    []string         // files, folders, or - for Stdin
	Remotes  []Remote         // read after the files
	Stdin    io.Reader        // what - stands for
	Formats  []source.Format  // the formats to choose from
	Format   string           // name of the format of all files; empty: found by content
	Redactor *redact.Redactor // nil: the built-in rules
	// Progress is called while files are read, with the bytes (as stored) since
	// its last call. It may be nil.
	Progress func(bytes int64)
	Now      func() time.Time // clock of dead letters; nil: time.Now
}

// Remote is a source that is no file, such as a database: its format knows
// where it is and does not read the input.
type Remote struct {
	Name   string // for messages and dead letters: without secrets
	Format source.Format
}

// Summary is what Ingest did.
type Summary struct {
	Files     []FileSummary   `json:"files"` // in the order of reading
	Formats   []Counts        `json:"formats"`
	Total     Counts          `json:"total"`
	Positions []lake.Position `json:"-"` // next offset of each partition written: wait for these
}

// FileSummary is what became of a file.
type FileSummary struct {
	Name string `json:"name"` // as named, or found below a named folder
	Counts
	Error string `json:"error,omitempty"` // why it could not be read, or not to its end
}

// Counts count files, records and events. Maps have no zeros.
type Counts struct {
	Format      string           `json:"format,omitempty"` // empty: none fits
	Files       int64            `json:"files"`
	Bytes       int64            `json:"bytes"`   // as stored
	Records     int64            `json:"records"` // what the format calls a record; 0 where it does not count them
	Events      map[string]int64 `json:"events"`  // by family, dead letters apart
	DeadLetters map[string]int64 `json:"dead_letters"`
	Secrets     map[string]int64 `json:"secrets"` // replaced, by kind
}

// EventCount is the number of events, dead letters apart.
func (c Counts) EventCount() int64 { return sum(c.Events) }

// DeadLetterCount is the number of dead letters.
func (c Counts) DeadLetterCount() int64 { return sum(c.DeadLetters) }

func sum(m map[string]int64) int64 {
	var total int64
	for _, n := range m {
		total += n
	}
	return total
}

func newCounts(format string) Counts {
	return Counts{Format: format, Events: map[string]int64{}, DeadLetters: map[string]int64{}, Secrets: map[string]int64{}}
}

func (c *Counts) add(other Counts) {
	c.Files += other.Files
	c.Bytes += other.Bytes
	c.Records += other.Records
	for _, m := range []struct{ to, from map[string]int64 }{{c.Events, other.Events}, {c.DeadLetters, other.DeadLetters}, {c.Secrets, other.Secrets}} {
		for key, n := range m.from {
			m.to[key] += n
		}
	}
}

// ErrUnreadable says that the run went through but some files could not be
// read, or not to their end. The summary names them.
var ErrUnreadable = errors.New("some files could not be read")

// Ingest reads the files in order and appends their events; it returns when the
// appender has them. A path that does not exist, or an unknown format, is an
// error before anything is appended: a typing error leaves the lake as it is.
// Files below a named folder that cannot be read do not stop the others; the
// error then wraps ErrUnreadable and the summary is whole. Any other error is
// the appender's or the context's and ends the run.
func Ingest(ctx context.Context, out lake.Appender, opts Options) (Summary, error) {
	run := ingestion{opts: opts, out: out, redactor: opts.Redactor, now: opts.Now}
	if run.redactor == nil {
		run.redactor = redact.New(redact.Options{})
	}
	if run.now == nil {
		run.now = time.Now
	}
	if err := run.choose(); err != nil {
		return Summary{}, err
	}
	list, err := List(opts.Paths)
	if err != nil {
		return Summary{}, err
	}
	var summary Summary
	summary.Total = newCounts("")
	formats := map[string]Counts{}
	unreadable := 0
	for i := range len(list) + len(opts.Remotes) {
		var one FileSummary
		if i < len(list) {
			one, err = run.file(ctx, list[i])
		} else {
			one, err = run.remote(ctx, opts.Remotes[i-len(list)])
		}
		if err != nil {
			return summary, err
		}
		if one.Error != "" {
			unreadable++
		}
		summary.Files = append(summary.Files, one)
		summary.Total.add(one.Counts)
		counts, ok := formats[one.Format]
		if !ok {
			counts = newCounts(one.Format)
		}
		counts.add(one.Counts)
		formats[one.Format] = counts
	}
	for _, name := range slices.Sorted(maps.Keys(formats)) {
		summary.Formats = append(summary.Formats, formats[name])
	}
	if summary.Positions, err = out.Flush(ctx); err != nil {
		return summary, fmt.Errorf("ingest: %w", err)
	}
	if unreadable > 0 {
		return summary, fmt.Errorf("ingest: %d of %d files: %w", unreadable, len(summary.Files), ErrUnreadable)
	}
	return summary, nil
}

// ingestion is a run.
type ingestion struct {
	opts     Options
	out      lake.Appender
	redactor *redact.Redactor
	now      func() time.Time
	forced   *source.Format
}

// choose finds the format that was asked for by name.
func (run *ingestion) choose() error {
	if run.opts.Format == "" {
		return nil
	}
	var names []string
	for i, format := range run.opts.Formats {
		if format.Name == run.opts.Format {
			run.forced = &run.opts.Formats[i]
			return nil
		}
		names = append(names, format.Name)
	}
	return lake.WithHint(fmt.Errorf("ingest: unknown format %q", run.opts.Format), fmt.Sprintf("formats: %v", names))
}

// detectFloor is the confidence below which a file has no known format.
const detectFloor = 20

// detect finds the format that is surest of a file; the first of equals.
func (run *ingestion) detect(p source.Probe) (source.Format, bool) {
	if run.forced != nil {
		return *run.forced, true
	}
	best, at := 0, -1
	for i, format := range run.opts.Formats {
		if sure := detectSafely(format, p); sure > best {
			best, at = sure, i
		}
	}
	if at < 0 || best < detectFloor {
		return source.Format{}, false
	}
	return run.opts.Formats[at], true
}

// detectSafely takes a detector that panics for one that says no.
func detectSafely(format source.Format, p source.Probe) (sure int) {
	defer func() {
		if recover() != nil {
			sure = 0
		}
	}()
	return format.Detect(p)
}

// file ingests one file. The error ends the run; what is wrong with the file
// is in its summary or in the dead letters.
func (run *ingestion) file(ctx context.Context, file File) (FileSummary, error) {
	one := FileSummary{Name: file.Name, Counts: newCounts("")}
	one.Files = 1
	in, err := open(file, run.opts.Stdin, run.opts.Progress)
	if err != nil {
		one.Error = err.Error()
		return one, nil
	}
	defer in.close()
	out := &output{ctx: ctx, run: run, file: &one, in: &in.Input}
	if in.empty {
		err = out.rejectArchive(in) // an empty file is no fault
	} else if format, ok := run.detect(in.probe); ok {
		one.Format, out.version = format.Name, format.Version
		err = run.read(ctx, format, in, out)
		one.Records = in.Input.Records
	} else {
		err = out.Reject(whole(in.R, source.Reject{Reason: "unknown_format", Detail: "no format fits the file's content", Record: -1}))
	}
	if err == nil {
		err = in.stored.err
	}
	one.Bytes = in.stored.count
	return run.ended(ctx, one, out, err)
}

// remote ingests a source that is no file, as file does.
func (run *ingestion) remote(ctx context.Context, remote Remote) (FileSummary, error) {
	one := FileSummary{Name: remote.Name, Counts: newCounts(remote.Format.Name)}
	one.Files = 1
	in := &input{Input: source.Input{Name: remote.Name, R: strings.NewReader("")}}
	out := &output{ctx: ctx, run: run, file: &one, in: &in.Input, version: remote.Format.Version}
	err := run.read(ctx, remote.Format, in, out)
	one.Records = in.Records
	return run.ended(ctx, one, out, err)
}

// ended tells what ends the run from what only spoils the file.
func (run *ingestion) ended(ctx context.Context, one FileSummary, out *output, err error) (FileSummary, error) {
	if out.err != nil {
		return one, fmt.Errorf("ingest: %s: %w", one.Name, out.err)
	}
	if ctx.Err() != nil {
		return one, ctx.Err()
	}
	if err != nil {
		one.Error = err.Error()
	}
	return one, nil
}
