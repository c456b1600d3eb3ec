package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

// read reads a file with its format. A panic of the format ends the file, not
// the run.
func (run *ingestion) read(ctx context.Context, format source.Format, in *input, out *output) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = out.Reject(source.Reject{
				Reason: readerFailed, Detail: fmt.Sprintf("the reader of %s stopped: %v", format.Name, fault),
				Record: -1, Body: in.probe.Head, Length: int64(len(in.probe.Head)),
			})
		}
	}()
	if err := format.Read(ctx, &in.Input, out); err != nil {
		return err
	}
	return out.rejectArchive(in)
}

// output takes what a format reads of one file.
type output struct {
	ctx     context.Context
	run     *ingestion
	file    *FileSummary
	in      *source.Input
	version int64
	err     error // of the appender: ends the run

	// Of a retry, else nil: which events to append, and who is told of rejects
	// instead of the dead letters.
	keep    func(*lake.Event, *lake.Payload) bool
	refused func(source.Reject)
}

// Emit implements source.Out.
func (o *output) Emit(e lake.Event) error {
	if o.err != nil {
		return o.err
	}
	if what := incomplete(e); what != "" {
		body, _ := json.Marshal(e.Data)
		return o.Reject(source.Reject{
			Reason: source.ReasonIncomplete, Detail: fmt.Sprintf("event %s of type %s: %s", e.ID, e.Type, what), Record: -1, Body: body,
		})
	}
	if e.ParserVersion == 0 {
		e.ParserVersion = o.version
	}
	payload, _ := lake.PayloadOf(e.Type)
	if o.keep != nil && !o.keep(&e, payload) {
		return nil
	}
	if o.in.Bytes > lake.MaxEventBytes/2 {
		if large, err := o.rejectLarge(e); large || err != nil {
			return err
		}
	}
	o.append(e)
	if o.err == nil {
		o.file.Events[payload.Family]++
	}
	return o.err
}

// rejectLarge rejects an event that no topic takes. The appender would see to
// it too, but does not know the place.
func (o *output) rejectLarge(e lake.Event) (bool, error) {
	encoded, err := e.Encode()
	if err != nil || len(encoded) <= lake.MaxEventBytes {
		return false, err
	}
	return true, o.Reject(source.Reject{
		Reason: source.ReasonTooLarge, Detail: fmt.Sprintf("event %s of type %s: more than %d bytes", e.ID, e.Type, lake.MaxEventBytes),
		Line: o.in.Line, Record: o.in.Records - 1, Body: encoded, Length: int64(len(encoded)),
	})
}

// rejectArchive rejects a compressed file that could not be unpacked to its
// end. It does nothing for other files.
func (o *output) rejectArchive(in *input) error {
	if in.unpacked == nil || in.unpacked.err == nil {
		return nil
	}
	reject := source.Reject{Reason: corruptArchive, Detail: in.unpacked.err.Error() + "; what came before was read", Record: -1}
	if f, err := os.Open(in.Name); err == nil { // standard input is gone
		defer f.Close()
		reject = whole(f, reject)
	}
	return o.Reject(reject)
}

// incomplete says what an event lacks that the appender insists on. A reader
// that lets such an event through has a bug, and one file of it shall not stop
// the others.
func incomplete(e lake.Event) string {
	switch _, known := lake.PayloadOf(e.Type); {
	case !known:
		return "unknown type"
	case e.ID == "":
		return "no id"
	case e.Subject == "":
		return "no subject"
	case e.Time.IsZero():
		return "no time"
	case e.Time.Year() < 1 || e.Time.Year() > 9999:
		return "the time is out of range"
	case e.Data == nil:
		return "no payload"
	}
	return ""
}

func (o *output) append(e lake.Event) {
	for kind, n := range o.run.redactor.Event(&e) {
		o.file.Secrets[kind] += int64(n)
	}
	o.err = o.run.out.Append(o.ctx, e)
}

// Reject implements source.Out.
func (o *output) Reject(reject source.Reject) error {
	if o.err != nil {
		return o.err
	}
	if o.refused != nil {
		o.refused(reject)
		return nil
	}
	d := &lake.DeadLetter{
		Stage: "ingest", Reason: reject.Reason, Detail: reject.Detail, Format: o.file.Format, File: o.file.Name,
		SHA256: reject.SHA256, LengthBytes: max(reject.Length, int64(len(reject.Body))),
	}
	if reject.Line > 0 {
		d.Line = &reject.Line
	}
	if reject.Record >= 0 {
		d.Record = &reject.Record
	}
	d.Keep(reject.Body, func(text string) string {
		text, counts := o.run.redactor.Text(o.file.Name, text)
		for kind, n := range counts {
			o.file.Secrets[kind] += int64(n)
		}
		return text
	})
	// Not the file's name: the same record rejected again is the same letter.
	id := lake.StableID("deadletter", d.Format, d.Reason, d.SHA256)
	o.append(lake.Event{
		ID: id, Source: "weir-ingest://" + d.Format, Type: "weir.deadletter.record.v1", Subject: id,
		Time: o.run.now().UTC(), ParserVersion: o.version, Data: d,
	})
	if o.err == nil {
		o.file.DeadLetters[d.Reason]++
	}
	return o.err
}

// whole makes a reject of all that is left of a reader.
func whole(r io.Reader, reject source.Reject) source.Reject {
	sum := sha256.New()
	head := bytes.Buffer{}
	n, _ := io.Copy(io.MultiWriter(sum, &limited{&head, source.RejectBytes}), r)
	reject.Body, reject.Length, reject.SHA256 = head.Bytes(), n, hex.EncodeToString(sum.Sum(nil))
	return reject
}

// limited keeps the first bytes that are written.
type limited struct {
	b   *bytes.Buffer
	max int
}

func (l *limited) Write(p []byte) (int, error) {
	l.b.Write(p[:min(len(p), l.max-l.b.Len())])
	return len(p), nil
}
