package chatgpt_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/chatgpt"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, chatgpt.Format(), "testdata/*.json") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`[{"title":"x","create_time":1,"mapping":{"a":{}},"current_node":"a"}]`:                              true,
		`{"conversation_id":"c","mapping":{}}`:                                                               true,
		`[{"title": "x", "mapping": {"a": {"id": "a", "message": {"content": "` + strings.Repeat("x", 70000): true,
		`[{"conversation_id":"c","rating":"thumbsUp"}]`:                                                      true,
		`{"conversation_id":"c","rating":5}`:                                                                 false,
		`{"conversation_id":"c","role":"user","content":"mapping"}`:                                          false,
		`{"mapping":{"a":"b"}}`:                                                                              false,
		`# "mapping": {"a": {"id": "a"`:                                                                      false,
	} {
		if got := chatgpt.Format().Detect(source.Probe{Name: "x.json", Head: []byte(head[:min(len(head), 64<<10)])}) > 0; got != want {
			t.Errorf("%.80s: %v", head, got)
		}
	}
}

// export writes a tree whose n-th message answers above[n], in any order; the
// first has none.
func export(random *rand.Rand, above []int) string {
	var nodes []string
	for n, parent := range above {
		link, role := "null", "user"
		if n > 0 {
			link = fmt.Sprintf(`"m%d"`, parent)
		}
		if n%2 == 1 {
			role = "assistant"
		}
		var children []string
		for child, p := range above {
			if child > 0 && p == n {
				children = append(children, fmt.Sprintf(`"m%d"`, child))
			}
		}
		nodes = append(nodes, fmt.Sprintf(`"m%d":{"parent":%s,"children":[%s],"message":{"author":{"role":"%s"},"create_time":%d,"content":{"parts":["text %d"]}}}`,
			n, link, strings.Join(children, ","), role, 1767225600+n, n))
	}
	random.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	return `[{"id":"c","create_time":1767225600,"mapping":{` + strings.Join(nodes, ",") + `}}]`
}

// TestLaterExport: whatever grows on a tree, a message of an earlier export is
// in a later one the same event, to the byte; each message is there once, and
// its parent is above it, in its own conversation or in the one that branched.
func TestLaterExport(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		above := []int{0}
		earlier := map[string]string{}
		for range 4 {
			for range 1 + random.IntN(8) {
				above = append(above, random.IntN(len(above)))
			}
			now := map[string]string{}
			for _, e := range llmtest.Read(t, chatgpt.Format(), export(random, above)).Events {
				text, err := e.Encode()
				if err != nil {
					t.Fatal(err)
				}
				m := e.Data.(*lake.ChatMessage)
				if now[m.MessageID] != "" {
					t.Fatalf("%s is there twice", m.MessageID)
				}
				if m.ParentID != "" && now[m.ParentID] == "" {
					t.Fatalf("%s comes before %s, which it answers", m.MessageID, m.ParentID)
				}
				now[m.MessageID] = string(text)
			}
			if len(now) != len(above) {
				t.Fatalf("%d messages of %d", len(now), len(above))
			}
			for id, text := range earlier {
				if now[id] != text {
					t.Fatalf("seed %d: %s has changed from\n%s to\n%s", seed, id, text, now[id])
				}
			}
			earlier = now
		}
	}
}

func TestSample(t *testing.T) {
	result := llmtest.ReadFile(t, chatgpt.Format(), filepath.Join(llmtest.Samples(t, "chatgpt-export"), "convonaut_conversations.json"))
	if len(result.Rejects) > 0 {
		t.Errorf("%d rejects: %+v", len(result.Rejects), result.Rejects[0])
	}
	kinds := map[string]int{}
	subjects, conversations := map[string]bool{}, map[string]bool{}
	for _, e := range result.Events {
		m := e.Data.(*lake.ChatMessage)
		kinds[m.Kind]++
		subjects[e.Subject], conversations[m.ConversationID] = true, true
	}
	// 7 conversations of a root and five messages, in one path each; the
	// notices hold the titles.
	if len(subjects) != 7 || len(conversations) != 7 || kinds[lake.KindPrompt] != 21 || kinds[lake.KindOutput] != 14 || kinds[lake.KindNotice] != 7 {
		t.Errorf("%d subjects, %d conversations, kinds %v", len(subjects), len(conversations), kinds)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`[{"id":"c","mapping":{"a":{"parent":"b","children":["b"],"message":{"author":{"role":"user"},"content":{"parts":["x",{"text":"y"},7]}}},"b":{"parent":"a","message":{"author":{"role":"assistant"},"recipient":"t","content":{"content_type":"code","text":"z"},"create_time":1e300}}},"current_node":"a"}]`)
	f.Add(`{"id":"c","create_time":5,"mapping":{"a":{"message":{"author":{"role":"tool","name":"t"},"content":{"content_type":"tether_quote","url":"u","text":"x"},"metadata":{"a":[]}}},"":{"parent":"","message":{"author":{"role":"assistant"},"content":{"content_type":"thoughts","thoughts":[{"summary":"s","content":"c"}]}}},"n":null}}`)
	f.Add(`[{"conversation_id":"c","message_id":"m","rating":"thumbs_down","content":"{\"tags\":[\"a\"]}"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		// A tree without a word gives nothing.
		llmtest.Steady(t, chatgpt.Format(), text, func(text string) bool { return strings.Contains(text, "mapping") || strings.Contains(text, `\u`) })
	})
}
