package synth

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// broken writes files with records that nobody can understand among sound
// ones. Each bad record must end as a dead letter, each good one as an event.
func (w *writer) broken() error {
	good := func(n int) string {
		e := lake.Event{
			ID: lake.StableID("synth", "broken", fmt.Sprint(n)), Source: "synth://northern-strait/broken", Type: "weir.feedback.given.v1",
			Subject: fmt.Sprintf("conv-broken-%02d", n), Time: epoch.Add(span), ParserVersion: 1,
			Data: &lake.Feedback{UnitKind: "conversation", UnitID: fmt.Sprintf("conv-broken-%02d", n), Kind: "comment", Comment: "sound line between broken ones"},
		}
		text, err := e.Encode()
		if err != nil {
			panic("synth: " + err.Error()) // an event of our own making
		}
		return string(text)
	}
	change := func(n int, old, new string) string { return strings.Replace(good(n), old, new, 1) }
	sample := good(0)
	files := []struct {
		name  string
		lines []string
		bad   map[int]string // line → reason
	}{
		{"not-json.jsonl", []string{good(1), "2026-03-09 11:02:17 WARN feed: reconnecting", good(2), "{\"half\": ", good(3)}, map[int]string{2: "not_json", 4: "not_json"}},
		{"wrong-type.jsonl", []string{good(4), change(5, `"comment":"`, `"comment":7,"was":"`), change(6, `"time":"2026`, `"time":"last week, 2026`)}, map[int]string{2: "wrong_type", 3: "wrong_type"}},
		{"unknown-type.jsonl", []string{change(7, "weir.feedback.given.v1", "weir.gossip.heard.v1"), good(8)}, map[int]string{1: "unknown_type"}},
		{"incomplete.jsonl", []string{good(9), change(10, `"subject":"conv-broken-10"`, `"subject":""`)}, map[int]string{2: "incomplete"}},
		{"invalid-utf8.jsonl", []string{good(11), change(12, "sound line", "s\xf6und line"), good(13)}, map[int]string{2: "invalid_utf8"}},
		{"truncated.jsonl", []string{good(14), good(15), sample[:len(sample)-40]}, map[int]string{3: "truncated"}},
		{"noise.bin", []string{"\x00\x01\x02\xfe\xff\x00 no known format \x00\x9c\xd3"}, map[int]string{1: "unknown_format"}},
	}
	for _, f := range files {
		text := []byte(strings.Join(f.lines, "\n"))
		if f.name != "truncated.jsonl" && f.name != "noise.bin" {
			text = append(bytes.TrimRight(text, "\n"), '\n')
		}
		if err := w.out.file("broken/"+f.name, text); err != nil {
			return err
		}
		for i := range f.lines {
			if reason, bad := f.bad[i+1]; bad {
				w.plant(Truth{Kind: "broken", File: "broken/" + f.name, Line: int64(i + 1), Value: reason})
			}
		}
	}
	return w.out.file("broken/empty.jsonl", nil)
}
