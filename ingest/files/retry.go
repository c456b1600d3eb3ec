package files

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/weir-lake/weir/ingest/redact"
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

// Known tells which of some event ids a table of the lake has.
type Known func(ctx context.Context, table string, ids []string) (map[string]bool, error)

// RetryOptions say how dead letters are read again.
type RetryOptions struct {
	Formats  []source.Format
	Redactor *redact.Redactor // nil: the built-in rules
	Known    Known            // what the lake has is not appended again
}

// RetrySummary is what became of dead letters. Maps have no zeros.
type RetrySummary struct {
	Letters   int64            `json:"letters"`
	Recovered int64            `json:"recovered"` // their records can be read now, or could before
	Failing   map[string]int64 `json:"failing"`   // still no good, by reason
	Gone      int64            `json:"gone"`      // neither a whole copy nor the file with the record
	Events    map[string]int64 `json:"events"`    // appended, by family
	Secrets   map[string]int64 `json:"secrets"`   // replaced, by kind
	Positions []lake.Position  `json:"-"`         // next offset of each partition written: wait for these
}

// Retry reads the records of dead letters with the formats as they are now, and
// appends the events that the lake does not have. Letters of one file have to
// come together. A record is read in its file, where that is still there and
// holds the record by its hash, so that it stands in its place; else from the
// letter's own copy, if that is whole and was not a part of a record. A record
// that still fails leaves its letter as it is. The error is the appender's, of
// known or of ctx.
func Retry(ctx context.Context, out lake.Appender, letters iter.Seq2[lake.DeadLetter, error], opts RetryOptions) (RetrySummary, error) {
	r := retry{
		ingestion: ingestion{opts: Options{Formats: opts.Formats}, out: out, redactor: opts.Redactor, now: time.Now},
		known:     opts.Known,
		summary:   RetrySummary{Failing: map[string]int64{}, Events: map[string]int64{}, Secrets: map[string]int64{}},
	}
	if r.redactor == nil {
		r.redactor = redact.New(redact.Options{})
	}
	var group []lake.DeadLetter
	for letter, err := range letters {
		if err != nil {
			return r.summary, err
		}
		if len(group) > 0 && (group[0].File != letter.File || group[0].Format != letter.Format || group[0].Stage != letter.Stage) {
			if err := r.group(ctx, group); err != nil {
				return r.summary, err
			}
			group = group[:0]
		}
		group = append(group, letter)
	}
	if err := r.group(ctx, group); err != nil {
		return r.summary, err
	}
	var err error
	if r.summary.Positions, err = out.Flush(ctx); err != nil {
		return r.summary, fmt.Errorf("ingest: %w", err)
	}
	return r.summary, nil
}

type retry struct {
	ingestion
	known   Known
	summary RetrySummary
}

// group reads the letters of one file again.
func (r *retry) group(ctx context.Context, letters []lake.DeadLetter) error {
	r.summary.Letters += int64(len(letters))
	if len(letters) == 0 {
		return nil
	}
	var here, copies []lake.DeadLetter
	if letters[0].Stage == "ingest" && letters[0].File != "" && letters[0].File != "-" {
		here = inFile(letters)
	}
	for _, letter := range letters {
		if !slices.ContainsFunc(here, func(h lake.DeadLetter) bool { return h.SHA256 == letter.SHA256 }) {
			copies = append(copies, letter)
		}
	}
	if len(here) > 0 {
		failed, err := r.read(ctx, here[0].Format, func() (*input, error) {
			return open(File{Name: here[0].File}, nil, nil)
		}, 0)
		if err != nil {
			return err
		}
		for _, letter := range here {
			r.count(cmp.Or(failed[letter.SHA256], failed[anyRecord]))
		}
	}
	for _, letter := range copies {
		if err := r.copied(ctx, letter); err != nil {
			return err
		}
	}
	return nil
}

func (r *retry) count(reason string) {
	if reason == "" {
		r.summary.Recovered++
	} else {
		r.summary.Failing[reason]++
	}
}

// part is how the detail of a reject begins whose body is a part of a record.
var part = regexp.MustCompile(`^[\w.]+\[\d+\]`)

// copied reads the copy that a letter holds.
func (r *retry) copied(ctx context.Context, letter lake.DeadLetter) error {
	body := []byte(letter.Body)
	if letter.Encoding == "base64" {
		body, _ = base64.StdEncoding.DecodeString(letter.Body)
	}
	// Where secrets were taken out the hash is another: still the whole record.
	if len(body) == 0 || letter.LengthBytes > lake.DeadLetterBytes || letter.Reason == readerFailed || part.MatchString(letter.Detail) {
		r.summary.Gone++
		return nil
	}
	if letter.Stage != "ingest" {
		return r.event(ctx, letter, body)
	}
	shift := int64(0)
	if letter.Record != nil {
		shift = *letter.Record * 1000
	}
	failed, err := r.read(ctx, letter.Format, func() (*input, error) {
		in, err := open(File{Name: "-"}, bytes.NewReader(body), nil)
		if err == nil {
			in.Name = letter.File
		}
		return in, err
	}, shift)
	if err != nil {
		return err
	}
	// The copy may be redacted, so whatever failed is this record.
	reasons := slices.Sorted(maps.Values(failed))
	r.count(append(reasons, "")[0])
	return nil
}

// event reads what a topic held: an event in weir's own form.
func (r *retry) event(ctx context.Context, letter lake.DeadLetter, body []byte) error {
	e, err := lake.DecodeEvent(body)
	if err != nil || incomplete(e) != "" {
		r.count(letter.Reason)
		return nil
	}
	payload, _ := lake.PayloadOf(e.Type)
	known, err := r.known(ctx, payload.Table, []string{e.ID})
	if err != nil {
		return err
	}
	if !known[e.ID] {
		if err := r.out.Append(ctx, e); err != nil {
			return fmt.Errorf("ingest: %w", err)
		}
		r.summary.Events[payload.Family]++
	}
	r.count("")
	return nil
}

// anyRecord stands for the hash of every record of an input that was not read
// to its end.
const anyRecord = ""

// read reads an input twice: to see which of its events the lake lacks, then
// to append those. It returns the reasons of what it rejects, by hash. shift is
// what the places of a record are off that was taken out of its file.
func (r *retry) read(ctx context.Context, format string, input func() (*input, error), shift int64) (failed map[string]string, err error) {
	failed = map[string]string{}
	ids := map[string][]string{}
	missing := map[string]bool{}
	refused := func(reject source.Reject) {
		sum := reject.SHA256
		if sum == "" {
			hash := sha256.Sum256(reject.Body)
			sum = hex.EncodeToString(hash[:])
		}
		failed[sum] = reject.Reason
		if reject.Reason == readerFailed || reject.Reason == corruptArchive {
			failed[anyRecord] = reject.Reason
		}
	}
	pass := func(keep func(*lake.Event, *lake.Payload) bool) error {
		in, err := input()
		if err != nil { // gone since it was looked for
			failed[anyRecord] = "unreadable"
			return nil
		}
		defer in.close()
		one := FileSummary{Name: in.Name, Counts: newCounts(format)}
		out := &output{ctx: ctx, run: &r.ingestion, file: &one, in: &in.Input, keep: keep, refused: refused}
		chosen, ok := r.format(format, in.probe)
		if !ok {
			failed[anyRecord] = "unknown_format"
			return nil
		}
		out.version = chosen.Version
		if err := r.ingestion.read(ctx, chosen, in, out); err != nil && out.err == nil && ctx.Err() == nil {
			failed[anyRecord] = "unreadable"
		}
		for family, n := range one.Events {
			r.summary.Events[family] += n
		}
		for kind, n := range one.Secrets {
			r.summary.Secrets[kind] += n
		}
		if out.err != nil {
			return fmt.Errorf("ingest: %s: %w", in.Name, out.err)
		}
		return ctx.Err()
	}
	err = pass(func(e *lake.Event, payload *lake.Payload) bool {
		ids[payload.Table] = append(ids[payload.Table], e.ID)
		return false
	})
	if err != nil {
		return failed, err
	}
	for table, list := range ids {
		known, err := r.known(ctx, table, list)
		if err != nil {
			return failed, err
		}
		for _, id := range list {
			if !known[id] {
				missing[id] = true
			}
		}
	}
	if len(missing) == 0 {
		return failed, nil
	}
	err = pass(func(e *lake.Event, _ *lake.Payload) bool {
		if !missing[e.ID] {
			return false
		}
		delete(missing, e.ID) // a file may say the same twice
		switch data := e.Data.(type) {
		case *lake.ChatMessage:
			data.Position += shift
		case *lake.GatewayCall:
			data.Position += shift
		}
		return true
	})
	return failed, err
}

// format finds a letter's format by its name, or by content if it had none.
func (r *retry) format(name string, p source.Probe) (source.Format, bool) {
	if name == "" {
		return r.detect(p)
	}
	for _, format := range r.opts.Formats {
		if format.Name == name {
			return format, true
		}
	}
	return source.Format{}, false
}

// inFile gives the letters whose records are still in their file.
func inFile(letters []lake.DeadLetter) (here []lake.DeadLetter) {
	in, err := open(File{Name: letters[0].File}, nil, nil)
	if err != nil {
		return nil
	}
	defer in.close()
	ordered := slices.Clone(letters)
	slices.SortStableFunc(ordered, func(a, b lake.DeadLetter) int { return int(lineOf(a) - lineOf(b)) })
	w := window{r: in.R, line: 1}
	for _, letter := range ordered {
		if line := lineOf(letter); line == 0 {
			if isWhole(letter) {
				here = append(here, letter)
			}
		} else if w.seek(line) && w.holds(letter) {
			here = append(here, letter)
		}
	}
	return here
}

func lineOf(letter lake.DeadLetter) int64 {
	if letter.Line == nil {
		return 0
	}
	return *letter.Line
}

// Reasons of letters that are of a whole file; the body of readerFailed is its
// head.
const (
	readerFailed   = "reader_failed"
	corruptArchive = "corrupt_archive"
)

// isWhole says whether the letter is of the whole file, or of its head, and
// that did not change.
func isWhole(letter lake.DeadLetter) bool {
	in, err := open(File{Name: letter.File}, nil, nil)
	if err != nil {
		return false
	}
	defer in.close()
	sum, text := sha256.New(), in.R
	if letter.Reason == readerFailed {
		text = io.LimitReader(text, letter.LengthBytes)
	}
	n, err := io.Copy(sum, text)
	return err == nil && n == letter.LengthBytes && hex.EncodeToString(sum.Sum(nil)) == letter.SHA256
}

// window looks at a file from a line on.
type window struct {
	r    io.Reader
	buf  []byte // from the start of the line
	line int64  // 1-based
	eof  bool
}

const (
	// searchBytes is how far behind the start of its line a record may begin:
	// several records on one line, or a part of a large one.
	searchBytes = 1 << 20
	// markBytes are what a record is searched by, before it is hashed.
	markBytes = 32
)

// fill reads on until the buffer holds n bytes or the file ends.
func (w *window) fill(n int64) {
	for int64(len(w.buf)) < n && !w.eof {
		chunk := make([]byte, 256<<10)
		k, err := w.r.Read(chunk)
		w.buf = append(w.buf, chunk[:k]...)
		w.eof = err != nil
	}
}

// seek goes forward to a line; false: the file has not so many.
func (w *window) seek(line int64) bool {
	for w.line < line {
		if end := bytes.IndexByte(w.buf, '\n'); end >= 0 {
			w.buf = w.buf[end+1:]
			w.line++
			continue
		}
		w.buf = nil
		if w.fill(1); len(w.buf) == 0 {
			return false
		}
	}
	return w.line == line
}

// holds says whether the letter's record begins on the line or soon after.
func (w *window) holds(letter lake.DeadLetter) bool {
	if letter.LengthBytes <= 0 || letter.LengthBytes > source.MaxRecordBytes {
		return false
	}
	w.fill(searchBytes + letter.LengthBytes)
	mark := []byte(letter.Body)
	if letter.Encoding == "base64" {
		mark, _ = base64.StdEncoding.DecodeString(letter.Body)
	}
	mark = mark[:min(len(mark), markBytes)]
	for at := 0; at <= searchBytes; at++ {
		next := bytes.Index(w.buf[min(at, len(w.buf)):], mark)
		if next < 0 || len(mark) == 0 {
			return false
		}
		at += next
		if int64(len(w.buf)-at) < letter.LengthBytes {
			return false
		}
		sum := sha256.Sum256(w.buf[at : int64(at)+letter.LengthBytes])
		if hex.EncodeToString(sum[:]) == letter.SHA256 {
			return true
		}
	}
	return false
}
