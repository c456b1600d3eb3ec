package distill

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/lake"
)

// Texts of which prompts are made: sections, and what stands between them.
var (
	sections = []string{
		"# Who you are\nYou are a scout. You find paths.\n\n", "## How you work\n1. Look.\n2. Ask.\n3. Go.\n\n",
		"# Rules\nNever leave the path.\r\nAlways say why.\n", "<FILES>\nKeep files small.\n</FILES>\n\n", "### Tools\nUse look first.  \n",
		"# Guide\n", "## Part\n\n", "You are helpful.\n", "Zwölf Boxkämpfer — \u2028 <b>&</b>\n", "\n\n", "  ", "#nohead\n", "##### deep\ntext\n",
	}
	anyRules = &Rules{Name: "test", Set: []Rule{
		{ID: "who", Version: 1, Match: MatchSection, Text: "# Who you are\nYou are a scout. You find paths.", Do: DoReplace, Replace: "You are a scout."},
		{ID: "how", Version: 1, Kind: "methodology", Match: MatchSection, Text: "## How you work\n1. Look.\n2. Ask.\n3. Go.", Do: DoRemove, Names: []string{"Look Ask Go"}},
		{ID: "musts", Version: 2, Match: MatchSection, TextHash: foldedHash("# Rules\nNever leave the path. Always say why."), Do: DoRemove},
		{ID: "all", Version: 1, Match: MatchSystem, Text: "You are helpful.\n", Do: DoRemove},
		{ID: "words", Version: 1, Match: MatchText, Text: "Keep files small.", Do: DoReplace, Replace: "Small files."},
		{ID: "look", Version: 1, Match: MatchTool, Tool: "look", Do: DoShorten, Replace: "Looks."},
		{ID: "ask", Version: 1, Match: MatchTool, Tool: "ask", Do: DoRemove},
		{ID: "go", Version: 1, Match: MatchTool, Tool: "go", Do: DoReplace},
	}}
)

func frozen(t testing.TB, r *Rules) *Rules {
	t.Helper()
	text, err := marshalRules(r, "")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return parsed
}

func anyPrompt(rng *rand.Rand) string {
	var out strings.Builder
	for range rng.IntN(6) {
		out.WriteString(sections[rng.IntN(len(sections))])
	}
	return out.String()
}

func anyExample(rng *rand.Rand) canonical.Example {
	one, zero := 1.0, 0.0
	var e canonical.Example
	if rng.IntN(5) > 0 {
		e.Messages = append(e.Messages, lake.Message{Role: []string{"system", "developer"}[rng.IntN(2)], Content: anyPrompt(rng)})
	}
	for range 1 + rng.IntN(3) {
		e.Messages = append(e.Messages, lake.Message{Role: "user", Content: anyPrompt(rng) + "go?"})
		if rng.IntN(6) == 0 {
			e.Messages = append(e.Messages, lake.Message{Role: "system", Content: anyPrompt(rng)})
		}
		e.Messages = append(e.Messages, lake.Message{Role: "assistant", Content: "Never leave the path.", Weight: []*float64{&one, &zero}[rng.IntN(2)]})
	}
	for _, name := range []string{"look", "ask", "go", "other"} {
		if rng.IntN(3) == 0 {
			e.Tools = append(e.Tools, lake.Tool{
				Name: name, Description: anyPrompt(rng) + "x",
				Parameters: `{"type":"object","description":"All.","properties":{"description":{"type":"string","description":"What <b>."},"n":{"anyOf":[{"type":"integer","title":"N"},{"const":{"title":1.50}}]}},"required":["description"]}`,
			})
		}
	}
	if len(e.Tools) > 0 && rng.IntN(3) == 0 {
		e.ToolChoice = fmt.Sprintf(`{"type":"function","name":%q}`, e.Tools[0].Name)
	}
	return e
}

// build makes the request that an example is the log of.
func build(e canonical.Example, form string) []byte {
	request := object{{"model", json.RawMessage(`"m"`)}}
	var messages, tools []json.RawMessage
	for i, m := range e.Messages {
		text := quoted(m.Content)
		switch {
		case isSystem(m.Role) && i == 0 && form == Messages:
			request = append(request, member{"system", text})
			continue
		case isSystem(m.Role) && i == 0 && form == Responses:
			request = append(request, member{"instructions", text})
			continue
		}
		messages = append(messages, object{{"role", quoted(m.Role)}, {"content", text}}.raw())
	}
	for _, tool := range e.Tools {
		o := object{{"name", quoted(tool.Name)}}
		if tool.Description != "" {
			o = append(o, member{"description", quoted(tool.Description)})
		}
		o = append(o, member{map[string]string{Messages: "input_schema"}[form], json.RawMessage(tool.Parameters)})
		if form != Messages {
			o[len(o)-1].key = "parameters"
		}
		if form == ChatCompletions {
			o = object{{"type", quoted("function")}, {"function", o.raw()}}
		}
		tools = append(tools, o.raw())
	}
	key := "messages"
	if form == Responses {
		key = "input"
	}
	request = append(request, member{key, rawList(messages)}, member{"temperature", json.RawMessage("0.10")})
	if len(tools) > 0 {
		request = append(request, member{"tools", rawList(tools)})
	}
	if e.ToolChoice != "" {
		request = append(request, member{"tool_choice", json.RawMessage(e.ToolChoice)})
	}
	return request.raw()
}

// What the tuned model is sent is what it was trained on: shortening an example
// and then making a request of it gives, to the byte, the request shortened.
func TestARequestIsShortenedAsItsExampleWas(t *testing.T) {
	rules := frozen(t, anyRules)
	rng := rand.New(rand.NewPCG(5, 1))
	changed := 0
	for range 3000 {
		e := anyExample(rng)
		before, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		short := e.Clone()
		fired := rules.Example(&short)
		if after, _ := json.Marshal(e); !bytes.Equal(before, after) {
			t.Fatalf("the original was changed\n%s\n%s", before, after)
		}
		for _, form := range Forms() {
			request := build(e, form)
			got, gotFired, err := rules.Request(request, form)
			if err != nil {
				t.Fatal(err)
			}
			if want := build(short, form); !bytes.Equal(got, want) {
				t.Fatalf("%s\n%s\nbecomes\n%s\nwant\n%s", form, request, got, want)
			}
			if !reflect.DeepEqual(fired, gotFired) {
				t.Fatalf("%s: rules %v, in the example %v", request, gotFired, fired)
			}
		}
		if len(fired) > 0 {
			changed++
		}
	}
	if changed < 1000 {
		t.Errorf("only %d examples were changed", changed)
	}
}

// The system text of a training line is that of the shortened request.
func TestTheTrainingLineHasTheRequestsPrompt(t *testing.T) {
	rules := frozen(t, anyRules)
	openAI, err := target.Named("openai")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 2))
	compared := 0
	for range 1000 {
		e := anyExample(rng)
		request, _, err := rules.Request(build(e, ChatCompletions), "")
		if err != nil {
			t.Fatal(err)
		}
		short := e.Clone()
		rules.Example(&short)
		if !isSystem(short.Messages[0].Role) || short.Messages[0].Content == "" {
			continue // one in mid-conversation may lie behind the last target
		}
		result, err := openAI.Convert(short, target.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range result.Lines {
			trained, sent := firstSystem(t, line.JSON), firstSystem(t, request)
			if trained != sent {
				t.Fatalf("trained on %q, sent %q", trained, sent)
			}
			compared++
		}
	}
	if compared < 300 {
		t.Errorf("only %d lines were compared", compared)
	}
}

func firstSystem(t *testing.T, text []byte) string {
	t.Helper()
	var line struct{ Messages []lake.Message }
	if err := json.Unmarshal(text, &line); err != nil {
		t.Fatal(err)
	}
	for _, m := range line.Messages {
		if isSystem(m.Role) && m.Content != "" {
			return m.Content
		}
	}
	return ""
}

func TestRequest(t *testing.T) {
	rules := frozen(t, anyRules)
	for _, test := range []struct{ name, in, want string }{
		{
			"untouched_comes_back_as_it_was", `{ "model":"m", "messages": [ {"role":"user","content":"hi"} ] }`,
			`{ "model":"m", "messages": [ {"role":"user","content":"hi"} ] }`,
		},
		{
			"blocks_are_one_text", `{"system":[{"type":"text","text":"## How you work\n1. Look."},{"type":"text","text":"2. Ask.\n3. Go.\n# X\ny","cache_control":{"type":"ephemeral"}}],"messages":[]}`,
			`{"system":[{"type":"text","text":"# X\ny","cache_control":{"type":"ephemeral"}}],"messages":[]}`,
		},
		{
			"users_and_assistants_are_left_alone", `{"messages":[{"role":"user","content":"You are helpful.\n"},{"role":"assistant","content":"Keep files small."}]}`,
			`{"messages":[{"role":"user","content":"You are helpful.\n"},{"role":"assistant","content":"Keep files small."}]}`,
		},
		{
			"an_empty_prompt_goes", `{"instructions":"You are helpful.\n","input":"hi"}`, `{"input":"hi"}`,
		},
		{
			"stored_instructions", `{"instructions":[{"role":"developer","content":[{"type":"input_text","text":"You are helpful.\n"}]}],"input":[]}`, `{"instructions":[],"input":[]}`,
		},
		{
			"a_heading_whose_sections_went_goes_too", `{"messages":[{"role":"system","content":"# Guide\n## How you work\n1. Look.\n2. Ask.\n3. Go.\n# End\nx"}]}`,
			`{"messages":[{"role":"system","content":"# End\nx"}]}`,
		},
		{
			"a_forced_tool_stays", `{"messages":[],"tools":[{"type":"function","function":{"name":"ask"}}],"tool_choice":{"type":"function","function":{"name":"ask"}}}`,
			`{"messages":[],"tools":[{"type":"function","function":{"name":"ask"}}],"tool_choice":{"type":"function","function":{"name":"ask"}}}`,
		},
		{
			"no_tools_no_choice", `{"messages":[],"tools":[{"type":"function","function":{"name":"ask"}}],"tool_choice":"auto","parallel_tool_calls":false}`, `{"messages":[]}`,
		},
		{
			"anthropic_tool", `{"messages":[],"tools":[{"name":"look","description":"Looks far.","input_schema":{"type":"object","properties":{"far":{"type":"integer","description":"m"}}}}]}`,
			`{"messages":[],"tools":[{"name":"look","description":"Looks.","input_schema":{"type":"object","properties":{"far":{"type":"integer"}}}}]}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _, err := rules.Request([]byte(test.in), "")
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("\n%s\nwant\n%s", got, test.want)
			}
		})
	}
	for _, bad := range []string{``, `[]`, `{`, `{}`, `{"prompt":"x"}`, `{"messages":[1]}`, `{"messages":[]} {}`} {
		if _, _, err := rules.Request([]byte(bad), ""); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func FuzzRequest(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 3))
	for _, form := range Forms() {
		f.Add(build(anyExample(rng), form))
	}
	rules := frozen(f, anyRules)
	f.Fuzz(func(t *testing.T, request []byte) {
		got, fired, err := rules.Request(request, "")
		if err == nil && !json.Valid(got) {
			t.Fatalf("%s is no JSON any more: %s", request, got)
		}
		if err == nil && len(fired) == 0 && !bytes.Equal(got, request) {
			t.Fatalf("no rule fired and %s became %s", request, got)
		}
	})
}

func FuzzRuleText(f *testing.F) {
	for _, text := range append(sections, "a\r\nb", "\tx", " \n x", "x: y", "- z", "\u0085", "'\"", "~", "# c\n  d\n e") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
		if text == "" || strings.ContainsFunc(text, func(r rune) bool {
			return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0xfeff || r >= 0xfffe && r <= 0xffff
		}) {
			t.Skip()
		}
		rules := &Rules{Name: "fuzz", Set: []Rule{{ID: "a", Version: 1, Match: MatchText, Text: text, Do: DoRemove}}}
		if got := frozen(t, rules).Set[0].Text; got != text {
			t.Fatalf("%q reads back as %q", text, got)
		}
	})
}

func TestFreeze(t *testing.T) {
	const fresh = "# ours\nname: a\nrules:\n  # the long one\n  - {id: x, version: 1, match: text, text: abc, do: remove}\n"
	first, changed, err := Freeze([]byte(fresh))
	if err != nil || len(changed) != 1 {
		t.Fatalf("%v %v", changed, err)
	}
	if !strings.Contains(string(first), "# the long one") {
		t.Errorf("comment lost:\n%s", first)
	}
	rules, err := Parse(first)
	if err != nil || rules.Set[0].Version != 1 {
		t.Fatalf("%+v %v", rules, err)
	}
	again, changed, err := Freeze(first)
	if err != nil || len(changed) != 0 || !bytes.Equal(again, first) {
		t.Errorf("frozen twice: %v %v", changed, err)
	}
	edited := bytes.Replace(first, []byte("abc"), []byte("abcd"), 1)
	if _, err := Parse(edited); err == nil {
		t.Error("an edited rule was taken")
	}
	second, _, err := Freeze(edited)
	if err != nil {
		t.Fatal(err)
	}
	next, err := Parse(second)
	if err != nil || next.Set[0].Version != 2 || next.Hash() == rules.Hash() {
		t.Errorf("%+v %v", next, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no_name":           "rules: []",
		"misspelt":          "name: a\nrules: [{id: x, version: 1, match: text, texxt: a, do: remove}]",
		"no_version":        "name: a\nrules: [{id: x, match: text, text: a, do: remove}]",
		"twice":             "name: a\nrules: [{id: x, version: 1, match: text, text: a, do: remove}, {id: x, version: 1, match: text, text: b, do: remove}]",
		"other_hash":        "name: a\nrules: [{id: x, version: 1, match: system, text: a, text_hash: b, do: remove}]",
		"shorten_a_text":    "name: a\nrules: [{id: x, version: 1, match: text, text: a, do: shorten}]",
		"tool_without_name": "name: a\nrules: [{id: x, version: 1, match: tool, do: remove}]",
		"bad_marker":        "name: a\nrules: [{id: x, version: 1, match: text, text: a, do: remove, shows: ['(']}]",
		"share_above_one":   "name: a\nrules: [{id: x, version: 1, match: text, text: a, do: remove, min_shown: 2}]",
		"bad_on_named":      "name: a\non_named: shrug\nrules: []",
	} {
		if _, _, err := Freeze([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAnswersThatName(t *testing.T) {
	rules := frozen(t, anyRules)
	one := 1.0
	for _, test := range []struct{ name, answer, want string }{
		{"acts", "Let me look first, and then ask.", ""},
		{"by_name", "I use Look-Ask-Go.", "look ask go"},
		{"speaks_of_rules", "My rules say no.", "My rules"},
	} {
		e := canonical.Example{Messages: []lake.Message{
			{Role: "system", Content: "## How you work\n1. Look.\n2. Ask.\n3. Go."},
			{Role: "user", Content: "Look Ask Go?"},
			{Role: "assistant", Content: test.answer, Weight: &one},
		}}
		if done := rules.Shorten(&e); done.Named != test.want {
			t.Errorf("%s: %q, want %q", test.name, done.Named, test.want)
		}
		if len(e.Messages) != 2 {
			t.Errorf("%s: the emptied prompt stayed: %+v", test.name, e.Messages)
		}
	}
}

// Of a preference pair both ways still go on from the same context.
func TestAPairKeepsItsContext(t *testing.T) {
	rules := frozen(t, anyRules)
	one := 1.0
	e := canonical.Example{
		Messages: []lake.Message{
			{Role: "system", Content: "You are helpful.\n"}, {Role: "user", Content: "go?"}, {Role: "assistant", Content: "better", Weight: &one},
		},
		Against: &canonical.Against{Context: 2, Messages: []lake.Message{{Role: "assistant", Content: "worse"}}},
	}
	short := e.Clone()
	rules.Example(&short)
	if short.Against.Context != 1 || short.Messages[1].Content != "better" || short.Against.Messages[0].Content != "worse" {
		t.Errorf("%+v %+v", short.Messages, short.Against)
	}
	if e.Against.Context != 2 {
		t.Error("the original was changed")
	}
}
