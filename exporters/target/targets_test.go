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
	{target: "mistral", name: "plain_chat", line: plainLine},
	{target: "mistral", name: "tools", line: toolLine},
	{target: "mistral", name: "two_users", line: plainLine, edit: []string{`{"role":"assistant"`, `{"role":"user","content":"s"},{"role":"assistant"`}},
	{target: "mistral", name: "openai_ids", line: toolLine, edit: []string{"a1b2c3d4e", "call_abc123"}, want: []string{ruleCall}},
	{target: "mistral", name: "text_beside_calls", line: toolLine, edit: []string{`"tool_calls"`, `"content":"t","tool_calls"`}, want: []string{ruleContent}},
	{target: "mistral", name: "empty_text_beside_calls", line: toolLine, edit: []string{`"tool_calls"`, `"content":"","tool_calls"`}},
	{target: "mistral", name: "empty_text", line: plainLine, edit: []string{`"b"`, `""`}, want: []string{ruleContent}},
	{target: "mistral", name: "tool_without_description", line: toolLine, edit: []string{`"description":"d",`, ``}, want: []string{ruleMissing}},
	{target: "mistral", name: "no_such_type", line: toolLine, edit: []string{`"type":"object"`, `"type":"thing"`}, want: []string{ruleTool}},
	{target: "mistral", name: "user_after_tool", line: toolLine, edit: []string{`{"role":"assistant","content"`, `{"role":"user","content":"c"},{"role":"assistant","content"`}, want: []string{ruleOrder}},
	{target: "mistral", name: "two_systems", line: plainLine, edit: []string{`[{`, `[{"role":"system","content":"s"},{"role":"system","content":"s"},{`}, want: []string{ruleOrder}},
	{target: "mistral", name: "half_weight", line: plainLine, edit: []string{`"b"`, `"b","weight":0.5`}, want: []string{ruleTrained, ruleWeight}},
	{target: "mistral", name: "undeclared", line: toolLine, edit: []string{`"name":"f","arguments"`, `"name":"g","arguments"`}, want: []string{ruleTool}},
	{target: "mistral", name: "ends_on_user", line: plainLine, edit: []string{`]}`, `,{"role":"user","content":"c"}]}`}, want: []string{ruleEnding}},
	{target: "trl", name: "plain_chat", line: plainLine},
	{target: "trl", name: "tools", line: toolLine, edit: []string{`"{}"`, `{}`}},
	{target: "trl", name: "tools_in_a_text", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"tools":"[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"}`},
	{target: "trl", name: "tools_in_a_broken_text", line: plainLine, edit: []string{`]}`, `],"tools":"[{"}`}, want: []string{ruleType}},
	{target: "trl", name: "arguments_as_text", line: toolLine, want: []string{ruleCall}},
	{target: "trl", name: "prompt_beside_messages", line: plainLine, edit: []string{`]}`, `],"prompt":[]}`}, want: []string{ruleKey}},
	{target: "trl-completion", name: "plain", line: `{"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"b"}]}`},
	{target: "trl-completion", name: "empty_prompt", line: `{"prompt":[],"completion":[{"role":"assistant","content":"b"}]}`, want: []string{ruleMissing}},
	{target: "trl-completion", name: "prompt_of_the_system", line: `{"prompt":[{"role":"system","content":"a"}],"completion":[{"role":"assistant","content":"b"}]}`, want: []string{ruleEnding}},
	{target: "trl-completion", name: "no_assistant", line: `{"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"user","content":"b"}]}`, want: []string{ruleTrained}},
	{target: "trl-completion", name: "messages", line: plainLine, want: []string{ruleMissing, ruleMissing, ruleKey}},
	{target: "axolotl", name: "tools", line: toolLine},
	{target: "axolotl", name: "marks", line: plainLine, edit: []string{`"b"`, `"b","train":true`}},
	{target: "axolotl", name: "nothing_trained", line: plainLine, edit: []string{`"b"`, `"b","train":false`}, want: []string{ruleTrained}},
	{target: "axolotl", name: "mark_is_a_text", line: plainLine, edit: []string{`"b"`, `"b","train":"yes"`}, want: []string{ruleType}},
	{target: "axolotl", name: "broken_arguments", line: toolLine, edit: []string{`"{}"`, `"{"`}, want: []string{ruleType}},
	{target: "mlx", name: "tools", line: toolLine},
	{target: "mlx", name: "tools_in_a_text", line: plainLine, edit: []string{`]}`, `],"tools":"[]"}`}, want: []string{ruleType}},
	{target: "mlx", name: "no_messages", line: `{"text":"a"}`, want: []string{ruleMissing, ruleKey}},
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
