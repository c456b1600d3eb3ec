package slack_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/ingest/source/slack"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) {
	llmtest.Golden(t, slack.Format(), "testdata/export/*")
	llmtest.Golden(t, slack.Format(), "testdata/export/*/*")
}

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`[{"type":"message","user":"U1","text":"x","ts":"1711354000.807919"}]`:                          true,
		`[{"type":"message","ts":"1711354000.807919","text":"` + strings.Repeat("x", 99):                true,
		`[{"id":"U024ILSE1","name":"ilse","profile":{}}]`:                                               true,
		`[{"id":"C024HARB1","name":"harbour","created":1711353600,"members":[]}]`:                       true,
		`[{"user_id":"U024ILSE1","date":"1711353900","change_type":"added","app_type":"Tide"}]`:         true,
		"PK\x03\x04\x14\x00channels.json":                                                               true,
		"PK\x03\x04\x14\x00header.json samples/1_epoch_1.json":                                          false,
		`{"type":"message","message":{"role":"user","content":"x"},"timestamp":"2024-03-25T09:00:00Z"}`: false,
		`[{"type":"message","ts":"yesterday"}]`:                                                         false,
		`[{"type":"TextMessage","source":"user","content":"x"}]`:                                        false,
		`[{"id":"ABC","name":"x","created":1}]`:                                                         false,
	} {
		if got := slack.Format().Detect(source.Probe{Name: "x.json", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%.80q: %v", head, got)
		}
	}
}

// pack makes a zip of the test's export, below a folder if prefix names one.
func pack(t *testing.T, prefix string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	err := filepath.WalkDir("testdata/export", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".golden") {
			return err
		}
		name, err := filepath.Rel("testdata/export", path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := w.Create(prefix + filepath.ToSlash(name))
		if err != nil {
			return err
		}
		_, err = f.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "export.zip")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// same is what the two ways of reading an export have in common: all but the
// place in the file.
func same(t *testing.T, events []lake.Event) map[string]string {
	t.Helper()
	byID := map[string]string{}
	for _, e := range events {
		if m, ok := e.Data.(*lake.ChatMessage); ok {
			m.Position = 0
		}
		text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		byID[e.ID] = string(text)
	}
	return byID
}

// TestZip: an export gives the same events as a folder, as a zip, and as a zip
// of the folder.
func TestZip(t *testing.T) {
	var events []lake.Event
	rejects := 0
	for _, pattern := range []string{"testdata/export/*.json", "testdata/export/*/*.json"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, path := range paths {
			result := llmtest.ReadFile(t, slack.Format(), path)
			events = append(events, result.Events...)
			rejects += len(result.Rejects)
		}
	}
	want := same(t, events)
	for _, prefix := range []string{"", "port export/"} {
		path := pack(t, prefix)
		head, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if slack.Format().Detect(source.Probe{Name: "export.zip", Head: head}) == 0 {
			t.Errorf("%q: not detected", prefix)
		}
		result := llmtest.ReadFile(t, slack.Format(), path)
		got := same(t, result.Events)
		if len(got) != len(want) || len(result.Events) != len(events) || len(result.Rejects) != rejects {
			t.Errorf("%q: %d events, %d rejects; want %d, %d", prefix, len(result.Events), len(result.Rejects), len(events), rejects)
		}
		for id, text := range want {
			if got[id] != text {
				t.Errorf("%q: got\n%s\nwant\n%s", prefix, got[id], text)
			}
		}
	}
}

// TestBrokenZip: a file that cannot be unpacked is a reject, and the others are
// read.
func TestBrokenZip(t *testing.T) {
	path := pack(t, "")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(text, []byte("D024BE91L/2024-03-26.json"))
	for i := at + 40; i < at+60; i++ {
		text[i] ^= 0xff
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	whole, broken := llmtest.ReadFile(t, slack.Format(), pack(t, "")), llmtest.ReadFile(t, slack.Format(), path)
	if len(broken.Events) != len(whole.Events)-1 || len(broken.Rejects) <= len(whole.Rejects) {
		t.Errorf("%d of %d events, %d rejects", len(broken.Events), len(whole.Events), len(broken.Rejects))
	}
	var result llmtest.Result
	in := &source.Input{Name: "-", R: bytes.NewReader(text)}
	if err := slack.Format().Read(context.Background(), in, &result); err != nil || len(result.Rejects) != 1 || result.Rejects[0].Reason != "not_a_file" {
		t.Errorf("a stream: %v, %+v", err, result.Rejects)
	}
}

// TestEmptyLists: a workspace without private channels has an empty list of them.
func TestEmptyLists(t *testing.T) {
	for name, want := range map[string]bool{"groups.json": true, "2024-03-25.json": true, "data.json": false, "x-2024-03-25.json": false} {
		if got := slack.Format().Detect(source.Probe{Name: name, Head: []byte("[]\n")}) > 0; got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if result := llmtest.Read(t, slack.Format(), "[]\n"); len(result.Events)+len(result.Rejects) > 0 {
		t.Errorf("%+v", result)
	}
}

// TestOtherZip: a zip of which nothing is read says so.
func TestOtherZip(t *testing.T) {
	result := llmtest.ReadFile(t, slack.Format(), pack(t, "teams/port/"))
	if len(result.Events) > 0 || len(result.Rejects) != 1 || result.Rejects[0].Reason != source.ReasonUnknownType {
		t.Errorf("%d events, rejects %+v", len(result.Events), result.Rejects)
	}
}

// TestNoSecrets: links that open a file for whoever has them are in no event.
func TestNoSecrets(t *testing.T) {
	result := llmtest.ReadFile(t, slack.Format(), "testdata/export/harbour/2024-03-25.json")
	for _, e := range result.Events {
		text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"xoxe", "slack-files.com/T0", "url_private", "thumb_"} {
			if strings.Contains(string(text)+e.Extra, secret) {
				t.Errorf("%s in %s", secret, text)
			}
		}
	}
}

// TestOnlyPeopleArePrompts: nobody's words are a model's output, for nothing in
// an export says that a model wrote them.
func TestOnlyPeopleArePrompts(t *testing.T) {
	for _, e := range llmtest.ReadFile(t, slack.Format(), "testdata/export/harbour/2024-03-25.json").Events {
		m, ok := e.Data.(*lake.ChatMessage)
		if !ok {
			continue
		}
		if m.Kind == lake.KindOutput || (m.Kind == lake.KindEnvironment) != (m.Name == "Tide") {
			t.Errorf("%s: %s by %q", m.MessageID, m.Kind, m.Name)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"harbour/2024-03-25.json", "harbour/2024-03-27.json", "channels.json", "users.json"} {
		text, err := os.ReadFile(filepath.Join("testdata/export", filepath.FromSlash(name)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`{"type":"message","ts":"1711354000.1","text":"<@U024ILSE1|x> <https://a.slack.com/?t=1&t=2> <!date^1^{date}|then>","thread_ts":"1","message":{"ts":"2"},"subtype":"x"}`)
	f.Add("PK\x03\x04")
	// Lists of users and of apps give names, and no events.
	quiet := func(text string) bool {
		return strings.Contains(text, `profile"`) || strings.Contains(text, `change_type"`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		llmtest.Steady(t, slack.Format(), text, quiet)
		var elements []json.RawMessage
		if quiet(text) || json.Unmarshal([]byte(text), &elements) != nil {
			return
		}
		result := llmtest.Read(t, slack.Format(), text)
		came := len(result.Rejects)
		for _, e := range result.Events {
			if _, isMessage := e.Data.(*lake.ChatMessage); isMessage {
				came++
			}
		}
		if came != len(elements) {
			t.Fatalf("%d came of %d elements", came, len(elements))
		}
	})
}
