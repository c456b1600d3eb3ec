package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// exchangeCase reads a case of testdata: files url, status, request.json and
// reply.json or reply.sse; calls.json is what comes of them.
func exchangeCase(t testing.TB, path string) (x Exchange, want []byte, archive *txtar.Archive) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range archive.Files {
		switch file.Name {
		case "url":
			x.URL = strings.TrimSpace(string(file.Data))
		case "status":
			if x.Status, err = strconv.ParseInt(strings.TrimSpace(string(file.Data)), 10, 64); err != nil {
				t.Fatal(err)
			}
		case "request.json":
			x.Request = file.Data
		case "reply.json", "reply.sse":
			x.Reply = file.Data
		case "calls.json":
			want = file.Data
		}
	}
	return x, want, archive
}

func TestParse(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no cases", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			x, want, archive := exchangeCase(t, path)
			calls, err := Parse(x)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			for i := range calls {
				e := calls[i].Event("")
				fields := rawjson.Parse(rawjson.Marshal(e.Data))
				fields["_event"] = rawjson.Marshal([]string{e.ID, e.Source, e.Subject, e.Time.String()})
				if err := json.Indent(&got, rawjson.Marshal(fields), "", "  "); err != nil {
					t.Fatal(err)
				}
				got.WriteByte('\n')
			}
			if os.Getenv("UPDATE") != "" {
				if want == nil {
					archive.Files = append(archive.Files, txtar.File{Name: "calls.json"})
				}
				archive.Files[len(archive.Files)-1].Data = got.Bytes()
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != string(want) {
				t.Errorf("UPDATE=1 rewrites calls.json. Got:\n%s", got.String())
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		x    Exchange
		want error
	}{
		"counting tokens":        {Exchange{URL: "https://api.anthropic.com/v1/messages/count_tokens?beta=true", Request: []byte(`{"messages":[]}`), Reply: []byte(`{"input_tokens":4}`)}, ErrNotACall},
		"counting without a URL": {Exchange{Request: []byte(`{"messages":[],"system":"x"}`), Reply: []byte(`{"input_tokens":4}`)}, ErrNotACall},
		"a new conversation":     {Exchange{URL: "https://api.openai.com/v1/conversations", Request: []byte(`{}`), Reply: []byte(`{"object":"conversation"}`)}, ErrNotACall},
		"deleting a response":    {Exchange{Method: "DELETE", URL: "https://api.openai.com/v1/responses/resp_1"}, ErrNotACall},
		"an uploaded file":       {Exchange{URL: "https://api.openai.com/v1/files", Reply: []byte(`{"object":"file"}`)}, ErrNotACall},
		"embeddings":             {Exchange{URL: "https://api.openai.com/v1/embeddings", Request: []byte(`{"input":"x","model":"e"}`)}, ErrNotACall},
		"a web page":             {Exchange{Method: "GET", URL: "https://example.com/", Reply: []byte(`<html>`)}, ErrNotACall},
		"a search service":       {Exchange{URL: "https://example.com/search", Request: []byte(`{"input":"berths"}`), Reply: []byte(`{"hits":[]}`)}, ErrUnknownShape},
		"nothing":                {Exchange{}, ErrUnknownShape},
		"other JSON":             {Exchange{Request: []byte(`{"a":1}`), Reply: []byte(`{"b":2}`)}, ErrUnknownShape},
	} {
		t.Run(name, func(t *testing.T) {
			if calls, err := Parse(c.x); !errors.Is(err, c.want) {
				t.Errorf("got %d calls and %v, want %v", len(calls), err, c.want)
			}
		})
	}
}

// TestStreamEqualsWhole: a reply is the same call whether it was streamed or not.
func TestStreamEqualsWhole(t *testing.T) {
	request := []byte(`{"model":"atlas-2","messages":[{"role":"user","content":"Berth 4?"}]}`)
	whole := `{"id":"chatcmpl-aaaaaaaaaaaaaaaa","created":1760000000,"model":"atlas-2","choices":[{"index":0,"finish_reason":"tool_calls","message":{"content":"Wait.","tool_calls":[{"id":"c","type":"function","function":{"name":"berth","arguments":"{\"n\":4}"}}]}}],"usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}`
	chunks := []string{
		`{"id":"chatcmpl-aaaaaaaaaaaaaaaa","object":"chat.completion.chunk","created":1760000000,"model":"atlas-2","choices":[{"index":0,"delta":{"content":"Wa"}}]}`,
		`{"choices":[{"index":0,"delta":{"content":"it."}}]}`,
		`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"berth","arguments":"{\"n\""}}]}}]}`,
		`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":4}"}}]},"finish_reason":"tool_calls"}]}`,
		`{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}`,
	}
	want := callText(t, Exchange{Request: request, Reply: []byte(whole)})
	for name, reply := range map[string]string{
		"events":                  "data: " + strings.Join(chunks, "\n\ndata: ") + "\n\ndata: [DONE]\n\n",
		"CRLF":                    "data: " + strings.Join(chunks, "\r\n\r\ndata: ") + "\r\n\r\n",
		"no empty lines between":  "data: " + strings.Join(chunks, "\ndata: ") + "\n",
		"no space after data":     "data:" + strings.Join(chunks, "\n\ndata:"),
		"an array of the chunks":  "[" + strings.Join(chunks, ",") + "]",
		"a JSON text of a stream": string(rawjson.Marshal("data: " + strings.Join(chunks, "\n\ndata: "))),
	} {
		if got := callText(t, Exchange{Request: request, Reply: []byte(reply)}); got != want {
			t.Errorf("%s:\n%s\nwhole:\n%s", name, got, want)
		}
	}
}

func callText(t *testing.T, x Exchange) string {
	t.Helper()
	calls, err := Parse(x)
	if err != nil || len(calls) != 1 {
		t.Fatalf("%d calls, %v", len(calls), err)
	}
	calls[0].IsStream = nil
	return string(rawjson.Marshal(calls[0].Event("")))
}

func TestAssembler(t *testing.T) {
	begun := Exchange{URL: "https://api.openai.com/v1/responses", Request: []byte(`{"model":"atlas-r","background":true,"input":"2+2?"}`),
		Reply: []byte(`{"id":"resp_0123456789abcdef","object":"response","background":true,"created_at":1760000000,"status":"queued","model":"atlas-r","output":[]}`)}
	running, ended := begun, begun
	running.Request, ended.Request = nil, nil
	running.Reply = []byte(`{"id":"resp_0123456789abcdef","object":"response","background":true,"created_at":1760000000,"status":"in_progress","output":[]}`)
	ended.Reply = []byte(`{"id":"resp_0123456789abcdef","object":"response","background":true,"created_at":1760000000,"status":"completed","output":[{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"4"}]}],"usage":{"input_tokens":7,"output_tokens":1}}`)
	for name, c := range map[string]struct {
		log  []Exchange
		want string
	}{
		"polled to its end":      {[]Exchange{begun, running, ended}, "success 2+2? 4 7"},
		"polled again after it":  {[]Exchange{begun, ended, ended}, "success 2+2? 4 7"},
		"still running":          {[]Exchange{begun, running}, "pending 2+2?"},
		"only polls":             {[]Exchange{running, ended}, "success 4 7"},
		"asked for and no polls": {[]Exchange{begun}, "pending 2+2?"},
	} {
		t.Run(name, func(t *testing.T) {
			var a Assembler
			var calls []Call
			for _, x := range c.log {
				found, err := Parse(x)
				if err != nil {
					t.Fatal(err)
				}
				calls = append(calls, a.Add(found...)...)
			}
			calls = append(calls, a.Flush()...)
			var said []string
			for _, call := range calls {
				state := call.Status
				if call.Pending {
					state = "pending"
				}
				said = append(said, state)
				for _, m := range append(call.Messages, call.Output...) {
					said = append(said, m.Content)
				}
				if call.InputTokens != nil {
					said = append(said, itoa(*call.InputTokens))
				}
			}
			if got := strings.Join(said, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPendingIsAnotherEvent(t *testing.T) {
	c := Call{}
	c.API, c.ResponseID = Responses, "resp_0123456789abcdef"
	ended := c.Event("").ID
	c.Pending = true
	if c.Event("").ID == ended {
		t.Error("a running response would hide the ended one: the first copy of an id wins")
	}
}

// TestShortIDs: a server that numbers its replies has given no id.
func TestShortIDs(t *testing.T) {
	ids := map[string]bool{}
	for _, text := range []string{"one", "two"} {
		calls, err := Parse(Exchange{Request: []byte(`{"messages":[]}`), Reply: []byte(`{"id":"cmpl-1","choices":[{"message":{"content":"` + text + `"}}]}`)})
		if err != nil {
			t.Fatal(err)
		}
		ids[calls[0].Event("").ID] = true
	}
	if len(ids) != 2 {
		t.Error("two calls of a server that says cmpl-1 each time are one event")
	}
}

// TestChoices: each choice is an event, in order, whatever the reply calls them.
func TestChoices(t *testing.T) {
	for choices, want := range map[string]string{
		`{"index":1,"message":{"content":"b"}},{"index":0,"message":{"content":"a"}}`:               "a0 b1",
		`{"message":{"content":"a"}},{"message":{"content":"b"}}`:                                   "a0 b1",
		`{"index":2,"message":{"content":"c"}}`:                                                     "c2",
		`{"index":0,"message":{"content":"a"}},{"index":0,"message":{"content":"b"}},{"index":"x"}`: "a0 b1 2",
	} {
		calls, err := Parse(Exchange{Reply: []byte(`{"id":"chatcmpl-0123456789","usage":{"prompt_tokens":1},"choices":[` + choices + `]}`)})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, c := range calls {
			text := ""
			for _, m := range c.Output {
				text = m.Content
			}
			got = append(got, text+itoa(c.ChoiceIndex))
			if (c.InputTokens != nil) != (i == 0) {
				t.Errorf("%s: usage on choice %d is %v", choices, i, c.InputTokens)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", choices, got, want)
		}
	}
}

func TestCutThinking(t *testing.T) {
	for text, want := range map[string][2]string{
		"plain":                             {"", "plain"},
		"<think>a</think>\n\nb":             {"a", "b"},
		"\n<thinking>a\nb</thinking> c":     {"a\nb", "c"},
		"<think>a</think><think>b</think>c": {"a\n\nb", "c"},
		"<think></think>x":                  {"", "x"},
		"x <think>a</think>":                {"", "x <think>a</think>"},
		"<think>never closed":               {"", "<think>never closed"},
	} {
		if reasoning, rest := cutThinking(text); reasoning != want[0] || rest != want[1] {
			t.Errorf("%q: got %q and %q", text, reasoning, rest)
		}
	}
}

func FuzzParse(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range paths {
		x, _, _ := exchangeCase(f, path)
		f.Add(x.URL, x.Request, x.Reply)
	}
	f.Add("", []byte(`{"input":["x",1,null,{"type":"message"}]}`), []byte(`{"object":"response","output":[null]}`))
	f.Fuzz(func(t *testing.T, url string, request, reply []byte) {
		calls, err := Parse(Exchange{URL: url, Request: request, Reply: reply})
		if err != nil {
			return
		}
		if len(calls) == 0 {
			t.Fatal("no error and no call")
		}
		for i := range calls {
			e := calls[i].Event("")
			if _, err := e.Encode(); err != nil {
				t.Fatal(err)
			}
			for _, m := range append(calls[i].Messages, calls[i].Output...) {
				if m.Parts != "" && !json.Valid([]byte(m.Parts)) {
					t.Fatalf("parts are no JSON: %s", m.Parts)
				}
			}
			if p := calls[i].Params; p != "" && !json.Valid([]byte(p)) {
				t.Fatalf("params are no JSON: %s", p)
			}
		}
	})
}

func FuzzReadRecord(f *testing.F) {
	f.Add([]byte(`{"request":{"messages":[]},"response":{"choices":[{"message":{"content":"a"}}]}}`))
	f.Add([]byte(`{"custom_id":"1","response":{"status_code":200,"body":{"choices":[]}}}`))
	f.Add([]byte(`{"messages":[{"role":"user","content":"q"}],"response":" "}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		calls, err := ReadRecord(raw)
		for i := range calls {
			if _, err := calls[i].Event("").Encode(); err != nil {
				t.Fatal(err)
			}
		}
		if err == nil && len(calls) == 0 {
			t.Fatal("no error and no call")
		}
		DetectRecord(raw)
	})
}
