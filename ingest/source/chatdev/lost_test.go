package chatdev_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source/chatdev"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

// What may stand before the words of an entry; the names in it have to be those
// of a message.
var (
	header  = regexp.MustCompile(`^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+\] `)
	speaker = regexp.MustCompile(`^([A-Z][A-Za-z ]*): `)
	heading = regexp.MustCompile(`^\*\*\[([^\]]+)\]\*\*:?`)
	turn    = regexp.MustCompile(`^\*\*([^*]+)<->([^*]+) on : ([^*]+), turn \d+\*\*`)
	counted = regexp.MustCompile(`^([a-z_]+): *\$?([\d.]+)$`)
)

// said is all that came of a log: its lines, and the names of who and what.
type said struct{ lines, names map[string]bool }

func allThatCame(result *llmtest.Result) said {
	s := said{map[string]bool{}, map[string]bool{"System": true, "Start Chat": true, "OpenAI_Usage_Info Receive": true}}
	add := func(text string) {
		for _, line := range strings.Split(text, "\n") {
			s.lines[strings.TrimSpace(line)] = true
		}
	}
	for _, e := range result.Events {
		m := e.Data.(*lake.ChatMessage)
		add(m.Content)
		for _, name := range []string{m.Agent, m.Recipient, m.Name, m.Channel} {
			s.names[name] = true
		}
		if m.Kind == lake.KindPrompt {
			s.names["User Provided Comments"] = true
		}
		var usage map[string]json.Number
		if json.Unmarshal([]byte(m.Raw), &usage) == nil {
			for key, n := range usage {
				s.lines[key+": "+n.String()] = true
			}
		}
		var extra struct{ Native map[string]string }
		if json.Unmarshal([]byte(e.Extra), &extra) == nil {
			for _, text := range extra.Native {
				add(text)
			}
		}
	}
	for _, r := range result.Rejects {
		add(string(r.Body))
	}
	return s
}

// lost gives the lines of a log of which nothing came. Library noise is left
// out by rule.
func (s said) lost(text string) []string {
	var lost []string
	for _, line := range strings.Split(text, "\n") {
		words := strings.TrimSpace(line)
		if s.lines[words] { // of a dead letter, that has its header
			continue
		}
		if head := header.FindString(words); head != "" {
			if words = words[len(head):]; s.lines[words] || strings.HasPrefix(words, "flask app.py did not start") || strings.HasPrefix(words, "HTTP Request: ") {
				continue
			}
			var names []string
			for _, prefix := range []*regexp.Regexp{speaker, heading, turn} {
				if m := prefix.FindStringSubmatch(words); m != nil {
					words, names = words[len(m[0]):], append(names, m[1:]...)
				}
			}
			for _, name := range names {
				if !s.names[name] {
					lost = append(lost, line)
				}
			}
		}
		if m := counted.FindStringSubmatch(words); m != nil {
			words = m[1] + ": " + m[2]
		}
		// A system prompt stands in brackets.
		if words = strings.TrimSpace(words); words != "" && !s.lines[words] && !s.lines[strings.TrimSuffix(strings.TrimPrefix(words, "["), "]")] &&
			!s.lines[strings.TrimPrefix(words, "[")] && !s.lines[strings.TrimSuffix(words, "]")] {
			lost = append(lost, line)
		}
	}
	return lost
}

func checkNothingIsLost(t *testing.T, paths []string) {
	t.Helper()
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		came := allThatCame(llmtest.ReadFile(t, chatdev.Format(), path))
		for _, line := range came.lost(string(text)) {
			t.Errorf("%s: nothing came of %.200q", filepath.Base(path), line)
		}
		if lost := came.lost(string(text) + "\na line that is not there\n[2024-25-03 09:00:00 INFO] Nobody: **[Unheard Of]**"); len(lost) < 3 {
			t.Errorf("%s: the check finds %q, not the line, the speaker and the heading", filepath.Base(path), lost)
		}
	}
}

// TestNothingIsLost: every line of a log is in an event or a dead letter.
func TestNothingIsLost(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.log")
	if err != nil || len(paths) < 2 {
		t.Fatalf("%d logs (%v)", len(paths), err)
	}
	checkNothingIsLost(t, paths)
}

// TestNothingIsLostOfSamples: the same of real logs.
func TestNothingIsLostOfSamples(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(llmtest.Samples(t, "chatdev-log"), "*.log"))
	if err != nil || len(paths) < 4 {
		t.Fatalf("%d logs (%v)", len(paths), err)
	}
	checkNothingIsLost(t, paths)
}

// checkNoWordIsLost looks for every word of a log that may be none in what came
// of it. Only what orders the words may be lost: headers, headings that became
// the kind of a message, the number of a turn.
func checkNoWordIsLost(t *testing.T, text string) {
	t.Helper()
	result := llmtest.Read(t, chatdev.Format(), text)
	var came strings.Builder
	came.WriteString("System Start Chat chatting RolePlaying OpenAI_Usage_Info Receive User Provided Comments on turn\n")
	for _, e := range result.Events {
		m := e.Data.(*lake.ChatMessage)
		came.WriteString(strings.Join([]string{m.Content, m.Agent, m.Recipient, m.Name, m.Channel, m.Raw, e.Extra, "\n"}, "\n"))
	}
	for _, r := range result.Rejects {
		came.Write(r.Body)
		came.WriteByte('\n')
	}
	for _, line := range strings.Split(text, "\n") {
		line = header.ReplaceAllString(strings.TrimPrefix(line, "\ufeff"), "")
		if strings.HasPrefix(line, "flask app.py did not start") || strings.HasPrefix(line, "HTTP Request: ") {
			continue
		}
		line = turnNumber.ReplaceAllString(line, "**")
		for _, word := range word.FindAllString(line, -1) {
			if !strings.Contains(came.String(), word) {
				t.Fatalf("nothing came of %q in %q", word, line)
			}
		}
	}
}

var (
	word       = regexp.MustCompile(`[A-Za-z0-9_]+`)
	turnNumber = regexp.MustCompile(`, turn \d+\*\*`)
)
