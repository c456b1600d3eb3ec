package card

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/frozen"
)

func sample(t *testing.T) *Card {
	t.Helper()
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	stats, err := Collect(t.Context(), session, `
		select
			'e' || n as example_id, 's' || (n // 2) as subject_id, if(n % 3 = 0, 'chat', 'gateway') as source, 'other' as task_type,
			if(n < 8, 'train', 'validation') as split, if(n = 1, 'inferred', 'none') as tools_origin, n / 10 as success_score,
			[{'role': 'user', 'content': repeat('x', n * 40), 'reasoning': null, 'tool_calls': null, 'weight': 0.0},
			 {'role': 'assistant', 'content': 'yes', 'reasoning': 'hm', 'tool_calls': [{'id': '1', 'name': 'look', 'arguments': '{}'}], 'weight': 1.0}] as messages
		from range(0, 11) as t(n)`)
	if err != nil {
		t.Fatal(err)
	}
	rate, low, high := 0.1, 0.02, 0.3
	c := &Card{
		Title: "desk <for> openai", Version: "desk@0123456789ab", ContentHash: strings.Repeat("0a", 32), Target: "openai", Model: "gpt-4.1",
		Files: []File{{Name: "train.jsonl", Split: "train", Lines: 8, Bytes: 1234, SHA256: strings.Repeat("1", 64)},
			{Name: "train-2.jsonl", Split: "train", Lines: 1, Bytes: 99, SHA256: strings.Repeat("3", 64)},
			{Name: "validation.jsonl", Split: "validation", SHA256: strings.Repeat("2", 64)}},
		Sides: []Side{{Split: "train", Examples: 9, Dropped: 1, Lines: 8, Targets: 8, Tokens: 12345, TrainedTokens: 678}, {Split: "validation"}},
		State: frozen.State{
			Examples: 20, Fates: []frozen.Fate{{Fate: "excluded", Reason: "duplicate", Examples: 5}, {Fate: "open", Reason: "not_settled", Examples: 3}, {Fate: "train", Examples: 8}, {Fate: "validation", Examples: 4}},
			Leaks:   frozen.Leaks{ByKind: map[string]int64{"subject": 0, "lineage": 0}},
			Reviews: []frozen.Review{{Part: "all", Value: "all", SetCount: 12, SampleCount: 3, ReviewedCount: 2, DefectRate: &rate, DefectRateLow: &low, DefectRateHigh: &high}},
		},
		Stats: stats, Losses: []Loss{{Rule: "no_tools", What: "a | b", Drops: true, Examples: 1}}, TokenNote: "exact", Warnings: []string{"few"},
	}
	if err := c.Define([]byte(`{"name":"desk","about":"What the desk\nsaid."}`), "abc"); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCardIsGolden(t *testing.T) {
	files, err := sample(t).Render()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		path := filepath.Join("testdata", filepath.FromSlash(strings.ReplaceAll(file.Name, "/", "-")))
		if os.Getenv("UPDATE") == "1" {
			if err := os.WriteFile(path, file.Text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != string(file.Text) {
			t.Errorf("%s is not what is made now: %v", path, err)
		}
	}
}

// The YAML is YAML, names no empty file, and every figure is XML that the text
// shows or that is listed.
func TestCardIsWellFormed(t *testing.T) {
	files, err := sample(t).Render()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(files[0].Text), "---\n", 3)
	var f front
	if len(parts) != 3 || parts[0] != "" || yaml.Unmarshal([]byte(parts[1]), &f) != nil {
		t.Fatalf("front matter %q", parts)
	}
	if f.License != "unknown" || len(f.Configs) != 1 || len(f.Configs[0].Files) != 1 || len(f.Configs[0].Files[0].Path) != 2 || f.Sizes[0] != "n<1K" {
		t.Errorf("front matter %+v", f)
	}
	for _, file := range files[1:] {
		if !strings.Contains(parts[2], "("+file.Name+")") {
			t.Errorf("the text does not show %s", file.Name)
		}
		for dec := xml.NewDecoder(strings.NewReader(string(file.Text))); ; {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file.Name, err)
			}
		}
	}
}

func TestStatsAddUp(t *testing.T) {
	s := sample(t).Stats
	if s.Examples != 11 || s.Subjects != 6 || s.Messages != 22 || s.Targets != 11 || s.Inferred != 1 || s.Longest != 411 || s.P50 != 211 || s.Chars != 40*55+11*11 {
		t.Errorf("%+v", s)
	}
	for name, counts := range map[string][]Count{"sources": s.Sources, "tasks": s.Tasks, "scores": s.Scores, "lengths": s.Lengths} {
		var sum int64
		for _, c := range counts {
			sum += c.All()
		}
		if sum != s.Examples {
			t.Errorf("%s add up to %d", name, sum)
		}
	}
	if last := s.Scores[len(s.Scores)-1]; last.Name != "0.9 to 1" || last.All() != 2 {
		t.Errorf("scores %+v", s.Scores)
	}
}

func TestHostileWordsStayText(t *testing.T) {
	svg := string(chart("a<b>&\x00\"", []bar{{"</svg>", []barPart{{1, trainColour}}}}, nil))
	if strings.Contains(svg, "<b>") || strings.Count(svg, "</svg>") != 1 {
		t.Error(svg)
	}
	if got := inline("a|b\n<script>"); got != `a\|b &lt;script>` {
		t.Error(got)
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := Number(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
