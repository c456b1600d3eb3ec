package helicone

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// headBytes is enough for the line with the names of the columns.
const headBytes = 16 << 10

// peek looks at the beginning of a reader.
func peek(r io.Reader) (head []byte, rest io.Reader, err error) {
	b := bufio.NewReaderSize(r, headBytes)
	head, err = b.Peek(headBytes)
	if err == io.EOF {
		err = nil
	}
	return head, b, err
}

// isCSV says that a head's first line names Helicone's columns.
func isCSV(head []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimPrefix(head, []byte("\ufeff")), []byte("\n"))
	names := columns(strings.Split(strings.TrimSpace(string(line)), ","))
	found := 0
	for _, name := range names {
		if name == "request_id" || name == "request_created_at" {
			found++
		}
	}
	return found == 2
}

// columns gives the names as the JSON export has them.
func columns(line []string) []string {
	names := make([]string, len(line))
	for i, name := range line {
		name = strings.Trim(strings.TrimPrefix(strings.TrimSpace(name), "\ufeff"), `"`)
		if lower := strings.ReplaceAll(strings.ToLower(name), " ", "_"); lower != "costusd" && lower != "llmschema" {
			name = lower
		}
		names[i] = name
	}
	return names
}

// kept keeps what was read since a row began, and ends a row that grows too
// large, as one does whose quote is never closed.
type kept struct {
	r     io.Reader
	buf   []byte
	start int64 // where buf begins in the file
	full  bool  // the row was too large: nothing more is read
}

var errLarge = errors.New("a row is too large")

func (k *kept) Read(p []byte) (int, error) {
	if len(k.buf) > source.MaxRecordBytes {
		k.full = true
		return 0, errLarge
	}
	n, err := k.r.Read(p)
	k.buf = append(k.buf, p[:n]...)
	return n, err
}

// row is what was read up to an offset of the file; it is given up with the
// next call.
func (k *kept) row(end int64) []byte {
	n := min(int(end-k.start), len(k.buf))
	raw := k.buf[:n:n]
	k.buf, k.start = k.buf[n:], k.start+int64(n)
	return raw
}

// rest is all that was not given out, as a reject.
func (k *kept) rest() source.Reject {
	sum := sha256.New()
	sum.Write(k.buf)
	more, _ := io.Copy(sum, k.r)
	return source.Reject{
		Reason: source.ReasonTooLarge, Detail: "a row, or a quote that is never closed: the rest of the file was not read",
		Body: k.buf[:min(len(k.buf), source.RejectBytes)], Length: int64(len(k.buf)) + more, SHA256: hex.EncodeToString(sum.Sum(nil)),
	}
}

// rows reads the rows of a CSV file as JSON objects of texts, empty ones left
// out. A row that is broken is a reject.
func rows(ctx context.Context, in *source.Input, out source.Out) iter.Seq2[source.Record, error] {
	return func(yield func(source.Record, error) bool) {
		file := &kept{r: in.R}
		r := csv.NewReader(file)
		r.FieldsPerRecord = -1
		var header []string
		for {
			fields, err := r.Read()
			var raw []byte
			if !file.full {
				raw = file.row(r.InputOffset())
			}
			var broken *csv.ParseError
			switch {
			case err == io.EOF:
				return
			case file.full: // the reader takes it for a quote at the end of the file
				reject := file.rest()
				reject.Record = in.Records
				in.Records++
				if err := out.Reject(reject); err != nil {
					yield(source.Record{}, err)
				}
				return
			case err != nil && !errors.As(err, &broken):
				yield(source.Record{}, fmt.Errorf("%s: %w", in.Name, err))
				return
			case ctx.Err() != nil:
				yield(source.Record{}, ctx.Err())
				return
			case err == nil && header == nil:
				header = columns(fields)
				continue
			}
			record := source.Record{Ordinal: in.Records, Raw: raw}
			in.Records++
			detail := ""
			if broken != nil {
				record.Line, detail = int64(broken.StartLine), broken.Err.Error()
			} else {
				line, _ := r.FieldPos(0)
				record.Line = int64(line)
				if len(fields) != len(header) {
					detail = fmt.Sprintf("%d fields under %d columns", len(fields), len(header))
				}
			}
			if detail != "" {
				if err := out.Reject(record.Reject("not_csv", detail)); err != nil {
					yield(source.Record{}, err)
					return
				}
				continue
			}
			o := rawjson.Object{}
			for i, text := range fields {
				if text != "" && text != "null" && text != "NULL" {
					o[header[i]] = rawjson.Marshal(strings.ToValidUTF8(text, "\ufffd"))
				}
			}
			record.Raw = rawjson.Marshal(o)
			in.Line, in.Bytes = record.Line, int64(len(record.Raw))
			if !yield(record, nil) {
				return
			}
		}
	}
}
