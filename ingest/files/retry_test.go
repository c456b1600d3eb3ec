package files_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/files"
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

// lines is a format of ours: a line a record, told with its place. Records
// with a word in refuse are rejected: taking a word away is a fix.
func lines(refuse ...string) source.Format {
	return source.Format{
		Name: "lines", Version: int64(9 - len(refuse)), Detect: func(p source.Probe) int { return 50 },
		Read: func(ctx context.Context, in *source.Input, out source.Out) error {
			for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
				if err != nil {
					return err
				}
				text := string(record.Raw)
				fault := ""
				for _, word := range refuse {
					if strings.Contains(text, word) {
						fault = word
					}
				}
				if fault != "" {
					err = out.Reject(record.Reject(source.ReasonUnknownType, fault))
				} else {
					err = out.Emit(lake.Event{
						ID: lake.StableID("lines", text), Source: "lines://x", Type: "weir.chat.message.v1", Subject: "s", Time: noon,
						Data: &lake.ChatMessage{Content: text, Position: record.Ordinal * 1000},
					})
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// retryAll ingests with one set of formats and retries with another; between
// them change does to the files what it wants.
func retryAll(t *testing.T, text string, before, after source.Format, change func(path string)) (*appender, files.RetrySummary, []*lake.DeadLetter) {
	t.Helper()
	path := filepath.Join(write(t, map[string]string{"a.jsonl": text}), "a.jsonl")
	var first appender
	opts := options(path)
	opts.Formats = []source.Format{before}
	if _, err := files.Ingest(t.Context(), &first, opts); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(path)
	}
	letters := first.deadLetters()
	has := map[string]bool{}
	for _, e := range first.events {
		has[e.ID] = true
	}
	var second appender
	summary, err := files.Retry(t.Context(), &second, each(letters), files.RetryOptions{
		Formats: []source.Format{after},
		Known: func(_ context.Context, table string, ids []string) (map[string]bool, error) {
			if table != "events.chat_messages" {
				return nil, fmt.Errorf("table %s", table)
			}
			return has, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &second, summary, letters
}

func each(letters []*lake.DeadLetter) iter.Seq2[lake.DeadLetter, error] {
	return func(yield func(lake.DeadLetter, error) bool) {
		for _, d := range letters {
			if !yield(*d, nil) {
				return
			}
		}
	}
}

const retried = `{"n":1}
  {"n":2,"odd":true}{"n":3,"odd":true}
not JSON
{"n":4,"bad":true}
{"n":5}
`

func TestRetryInTheFile(t *testing.T) {
	out, summary, letters := retryAll(t, retried, lines("odd", "bad"), lines("bad"), nil)
	if len(letters) != 4 || summary.Letters != 4 || summary.Recovered != 2 || summary.Failing["unknown_type"] != 1 || summary.Failing["not_json"] != 1 || summary.Gone != 0 {
		t.Errorf("%+v of %d letters", summary, len(letters))
	}
	var got []string
	for _, e := range out.events {
		m := e.Data.(*lake.ChatMessage)
		got = append(got, fmt.Sprintf("%s@%d v%d", m.Content, m.Position, e.ParserVersion))
	}
	if want := `[{"n":2,"odd":true}@1000 v8 {"n":3,"odd":true}@2000 v8]`; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// TestRetryFromTheCopy: the file is gone, or another one; the place is kept.
func TestRetryFromTheCopy(t *testing.T) {
	for name, change := range map[string]func(string){
		"gone":    func(path string) { os.Remove(path) },
		"another": func(path string) { os.WriteFile(path, []byte("{\"n\":9}\n{\"n\":9}\n{\"n\":9}\n"), 0o644) },
	} {
		out, summary, _ := retryAll(t, retried, lines("odd", "bad"), lines("bad"), change)
		if summary.Recovered != 2 || len(summary.Failing) != 2 || summary.Gone != 0 || len(out.events) != 2 {
			t.Errorf("%s: %+v, %d events", name, summary, len(out.events))
			continue
		}
		if m := out.events[1].Data.(*lake.ChatMessage); m.Position != 2000 || m.Content != `{"n":3,"odd":true}` {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// TestRetryWithoutTheRecord: a letter that keeps only the head of its record
// can be read from its file alone, and a part of a record not by itself.
func TestRetryWithoutTheRecord(t *testing.T) {
	long := `{"odd":"` + strings.Repeat("x", lake.DeadLetterBytes) + `"}` + "\n"
	out, summary, _ := retryAll(t, "{}\n"+long, lines("odd"), lines(), nil)
	if summary.Recovered != 1 || len(out.events) != 1 {
		t.Errorf("with the file: %+v, %d events", summary, len(out.events))
	}
	out, summary, _ = retryAll(t, "{}\n"+long, lines("odd"), lines(), func(path string) { os.Remove(path) })
	if summary.Gone != 1 || len(out.events) != 0 {
		t.Errorf("without: %+v, %d events", summary, len(out.events))
	}
	letter := &lake.DeadLetter{Stage: "ingest", Format: "lines", Detail: "messages[3]: no time", Body: `{"n":1}`, LengthBytes: 7}
	summary, err := files.Retry(t.Context(), &appender{}, each([]*lake.DeadLetter{letter}), files.RetryOptions{Formats: []source.Format{lines()}})
	if err != nil || summary.Gone != 1 {
		t.Errorf("a part: %+v, %v", summary, err)
	}
}

// TestRetryWithAWorseReader: a file that cannot be read to its end recovers
// nothing, whichever record its letters are of.
func TestRetryWithAWorseReader(t *testing.T) {
	worse := lines()
	worse.Read = func(context.Context, *source.Input, source.Out) error { panic("index out of range") }
	out, summary, _ := retryAll(t, retried, lines("odd", "bad"), worse, nil)
	if summary.Recovered != 0 || summary.Failing["reader_failed"] != 4 || len(out.events) != 0 {
		t.Errorf("%+v, %d events", summary, len(out.events))
	}
	renamed := lines()
	renamed.Name = "rows"
	if _, summary, _ = retryAll(t, retried, lines("odd", "bad"), renamed, nil); summary.Recovered != 0 || summary.Failing["unknown_format"] != 4 {
		t.Errorf("%+v", summary)
	}
}

// TestRetryAnEvent: what the sink could not decode is an event of weir's own
// form, of a type that this binary may know.
func TestRetryAnEvent(t *testing.T) {
	e := lake.Event{ID: "e1", Source: "x://y", Type: "weir.chat.message.v1", Subject: "s", Time: noon, Data: &lake.ChatMessage{Content: "hello"}}
	wire, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	letters := []*lake.DeadLetter{
		{Stage: "sink", Reason: "unknown_type", Body: string(wire), LengthBytes: int64(len(wire))},
		{Stage: "sink", Reason: "not_json", Body: "{", LengthBytes: 1},
	}
	var out appender
	known := func(context.Context, string, []string) (map[string]bool, error) { return nil, nil }
	summary, err := files.Retry(t.Context(), &out, each(letters), files.RetryOptions{Known: known})
	if err != nil || summary.Recovered != 1 || summary.Failing["not_json"] != 1 || len(out.events) != 1 || out.events[0].ID != "e1" {
		t.Errorf("%+v, %v, %d events", summary, err, len(out.events))
	}
}
