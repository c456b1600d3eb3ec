package irc_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/irc"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, irc.Format(), "testdata/*.txt") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		"[10:00] <a> x\n":                  true,
		"=== a has joined\n[10:00]  * a x": true,
		"1 1 -\n2 2 -\n3 3 -\n":            true,
		"=== a has joined\n":               false,
		"[10:00] started\n":                false,
		"1 2 -\n":                          false,
		"# Notes\n\n[10:00] <a> x\ny\nz\n": false,
	} {
		if got := irc.Format().Detect(source.Probe{Name: "x.txt", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%q: %v", head, got)
		}
	}
}

// TestSamples holds the counts of acceptance case 7, which leave out the two
// actions of the last file.
func TestSamples(t *testing.T) {
	dir := llmtest.Samples(t, "irc")
	for name, want := range map[string]int{
		"dev_2004-11-15_03.raw.txt": 1077, "test_2005-07-06_14.raw.txt": 1200, "train_2006-06-05.train-a.raw.txt": 1413, "train_2008-04-30.train-a.raw.txt": 1690,
	} {
		result := llmtest.ReadFile(t, irc.Format(), filepath.Join(dir, name))
		for _, reject := range result.Rejects {
			t.Errorf("%s:%d: %s: %s", name, reject.Line, reject.Reason, reject.Body)
		}
		ids, messages, actions := map[string]bool{}, 0, 0
		for _, e := range result.Events {
			ids[e.ID] = true
			m := e.Data.(*lake.ChatMessage)
			switch {
			case m.Kind == lake.KindNotice && m.Name == "nick" && len(m.PersonIDs) == 2:
				continue
			case m.Kind != lake.KindPrompt || m.Agent != "" || m.Name == "":
				t.Errorf("%s: %s by %q, agent %q", name, m.Kind, m.Name, m.Agent)
			case strings.HasPrefix(m.Content, "* "+m.Name+" "):
				actions++
			}
			messages++
		}
		if messages != want || len(ids) != len(result.Events) {
			t.Errorf("%s: %d messages, %d actions, %d ids of %d events, want %d messages", name, messages, actions, len(ids), len(result.Events), want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("[10:00] <a> x\n[09:00:01]  * b y\n=== c has quit\nz\n")
	f.Add("1 2 -\n[25:00] <a> \xff\n")
	// Notices and blank lines may be all that there is.
	line := regexp.MustCompile(`^(\[\d\d:\d\d(:\d\d)?\] )?(===|---|-!-) `)
	quiet := func(text string) bool {
		for _, one := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
			if strings.TrimSpace(one) != "" && !line.MatchString(one) {
				return false
			}
		}
		return true
	}
	f.Fuzz(func(t *testing.T, text string) { llmtest.Steady(t, irc.Format(), text, quiet) })
}
