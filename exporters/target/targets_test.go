package target

import (
	"slices"
	"strings"
	"testing"
)

const (
	plainLine = `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`
	toolLine  = `{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"a1b2c3d4e","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a1b2c3d4e","content":"x"},{"role":"assistant","content":"b"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}]}`
)

// Lines that weir did not write, for the targets that check_test.go leaves
// out: the rules that each breaks. edit replaces a text of the line by another.
var targetCases = []struct {
	target, name, line string
	edit               []string
	want               []string
}{
	{target: "azure", name: "plain_chat", line: plainLine},
	{target: "azure", name: "eleven_images", line: `{"messages":[{"role":"user","content":[` + strings.Repeat(`{"type":"image_url","image_url":{"url":"u"}},`, 10) + `{"type":"image_url","image_url":{"url":"u"}}]},{"role":"assistant","content":"b"}]}`},
	{target: "azure", name: "sixty_five_images", line: `{"messages":[{"role":"user","content":[` + strings.Repeat(`{"type":"image_url","image_url":{"url":"u"}},`, 64) + `{"type":"image_url","image_url":{"url":"u"}}]},{"role":"assistant","content":"b"}]}`, want: []string{ruleImages}},
	{target: "fireworks", name: "tools", line: toolLine},
	{target: "fireworks", name: "call_without_id", line: toolLine, edit: []string{`"id":"a1b2c3d4e",`, "", `"tool_call_id":"a1b2c3d4e",`, ""}},
	{target: "fireworks", name: "negative_root_weight", line: plainLine, edit: []string{`]}`, `],"weight":-0.5}`}},
	{target: "fireworks", name: "late_system", line: plainLine, edit: []string{`{"role":"assistant"`, `{"role":"system","content":"s"},{"role":"assistant"`}, want: []string{ruleOrder}},
	{target: "fireworks", name: "ends_on_user", line: plainLine, edit: []string{`]}`, `,{"role":"user","content":"c"}]}`}, want: []string{ruleEnding}},
	{target: "fireworks", name: "arguments_as_object", line: toolLine, edit: []string{`"{}"`, `{}`}, want: []string{ruleType}},
}

func TestCheckLineOfEachTarget(t *testing.T) {
	good, bad := map[string]int{}, map[string]int{}
	for _, test := range targetCases {
		line := strings.NewReplacer(test.edit...).Replace(test.line)
		if len(test.edit) > 0 && line == test.line {
			t.Fatalf("%s/%s: the edit changes nothing", test.target, test.name)
		}
		t.Run(test.target+"/"+test.name, func(t *testing.T) {
			found := named(t, test.target).CheckLine([]byte(line))
			if got := rulesOf(found); !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v: %v", got, test.want, found)
			}
		})
		if len(test.want) == 0 {
			good[test.target]++
		} else {
			bad[test.target]++
		}
	}
	for _, target := range All() {
		if target.Name == "openai" || target.Name == "together" {
			continue // check_test.go has theirs
		}
		if good[target.Name] == 0 || bad[target.Name] == 0 {
			t.Errorf("%s has %d good and %d bad lines; it needs both", target.Name, good[target.Name], bad[target.Name])
		}
	}
}

func TestByteOrderMarkIsTheTargets(t *testing.T) {
	lines := strings.Repeat(plainLine+"\n", 10)
	for _, test := range []struct {
		target, text string
		want         []string
	}{
		{"azure", "\ufeff" + lines, nil},
		{"azure", lines, []string{ruleBOM}},
		{"azure", "\ufeff" + lines + "\ufeff" + plainLine, []string{ruleJSON}},
		{"together", "\ufeff" + lines, []string{ruleBOM}},
		{"together", lines, nil},
	} {
		var found []Finding
		if err := named(t, test.target).CheckFile(strings.NewReader(test.text), func(f Finding) { found = append(found, f) }); err != nil {
			t.Fatal(err)
		}
		if got := rulesOf(found); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v: %v", test.target, got, test.want, found)
		}
	}
}
