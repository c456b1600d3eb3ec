package files_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/weir-lake/weir/ingest/files"
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/formats"
	"github.com/weir-lake/weir/lake"
)

// appender keeps what is appended, and refuses what Kafka would.
type appender struct {
	events []lake.Event
	failAt int // 1-based; 0: never
}

func (a *appender) Append(_ context.Context, events ...lake.Event) error {
	for _, e := range events {
		if a.failAt > 0 && len(a.events)+1 == a.failAt {
			return errBroker
		}
		if _, err := e.Encode(); err != nil {
			return err
		}
		a.events = append(a.events, e)
	}
	return nil
}

func (a *appender) Flush(context.Context) ([]lake.Position, error) {
	return []lake.Position{{Topic: "weir.chat", Offset: int64(len(a.events))}}, nil
}

var errBroker = errors.New("broker is gone")

func (a *appender) deadLetters() []*lake.DeadLetter {
	var letters []*lake.DeadLetter
	for _, e := range a.events {
		if d, ok := e.Data.(*lake.DeadLetter); ok {
			letters = append(letters, d)
		}
	}
	return letters
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func options(paths ...string) files.Options {
	return files.Options{Paths: paths, Formats: formats.All(), Now: func() time.Time { return noon }}
}

// write makes files below a new folder.
func write(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range contents {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func chat(id, text string) string {
	return fmt.Sprintf(`{"conversation":"c","id":%q,"agent":"a","content":%q,"time":"2026-05-04T10:00:00Z"}`+"\n", id, text)
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

func zstandard(t *testing.T, text string) string {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

func TestFolder(t *testing.T) {
	secret := "sk" + "-proj-A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6"
	dir := write(t, map[string]string{
		"a.jsonl":        chat("1", "plain") + "no JSON\n" + chat("2", "my key is "+secret),
		"b.jsonl.gz":     gzipped(chat("3", "packed")),
		"c/d.jsonl.zst":  zstandard(t, chat("4", "packed, too")),
		"c/rules.md":     "# Rules\n",
		"empty.jsonl":    "",
		"noise.bin":      "\x00\x01\xff" + secret,
		".hidden":        "not read",
		".git/config":    "not read",
		"state.db-wal":   "read: there is no database beside it",
		"cut.jsonl.gz":   gzipped(chat("5", "cut off"))[:40],
		"not.jsonl.gz":   "\x1f\x8b no gzip",
		"utf16.jsonl":    "\xff\xfe{\x00}\x00",
		"scalars.jsonl":  chat("6", "then a scalar") + "17\n",
		"nothing.txt.gz": gzipped(""),
	})
	var out appender
	var progress int64
	opts := options(dir)
	opts.Progress = func(n int64) { progress += n }
	summary, err := files.Ingest(context.Background(), &out, opts)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range summary.Files {
		name, _ := filepath.Rel(dir, f.Name)
		got = append(got, fmt.Sprintf("%s: %s %d records, events %v, dead letters %v, secrets %v %s", filepath.ToSlash(name), f.Format, f.Records, f.Events, f.DeadLetters, f.Secrets, f.Error))
	}
	want := []string{
		"a.jsonl: group-chat 3 records, events map[chat:2], dead letters map[not_json:1], secrets map[openai_key:1] ",
		"b.jsonl.gz: group-chat 1 records, events map[chat:1], dead letters map[], secrets map[] ",
		"c/d.jsonl.zst: group-chat 1 records, events map[chat:1], dead letters map[], secrets map[] ",
		"c/rules.md: document 1 records, events map[document:1], dead letters map[], secrets map[] ",
		"cut.jsonl.gz:  0 records, events map[], dead letters map[corrupt_archive:1], secrets map[] ",
		"empty.jsonl:  0 records, events map[], dead letters map[], secrets map[] ",
		"noise.bin:  0 records, events map[], dead letters map[unknown_format:1], secrets map[openai_key:1] ",
		"not.jsonl.gz:  0 records, events map[], dead letters map[corrupt_archive:1], secrets map[] ",
		"nothing.txt.gz:  0 records, events map[], dead letters map[], secrets map[] ",
		"scalars.jsonl: group-chat 2 records, events map[chat:1], dead letters map[wrong_type:1], secrets map[] ",
		"state.db-wal:  0 records, events map[], dead letters map[unknown_format:1], secrets map[] ",
		"utf16.jsonl:  0 records, events map[], dead letters map[unknown_format:1], secrets map[] ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("files:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := summary.Total.EventCount(); n != 6 || summary.Total.DeadLetterCount() != 7 || len(out.events) != 13 {
		t.Errorf("%d events, %d dead letters, %d appended", n, summary.Total.DeadLetterCount(), len(out.events))
	}
	if summary.Total.Bytes != progress || progress == 0 {
		t.Errorf("%d bytes, progress says %d", summary.Total.Bytes, progress)
	}
	if len(summary.Positions) != 1 || summary.Positions[0].Offset != 13 {
		t.Errorf("positions %v", summary.Positions)
	}
	for _, e := range out.events {
		wire, _ := e.Encode()
		if bytes.Contains(wire, []byte(secret)) || bytes.Contains(wire, []byte(base64.StdEncoding.EncodeToString([]byte(secret))[:20])) {
			t.Errorf("a secret is left in %s", wire)
		}
		if e.ParserVersion == 0 && e.Type == "weir.chat.message.v1" {
			t.Errorf("event %s has no parser version", e.ID)
		}
	}
}

// zipped makes an archive of names and their contents, in that order.
func zipped(t *testing.T, contents ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(contents); i += 2 {
		member, err := w.Create(contents[i])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(member, contents[i+1])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestExport: of a zip only the members of a known export are read, as if they
// lay beside each other; a damaged member is one dead letter.
func TestExport(t *testing.T) {
	tree := func(id string) string {
		return `[{"conversation_id":"` + id + `","mapping":{"m":{"message":{"author":{"role":"user"},"content":{"parts":["hello ` + id + `"]}}}}}]`
	}
	whole := zipped(t, "message_feedback.json", `[{"conversation_id":"a","message_id":"m","rating":"thumbsUp"}]`,
		"user.json", `{"email":"ada@example.org"}`, "conversations-001.json", tree("b"), "conversations-000.json", tree("a"))
	cut := []byte(zipped(t, "conversations.json", tree("c")))
	copy(cut[60:], "????????") // within the packed member, whose header has 48 bytes
	dir := write(t, map[string]string{
		"export.zip": whole,
		"torn.zip":   string(cut),
		"other.zip":  zipped(t, "notes.txt", "x"),
	})
	var out appender
	summary, err := files.Ingest(context.Background(), &out, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range summary.Files {
		got = append(got, fmt.Sprintf("%s %d records, events %v, dead letters %v", f.Format, f.Records, f.Events, f.DeadLetters))
	}
	if want := []string{
		"chatgpt 3 records, events map[chat:2 feedback:1], dead letters map[]",
		" 0 records, events map[], dead letters map[unknown_format:1]",
	}; !slices.Equal(got[:2], want) {
		t.Errorf("got %q", got)
	}
	if n := summary.Files[2].DeadLetters["corrupt_archive"]; n != 1 {
		t.Errorf("the torn archive: %s", got[2])
	}
	for _, e := range out.events {
		if wire, _ := e.Encode(); e.Type != "weir.deadletter.record.v1" && bytes.Contains(wire, []byte("ada@")) {
			t.Errorf("the account's data were read: %s", wire)
		}
	}
}

func TestDeadLetterSaysWhere(t *testing.T) {
	long := strings.Repeat("é", 200_000) // 400 kB on one line
	dir := write(t, map[string]string{"a.jsonl": chat("1", "x") + "\n" + long + "\n"})
	var out appender
	if _, err := files.Ingest(context.Background(), &out, options(dir)); err != nil {
		t.Fatal(err)
	}
	letters := out.deadLetters()
	if len(letters) != 1 {
		t.Fatalf("%d dead letters", len(letters))
	}
	d := letters[0]
	if d.Stage != "ingest" || d.Reason != "not_json" || d.Format != "group-chat" || d.File != filepath.Join(dir, "a.jsonl") || *d.Line != 3 || *d.Record != 1 {
		t.Errorf("dead letter %+v", d)
	}
	if d.LengthBytes != int64(len(long)) || len(d.Body) > source.RejectBytes || len(d.Body) < source.RejectBytes-1 || d.Encoding != "utf-8" || len(d.SHA256) != 64 {
		t.Errorf("length %d, %d kept as %s, sha256 %s", d.LengthBytes, len(d.Body), d.Encoding, d.SHA256)
	}
	var again appender
	if _, err := files.Ingest(context.Background(), &again, options(dir)); err != nil {
		t.Fatal(err)
	}
	for i := range out.events {
		if out.events[i].ID != again.events[i].ID {
			t.Errorf("event %d has another id the second time", i)
		}
	}
}

// TestNothingIsSentForATypingError: the lake stays as it is.
func TestNothingIsSentForATypingError(t *testing.T) {
	dir := write(t, map[string]string{"a.jsonl": chat("1", "x")})
	var out appender
	_, err := files.Ingest(context.Background(), &out, options(dir, filepath.Join(dir, "missing.jsonl")))
	if !errors.Is(err, os.ErrNotExist) || len(out.events) > 0 || lake.HintOf(err) == "" {
		t.Errorf("%d events, error %v, hint %q", len(out.events), err, lake.HintOf(err))
	}
	opts := options(dir)
	opts.Format = "opanai"
	if _, err := files.Ingest(context.Background(), &out, opts); err == nil || len(out.events) > 0 || !strings.Contains(lake.HintOf(err), "group-chat") {
		t.Errorf("%d events, error %v, hint %q", len(out.events), err, lake.HintOf(err))
	}
}

func TestUnreadableFileDoesNotStopTheOthers(t *testing.T) {
	dir := write(t, map[string]string{"b.jsonl": chat("1", "x")})
	if err := os.Symlink("nowhere", filepath.Join(dir, "a.jsonl")); err != nil {
		t.Skip(err)
	}
	var out appender
	summary, err := files.Ingest(context.Background(), &out, options(dir))
	if !errors.Is(err, files.ErrUnreadable) || len(out.events) != 1 || summary.Files[0].Error == "" {
		t.Errorf("%d events, error %v, %+v", len(out.events), err, summary.Files)
	}
}

func TestStandardInputAndForcedFormat(t *testing.T) {
	var out appender
	opts := options("-")
	opts.Stdin = strings.NewReader("just words\n" + chat("1", "x"))
	opts.Format = "group-chat"
	summary, err := files.Ingest(context.Background(), &out, opts)
	if err != nil || summary.Total.Events["chat"] != 1 || summary.Total.DeadLetters["not_json"] != 1 {
		t.Errorf("%+v, %v", summary.Total, err)
	}
}

func TestAppenderErrorEndsTheRun(t *testing.T) {
	dir := write(t, map[string]string{"a.jsonl": chat("1", "x") + chat("2", "y"), "b.jsonl": chat("3", "z")})
	out := appender{failAt: 2}
	if _, err := files.Ingest(context.Background(), &out, options(dir)); !errors.Is(err, errBroker) || len(out.events) != 1 {
		t.Errorf("%d events, error %v", len(out.events), err)
	}
}

// TestFaultyFormats: a format that panics, or lets an impossible event through,
// spoils its file only.
func TestFaultyFormats(t *testing.T) {
	dir := write(t, map[string]string{"a.x": "boom", "b.x": "empty", "c.x": "fine"})
	format := source.Format{
		Name: "x", Version: 3,
		Detect: func(source.Probe) int { return 100 },
		Read: func(_ context.Context, in *source.Input, out source.Out) error {
			text, _ := io.ReadAll(in.R)
			e := lake.Event{ID: "1", Subject: "s", Type: "weir.document.added.v1", Time: noon, Data: &lake.Document{Text: string(text)}}
			switch string(text) {
			case "boom":
				panic("index out of range")
			case "empty":
				e.Subject = ""
			}
			return out.Emit(e)
		},
	}
	panicky := source.Format{Name: "y", Detect: func(source.Probe) int { panic("no") }}
	var out appender
	opts := options(dir)
	opts.Formats = []source.Format{panicky, format}
	summary, err := files.Ingest(context.Background(), &out, opts)
	if err != nil || summary.Total.DeadLetters["reader_failed"] != 1 || summary.Total.DeadLetters["incomplete"] != 1 || summary.Total.EventCount() != 1 {
		t.Errorf("%+v, %v", summary.Total, err)
	}
	if last := out.events[len(out.events)-1]; last.ParserVersion != 3 {
		t.Errorf("parser version %d", last.ParserVersion)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := write(t, map[string]string{"a.jsonl": chat("1", "x")})
	var out appender
	if _, err := files.Ingest(ctx, &out, options(dir)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestEventThatNoTopicTakesIsADeadLetterWithItsPlace(t *testing.T) {
	dir := write(t, map[string]string{
		"a.jsonl": chat("one", "first") + chat("two", strings.Repeat("x", lake.MaxEventBytes)) + chat("three", "last"),
	})
	var out appender
	summary, err := files.Ingest(t.Context(), &out, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	letters := out.deadLetters()
	if len(letters) != 1 || summary.Total.DeadLetters["too_large"] != 1 || summary.Total.EventCount() != 2 {
		t.Fatalf("dead letters %v, events %d, want one and two", summary.Total.DeadLetters, summary.Total.EventCount())
	}
	if d := letters[0]; *d.Line != 2 || *d.Record != 1 || d.LengthBytes <= lake.MaxEventBytes || len(d.Body) != 256<<10 {
		t.Errorf("line %d, record %d, length %d, kept %d", *d.Line, *d.Record, d.LengthBytes, len(d.Body))
	}
}
