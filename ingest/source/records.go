package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"iter"
	"unicode/utf8"

	"github.com/weir-lake/weir/lake"
)

const (
	// MaxRecordBytes is the largest record that Records hands out by default.
	MaxRecordBytes = 64 << 20
	// RejectBytes is how much of a record above the limit is kept.
	RejectBytes = lake.DeadLetterBytes

	chunkBytes = 64 << 10
)

// Reasons of rejects. Records gives all but the last two.
const (
	ReasonNotJSON     = "not_json"     // a line that is no JSON
	ReasonTruncated   = "truncated"    // the input ends within the record
	ReasonWrongType   = "wrong_type"   // JSON, but no object
	ReasonInvalidUTF8 = "invalid_utf8" // JSON, but for its bytes
	ReasonTooLarge    = "too_large"    // above RecordOptions.MaxBytes
	ReasonUnknownType = "unknown_type" // a kind of record that the format does not have
	ReasonIncomplete  = "incomplete"   // a field that every record needs is missing
)

// Record is one JSON object of a stream.
type Record struct {
	Ordinal int64  // 0-based place among all records, rejected ones included
	Line    int64  // 1-based line that it starts on
	Raw     []byte // valid JSON in valid UTF-8; only valid until the next record is read
}

// Reject is the record as a reject.
func (r Record) Reject(reason, detail string) Reject {
	return Reject{Reason: reason, Detail: detail, Line: r.Line, Record: r.Ordinal, Body: r.Raw, Length: int64(len(r.Raw))}
}

// RecordOptions tune Records; the zero value suits JSON Lines.
type RecordOptions struct {
	MaxBytes   int  // of one record; 0: MaxRecordBytes
	KeepArrays bool // an array at top level is one record, not a list of records
}

// Records reads the JSON objects of in, one after the other, however they are
// laid out: a line each, several on one line, over many lines, or as the
// elements of an array. A byte-order mark and carriage returns are passed over,
// and lines may have any length.
//
// What is no record goes to out as a reject, with its line and place, and
// reading goes on at the next line. A record above the limit is read past
// without being held. The error is of in, of out or of ctx, and comes last.
func Records(ctx context.Context, in *Input, out Out, opts RecordOptions) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r := &recordReader{in: in, out: out, opts: opts, line: 1}
		if r.opts.MaxBytes == 0 {
			r.opts.MaxBytes = MaxRecordBytes
		}
		for {
			err := ctx.Err()
			var found bool
			if err == nil {
				found, err = r.next()
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			if r.record.Raw != nil && !yield(r.record, nil) {
				return
			}
			if !found {
				return
			}
		}
	}
}

// recordReader holds the bytes from the start of the record that is being read.
type recordReader struct {
	in   *Input
	out  Out
	opts RecordOptions

	store   []byte // what buf is a part of
	buf     []byte // read and not yet passed
	eof     bool
	line    int64 // of buf[0], 1-based
	started bool  // something but a byte-order mark was seen
	scan    jsonScan
	record  Record

	indent   []byte // blanks before the record on its first line
	arrayAt  int64  // line where the open array began; 0: none is open, -1: its end may have been passed over
	rescans  int64  // bytes that were looked at again after a broken record
	consumed int64  // bytes passed
}

// fill reads another chunk. It returns false at the end of the input.
func (r *recordReader) fill() (bool, error) {
	if r.eof {
		return false, nil
	}
	r.makeRoom()
	for {
		n, err := r.in.R.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		switch {
		case err == io.EOF:
			r.eof = true
			return n > 0, nil
		case err != nil:
			return false, fmt.Errorf("%s:%d: %w", r.in.Name, r.line, err)
		case n > 0:
			return true, nil
		}
	}
}

// makeRoom sees that a chunk can be read behind the buffer: it moves the buffer
// to the front of the store, or to a larger one. A store that grew for one
// large record is given up after it.
func (r *recordReader) makeRoom() {
	const usual = 16 * chunkBytes
	if len(r.buf) == 0 && cap(r.store) > usual {
		r.store = nil
	}
	switch {
	case cap(r.buf)-len(r.buf) >= chunkBytes && r.store != nil:
		return
	case cap(r.store)-len(r.buf) < chunkBytes:
		r.store = make([]byte, len(r.buf)+max(min(len(r.buf), r.opts.MaxBytes/2), chunkBytes)+chunkBytes)
	}
	r.buf = r.store[:copy(r.store, r.buf)]
}

// pass drops the first n bytes of the buffer.
func (r *recordReader) pass(n int) {
	r.line += int64(bytes.Count(r.buf[:n], []byte{'\n'}))
	r.consumed += int64(n)
	r.buf = r.buf[n:]
}

// next moves on by one record or reject; record.Raw is nil after a reject.
// It returns false when nothing is left.
func (r *recordReader) next() (bool, error) {
	if n := len(r.record.Raw); n > 0 {
		r.pass(n)
	}
	r.record = Record{}
	c, ok, err := r.skipBlanks()
	if err != nil || !ok {
		return false, err
	}
	if c == '[' && r.arrayAt <= 0 && !r.opts.KeepArrays {
		r.arrayAt = r.line
		r.pass(1)
		return true, nil
	}
	if c != '{' && c != '[' && r.arrayAt == 0 {
		return true, r.rejectLine(0, ReasonNotJSON, "no JSON object begins here")
	}
	return true, r.readValue()
}

// skipBlanks goes to the first byte of the next value and remembers the
// indentation before it.
func (r *recordReader) skipBlanks() (byte, bool, error) {
	r.indent = r.indent[:0]
	for {
		for len(r.buf) == 0 {
			ok, err := r.fill()
			if err != nil {
				return 0, false, err
			}
			if !ok {
				return 0, false, r.closeArray()
			}
		}
		if !r.started {
			for len(r.buf) < 3 && !r.eof {
				if _, err := r.fill(); err != nil {
					return 0, false, err
				}
			}
			r.started = true
			if bytes.HasPrefix(r.buf, []byte("\xef\xbb\xbf")) {
				r.pass(3)
				continue
			}
		}
		c := r.buf[0]
		switch {
		case c == '\n':
			r.indent = r.indent[:0]
		case c == ' ' || c == '\t':
			r.indent = append(r.indent, c)
		case c == '\r' || c == '\x1e': // RFC 7464 puts a record separator first
		case r.arrayAt != 0 && c == ',':
		case r.arrayAt != 0 && c == ']':
			r.arrayAt = 0
		default:
			return c, true, nil
		}
		r.pass(1)
	}
}

// closeArray is called at the end of the input. An array that was never closed
// may have had more elements.
func (r *recordReader) closeArray() error {
	line := r.arrayAt
	r.arrayAt = 0
	if line <= 0 {
		return nil
	}
	return r.reject(Reject{Reason: ReasonTruncated, Detail: "the input ends within an array", Line: line, Body: []byte("["), Length: 1})
}

// readValue reads the value that the buffer starts with: an object becomes the
// record, anything else a reject.
func (r *recordReader) readValue() error {
	r.scan.reset()
	for at := 0; ; {
		n, v := r.scan.feed(r.buf[at:])
		at += n
		if v == more && at <= r.opts.MaxBytes {
			ok, err := r.fill()
			if err != nil {
				return err
			}
			if ok {
				continue
			}
			if r.scan.state == inScalar && len(r.scan.stack) == 0 {
				return r.take(at)
			}
			return r.rejectCut(at)
		}
		switch {
		case at > r.opts.MaxBytes:
			return r.rejectLarge(at, v)
		case v == whole:
			return r.take(at)
		default:
			return r.rejectBroken(at)
		}
	}
}

// take makes a record of the first n bytes, which are bracketed well.
func (r *recordReader) take(n int) error {
	raw := r.buf[:n:n]
	reason, detail := "", ""
	switch {
	case !utf8.Valid(raw):
		reason, detail = ReasonInvalidUTF8, "bytes that are not UTF-8"
	case !json.Valid(raw):
		reason, detail = ReasonNotJSON, syntaxError(raw)
	case raw[0] == '{' || raw[0] == '[' && r.arrayAt == 0:
		r.record = Record{Ordinal: r.in.Records, Line: r.line, Raw: raw}
		r.in.Records++
		r.in.Line, r.in.Bytes = r.line, int64(len(raw))
		return nil
	default:
		reason, detail = ReasonWrongType, "an array holds something else than objects"
	}
	return r.rejectHeld(n, reason, detail)
}

func syntaxError(raw []byte) string {
	var v json.RawMessage
	if err := json.Unmarshal(raw, &v); err != nil {
		return err.Error()
	}
	return "not JSON"
}

// rejectBroken rejects a value that goes wrong at buf[at]. The cut end of one
// line often reads as if the next line were part of it, so reading goes on at
// the first line that begins as the record did, else after the current line.
func (r *recordReader) rejectBroken(at int) error {
	detail := "the line ends within the record"
	if r.buf[at] != '\n' {
		detail = fmt.Sprintf("unexpected %q", r.buf[at:at+1])
	}
	if n := r.sibling(at + 1); n > 0 {
		return r.rejectHeld(n, ReasonNotJSON, detail)
	}
	return r.rejectLine(at, ReasonNotJSON, detail)
}

// rejectCut rejects a value that the input ends in.
func (r *recordReader) rejectCut(at int) error {
	if n := r.sibling(at); n > 0 {
		return r.rejectHeld(n, ReasonNotJSON, "the line ends within the record")
	}
	r.arrayAt = 0
	return r.rejectHeld(at, ReasonTruncated, "the input ends within the record")
}

// sibling finds the first line within buf[:end] that begins as the current
// record did, and returns where it starts, 0 if there is none. Looking again at
// what was read may cost as much as reading it, but not more: hostile input
// could ask for it line by line.
func (r *recordReader) sibling(end int) int {
	if r.rescans > r.consumed+int64(end)+chunkBytes {
		return 0
	}
	opening := append(append([]byte{'\n'}, r.indent...), '{')
	n := bytes.Index(r.buf[:end], opening) + 1
	if n > 0 {
		r.rescans += int64(end - n)
	}
	return n
}

// rejectHeld rejects the first n bytes, which are all held.
func (r *recordReader) rejectHeld(n int, reason, detail string) error {
	body := bytes.TrimRight(r.buf[:n], " \t\r\n")
	err := r.reject(Reject{Reason: reason, Detail: detail, Line: r.line, Body: body, Length: int64(len(body))})
	r.pass(n)
	return err
}

// rejectLine rejects everything up to the end of the line that buf[at] is on.
func (r *recordReader) rejectLine(at int, reason, detail string) error {
	if r.arrayAt > 0 {
		r.arrayAt = -1
	}
	for {
		if end := bytes.IndexByte(r.buf[at:], '\n'); end >= 0 {
			if at += end; at > r.opts.MaxBytes {
				return r.rejectLarge(at, whole)
			}
		} else if at = len(r.buf); at <= r.opts.MaxBytes {
			if ok, err := r.fill(); err != nil {
				return err
			} else if ok {
				continue
			}
		} else {
			return r.rejectLarge(at, invalid)
		}
		if json.Valid(r.buf[:at]) {
			reason, detail = ReasonWrongType, "a line holds something else than an object"
		}
		if !utf8.Valid(r.buf[:at]) && reason == ReasonNotJSON {
			reason, detail = ReasonInvalidUTF8, "bytes that are neither JSON nor UTF-8"
		}
		return r.rejectHeld(at, reason, detail)
	}
}

// rejectLarge passes over a record that is too large to hold: to its end, or to
// the end of the line where it turns out to be none. v is the verdict on the
// first at bytes.
func (r *recordReader) rejectLarge(at int, v verdict) error {
	reject := Reject{
		Reason: ReasonTooLarge, Detail: fmt.Sprintf("more than %d bytes", r.opts.MaxBytes), Line: r.line,
	}
	sum := sha256.New()
	for {
		reject.Length += int64(at)
		reject.Body = append(reject.Body, r.buf[:min(at, RejectBytes-len(reject.Body))]...)
		sum.Write(r.buf[:at])
		r.pass(at)
		if v == whole {
			break
		}
		if len(r.buf) == 0 {
			ok, err := r.fill()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
		}
		if v == more {
			at, v = r.scan.feed(r.buf)
			continue
		}
		if at = bytes.IndexByte(r.buf, '\n'); at >= 0 {
			v = whole
		} else {
			at = len(r.buf)
		}
	}
	reject.SHA256 = hexSum(sum)
	return r.reject(reject)
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// reject hands a reject out and counts it as a record.
func (r *recordReader) reject(reject Reject) error {
	reject.Record = r.in.Records
	r.in.Records++
	return r.out.Reject(reject)
}
