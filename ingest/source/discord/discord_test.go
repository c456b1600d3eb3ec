package discord_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/discord"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, discord.Format(), "testdata/*.json") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"guild":{"id":"1"},"channel":{"id":"2"},"messages":[]}`:                                               true,
		"\ufeff{ \"guild\": {\"id\": \"1\"}, \"channel\": {\"id\": \"2\"}, \"messages\": [{\"id\": \"3\", \"co": true,
		`{"guild":{"id":"1"},"channel":{"id":"2"}}`:                                                             false,
		`{"messages":[],"channel":{"id":"2"}}`:                                                                  false,
		`[{"guild":{"id":"1"},"channel":{"id":"2"},"messages":[]}]`:                                             false,
	} {
		if got := discord.Format().Detect(source.Probe{Name: "x.json", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%.80q: %v", head, got)
		}
	}
}

func message(i int) string {
	return fmt.Sprintf(`{"id":"%d","type":"Default","timestamp":"2024-03-25T09:00:00Z","content":"]}, \"[ %d","author":{"id":"7","name":"x","isBot":false}}`, 1000+i, i)
}

// TestParts: a channel exported at once and in parts gives the same ids, and
// each message stands on its line.
func TestParts(t *testing.T) {
	const head = "{\n\"guild\": {\"id\": \"1\"},\n\"channel\": {\"id\": \"2\", \"topic\": \"\\\"messages\\\": [\"},\n\"messages\": [\n"
	all := make([]string, 3000)
	for i := range all {
		all[i] = message(i)
	}
	export := func(messages []string) string {
		return head + strings.Join(messages, ",\n") + fmt.Sprintf("\n],\n\"messageCount\": %d\n}\n", len(messages))
	}
	ids := map[string]bool{}
	whole := llmtest.Read(t, discord.Format(), export(all))
	for _, e := range whole.Events {
		ids[e.ID] = true
	}
	if len(ids) != len(all)+1 || len(whole.Rejects) != 0 { // and the channel
		t.Fatalf("%d ids, %d rejects", len(ids), len(whole.Rejects))
	}
	for from := 0; from < len(all); from += 700 {
		for _, e := range llmtest.Read(t, discord.Format(), export(all[from:min(from+700, len(all))])).Events {
			if !ids[e.ID] {
				t.Fatalf("the part from %d has an event that the whole has not", from)
			}
		}
	}
	all[2000] = `{"type":"Default"}`
	if rejects := llmtest.Read(t, discord.Format(), export(all)).Rejects; len(rejects) != 1 || rejects[0].Line != 2005 {
		t.Errorf("rejects: %+v", rejects)
	}
}

// TestFaults: a document that is none is one reject, and so is what follows the
// messages if it is not the end.
func TestFaults(t *testing.T) {
	good := `{"guild":{"id":"1"},"channel":{"id":"2"},"messages":[` + message(1) + `]`
	for text, want := range map[string]string{
		good + `,"messageCount":1}`:                  "",
		good + `}` + "\n":                            "",
		good:                                         "",
		good + `,"messageCount":1}{"more":1}`:        source.ReasonNotJSON,
		good[:len(good)-1]:                           source.ReasonTruncated,
		`{"guild":{"id":"1"},"channel":{`:            source.ReasonTruncated,
		`{"guild":{"id":"1"},"messages":[{"id":1}]}`: source.ReasonIncomplete,
		`{"guild":{"id":"1"},"channel":{"id":"2"}}`:  source.ReasonUnknownType,
		`{"guild":"` + strings.Repeat("x", 2<<20):    source.ReasonTooLarge,
	} {
		result := llmtest.Read(t, discord.Format(), text)
		got := ""
		for _, reject := range result.Rejects {
			got += reject.Reason
		}
		if got != want {
			t.Errorf("%.90s: %q, want %q", text, got, want)
		}
	}
}

// TestNoSignedLinks: a link that opens a file is in no event.
func TestNoSignedLinks(t *testing.T) {
	for _, e := range llmtest.ReadFile(t, discord.Format(), "testdata/harbour.json").Events {
		text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text)+e.Extra, "?ex=") {
			t.Errorf("%s", text)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"harbour.json", "thread.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`{"guild":{"id":1},"channel":{"id":2},"messages":[{"id":1,"timestamp":1,"type":99,"content":"<@1> <:x:1>"}],"messageCount":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		llmtest.Steady(t, discord.Format(), text, nil)
		checkEachMessage(t, text)
	})
}

// checkEachMessage: of a document that is JSON, each message is an event or a
// reject, if the document is not refused whole.
func checkEachMessage(t *testing.T, text string) {
	t.Helper()
	var document map[string]json.RawMessage
	var messages []json.RawMessage
	if json.Unmarshal([]byte(text), &document) != nil || json.Unmarshal(document["messages"], &messages) != nil || strings.Count(text, `"messages"`) != 1 {
		return
	}
	result := llmtest.Read(t, discord.Format(), text)
	if len(result.Events) == 0 && len(result.Rejects) == 1 && result.Rejects[0].Length == int64(len(text)) {
		return
	}
	came := len(result.Rejects) - 1 // the channel's notice is of no message
	for _, e := range result.Events {
		if _, isMessage := e.Data.(*lake.ChatMessage); isMessage {
			came++
		}
	}
	if came != len(messages) {
		t.Fatalf("%d came of %d messages", came, len(messages))
	}
}
