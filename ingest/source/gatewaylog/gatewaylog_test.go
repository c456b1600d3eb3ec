package gatewaylog_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/gatewaylog"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
)

var all = []source.Format{gatewaylog.Cloudflare(), gatewaylog.Kong(), gatewaylog.Portkey()}

func TestGolden(t *testing.T) {
	for _, format := range all {
		llmtest.Golden(t, format, "testdata/"+format.Name+".jsonl")
	}
}

// TestDetect: each log is claimed by its own format alone.
func TestDetect(t *testing.T) {
	for _, of := range all {
		head, err := os.ReadFile("testdata/" + of.Name + ".jsonl")
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range all {
			if sure := format.Detect(source.Probe{Name: "x.log", Head: head}); (sure > 0) != (format.Name == of.Name) {
				t.Errorf("%s is %d sure of %s's log", format.Name, sure, of.Name)
			}
		}
	}
	// A first record that is longer than the head.
	for format, head := range map[int]string{
		0: `{"id":"x","provider":"openai","tokens_in":1,"tokens_out":2,"request_body":"cut`,
		1: `{"started_at":1,"latencies":{},"ai":{"payload":{"request":"cut`,
		2: `{"created_at":"x","ai_org":"openai","ai_model":"m","request.body":"cut`,
	} {
		if sure := all[format].Detect(source.Probe{Head: []byte(head)}); sure == 0 {
			t.Errorf("%s does not know %s", all[format].Name, head)
		}
	}
	for _, head := range []string{`{"ai":{"x":1}}`, `{"result":[{"id":1}]}`, `{"tokens_in":1,"tokens_out":2}`, `{"ai_org":"x"}`} {
		for _, format := range all {
			if sure := format.Detect(source.Probe{Head: []byte(head)}); sure > 0 {
				t.Errorf("%s is %d sure of %s", format.Name, sure, head)
			}
		}
	}
}

// TestKeysAreNotKept: neither in events nor in dead letters.
func TestKeysAreNotKept(t *testing.T) {
	for _, format := range all {
		got := llmtest.ReadFile(t, format, "testdata/"+format.Name+".jsonl")
		if len(got.Events) == 0 || len(got.Rejects) != 2 {
			t.Errorf("%s: %d events, %d rejects", format.Name, len(got.Events), len(got.Rejects))
		}
		for _, e := range got.Events {
			if wire, _ := e.Encode(); bytes.Contains(wire, []byte("not-kept")) {
				t.Errorf("%s", wire)
			}
		}
		for _, reject := range got.Rejects {
			if bytes.Contains(reject.Body, []byte("not-kept")) {
				t.Errorf("%s", reject.Body)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, format := range all {
		text, err := os.ReadFile("testdata/" + format.Name + ".jsonl")
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			f.Add(string(line))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range all {
			a, _ := json.Marshal(llmtest.Read(t, format, text))
			b, _ := json.Marshal(llmtest.Read(t, format, text))
			if !bytes.Equal(a, b) {
				t.Fatalf("read twice, it differs:\n%s\n%s", a, b)
			}
		}
	})
}
