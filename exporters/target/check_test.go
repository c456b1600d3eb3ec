package target

import (
	"slices"
	"strings"
	"testing"
)

// Lines of files that weir did not write: the rules that each breaks, by
// target; none where the provider takes it.
var checkCases = []struct {
	name             string
	line             string
	openai, together []string
}{
	{name: "plain_chat", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`},
	{name: "text_parts", line: `{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":"b"}]}`, together: []string{ruleContent}},
	{name: "all_parts", line: `{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[{"type":"text","text":"b"}]}]}`},
	{name: "image", line: `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]},{"role":"assistant","content":[{"type":"text","text":"b"}]}]}`},
	{name: "image_by_link", line: `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.org/a.png"}}]},{"role":"assistant","content":[{"type":"text","text":"b"}]}]}`, together: []string{ruleImages}},
	{name: "image_trained", line: `{"messages":[{"role":"user","weight":1,"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]},{"role":"assistant","content":[{"type":"text","text":"b"}]}]}`, openai: []string{ruleWeight}, together: []string{ruleWeight}},
	{name: "weights", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":0},{"role":"user","content":"c"},{"role":"assistant","content":"d","weight":1}]}`},
	{name: "ends_on_a_call", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}],"tools":[{"type":"function","function":{"name":"f"}}]}`},
	{name: "null_content_with_calls", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}],"tools":[{"type":"function","function":{"name":"f"}}]}`},
	{name: "not_json", line: `{"messages":`, openai: []string{ruleJSON}, together: []string{ruleJSON}},
	{name: "list", line: `[]`, openai: []string{ruleJSON}, together: []string{ruleJSON}},
	{name: "two_values", line: `{} {}`, openai: []string{ruleJSON}, together: []string{ruleJSON}},
	{name: "no_messages", line: `{}`, openai: []string{ruleMissing}, together: []string{ruleMissing}},
	{name: "empty_messages", line: `{"messages":[]}`, openai: []string{ruleMissing}, together: []string{ruleMissing}},
	{name: "messages_is_an_object", line: `{"messages":{}}`, openai: []string{ruleType}, together: []string{ruleType}},
	{name: "message_is_a_text", line: `{"messages":["a",{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, openai: []string{ruleType}, together: []string{ruleType}},
	{name: "unknown_top_key", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"id":1}`, openai: []string{ruleKey}, together: []string{ruleKey}},
	{name: "unknown_message_key", line: `{"messages":[{"role":"user","content":"a","tone":"x"},{"role":"assistant","content":"b"}]}`, openai: []string{ruleKey}, together: []string{ruleKey}},
	{name: "unknown_role", line: `{"messages":[{"role":"human","content":"a"},{"role":"assistant","content":"b"}]}`, openai: []string{ruleRole}, together: []string{ruleRole}},
	{name: "developer_role", line: `{"messages":[{"role":"developer","content":"x"},{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, openai: []string{ruleRole}, together: []string{ruleRole}},
	{name: "missing_role", line: `{"messages":[{"content":"a"},{"role":"assistant","content":"b"}]}`, openai: []string{ruleMissing}, together: []string{ruleMissing, ruleOrder}},
	{name: "name", line: `{"messages":[{"role":"user","name":"ann","content":"a"},{"role":"assistant","content":"b"}]}`, together: []string{ruleKey}},
	{name: "bad_name", line: `{"messages":[{"role":"user","name":"a b","content":"a"},{"role":"assistant","content":"b"}]}`, openai: []string{ruleName}, together: []string{ruleKey}},
	{name: "null_content", line: `{"messages":[{"role":"user","content":null},{"role":"assistant","content":"b"}]}`, openai: []string{ruleContent}, together: []string{ruleContent}},
	{name: "number_as_content", line: `{"messages":[{"role":"user","content":1},{"role":"assistant","content":"b"}]}`, openai: []string{ruleContent}, together: []string{ruleContent}},
	{name: "empty_parts", line: `{"messages":[{"role":"user","content":[]},{"role":"assistant","content":[{"type":"text","text":"b"}]}]}`, openai: []string{ruleContent}, together: []string{ruleContent}},
	{name: "audio_part", line: `{"messages":[{"role":"user","content":[{"type":"input_audio"}]},{"role":"assistant","content":[{"type":"text","text":"b"}]}]}`, openai: []string{ruleContent}, together: []string{ruleContent}},
	{name: "image_of_the_assistant", line: `{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]}`, openai: []string{ruleImages}, together: []string{ruleImages}},
	{name: "eleven_images", line: `{"messages":[{"role":"user","content":[` + strings.Repeat(`{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}},`, 10) + `{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]},{"role":"assistant","content":[{"type":"text","text":"b"}]}]}`, openai: []string{ruleImages}, together: []string{ruleImages}},
	{name: "no_assistant", line: `{"messages":[{"role":"user","content":"a"}]}`, openai: []string{ruleEnding, ruleTrained}, together: []string{ruleTrained}},
	{name: "nothing_trained", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":0}]}`, openai: []string{ruleTrained}, together: []string{ruleTrained}},
	{name: "ends_on_user", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`, openai: []string{ruleEnding}},
	{name: "weight_of_the_user", line: `{"messages":[{"role":"user","content":"a","weight":0},{"role":"assistant","content":"b"}]}`, openai: []string{ruleWeight}},
	{name: "weight_is_half", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":0.5}]}`, openai: []string{ruleTrained, ruleWeight}, together: []string{ruleTrained, ruleWeight}},
	{name: "weight_is_a_float", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":1.0}]}`, openai: []string{ruleTrained, ruleWeight}, together: []string{ruleTrained, ruleWeight}},
	{name: "root_weight", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"weight":0.5}`, openai: []string{ruleKey}},
	{name: "two_users", line: `{"messages":[{"role":"user","content":"a"},{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, together: []string{ruleOrder}},
	{name: "system_in_the_middle", line: `{"messages":[{"role":"user","content":"a"},{"role":"system","content":"a"},{"role":"assistant","content":"b"}]}`, together: []string{ruleOrder, ruleOrder}},
	{name: "assistant_first", line: `{"messages":[{"role":"assistant","content":"b"}]}`, together: []string{ruleOrder}},
	{name: "mixed_formats", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"text":"x"}`, openai: []string{ruleKey}, together: []string{ruleMixed}},
	{name: "call_without_tools", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}]}`, openai: []string{ruleTool}, together: []string{ruleTool}},
	{name: "arguments_as_object", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":{}}}]}],"tools":[{"type":"function","function":{"name":"f"}}]}`, openai: []string{ruleType}, together: []string{ruleType}},
	{name: "call_of_the_user", line: `{"messages":[{"role":"user","content":"a","tool_calls":[]},{"role":"assistant","content":"b"}]}`, openai: []string{ruleCall, ruleCall}, together: []string{ruleCall, ruleCall}},
	{name: "unanswered_call", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"tools":[{"type":"function","function":{"name":"f"}}]}`, openai: []string{ruleAnswer}, together: []string{ruleAnswer}},
	{name: "orphan_result", line: `{"messages":[{"role":"user","content":"a"},{"role":"tool","tool_call_id":"9","content":"x"},{"role":"assistant","content":"b"}]}`, openai: []string{ruleAnswer}, together: []string{ruleOrder, ruleAnswer}},
	{name: "result_without_id", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"x"},{"role":"assistant","content":"b"}],"tools":[{"type":"function","function":{"name":"f"}}]}`, openai: []string{ruleMissing, ruleAnswer}},
	{name: "tool_name", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"tools":[{"type":"function","function":{"name":"a.b"}}]}`, openai: []string{ruleTool}, together: []string{ruleTool}},
	{name: "tool_twice", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"f"}}]}`, openai: []string{ruleTool}, together: []string{ruleTool}},
	{name: "tool_parameters", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"tools":[{"type":"function","function":{"name":"f","parameters":"{}"}}]}`, openai: []string{ruleTool}, together: []string{ruleTool}},
}

func TestCheckLine(t *testing.T) {
	for _, test := range checkCases {
		for target, want := range map[string][]string{"openai": test.openai, "together": test.together} {
			t.Run(test.name+"/"+target, func(t *testing.T) {
				found := named(t, target).CheckLine([]byte(test.line))
				if got := rulesOf(found); !slices.Equal(got, want) {
					t.Errorf("%v, want %v: %v", got, want, found)
				}
			})
		}
	}
}

func TestCheckFile(t *testing.T) {
	good := `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}` + "\n"
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"ten_lines", strings.Repeat(good, 10), nil},
		{"no_newline_at_the_end", strings.TrimSuffix(strings.Repeat(good, 10), "\n"), nil},
		{"windows_newlines", strings.ReplaceAll(strings.Repeat(good, 10), "\n", "\r\n"), nil},
		{"too_few", good, []string{ruleTooFew}},
		{"empty", "", []string{ruleTooFew}},
		{"byte_order_mark", "\ufeff" + strings.Repeat(good, 10), []string{ruleBOM}},
		{"blank_line", strings.Repeat(good, 9) + "\n" + good, []string{ruleBlank}},
		{"invalid_utf8", strings.Repeat(good, 10) + "\xff\n", []string{ruleJSON}},
		{"too_long_a_line", strings.Repeat(good, 10) + strings.Repeat("x", maxLineBytes+5) + "\n" + good, []string{ruleLength}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var found []Finding
			if err := named(t, "openai").CheckFile(strings.NewReader(test.text), func(f Finding) { found = append(found, f) }); err != nil {
				t.Fatal(err)
			}
			if got := rulesOf(found); !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v: %v", got, test.want, found)
			}
		})
	}
}

func TestFindingNamesThePlace(t *testing.T) {
	line := `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":2}]}` + "\n"
	var found []Finding
	if err := named(t, "together").CheckFile(strings.NewReader(line), func(f Finding) { found = append(found, f) }); err != nil {
		t.Fatal(err)
	}
	if want := "1: messages[1].weight: is neither 0 nor 1 (weight)"; len(found) == 0 || found[0].String() != want {
		t.Errorf("%v, want %s first", found, want)
	}
}

func FuzzCheckLine(f *testing.F) {
	for _, test := range checkCases {
		f.Add([]byte(test.line))
	}
	for _, test := range targetCases {
		f.Add([]byte(strings.NewReplacer(test.edit...).Replace(test.line)))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, target := range All() {
			target.CheckLine(line)
		}
	})
}

func named(t *testing.T, name string) *Target {
	t.Helper()
	target, err := Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// rulesOf gives the rules of findings, sorted.
func rulesOf(found []Finding) []string {
	var rules []string
	for _, finding := range found {
		rules = append(rules, finding.Rule)
	}
	slices.Sort(rules)
	return rules
}
