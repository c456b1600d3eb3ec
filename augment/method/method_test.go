package method_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/augment/method"
	"github.com/weir-lake/weir/lake"
)

func says(role, content string) lake.Message {
	weight := 0.0
	if role == "assistant" {
		weight = 1
	}
	return lake.Message{Role: role, Content: content, Weight: &weight}
}

func named(name string, m lake.Message) lake.Message {
	m.Name = name
	return m
}

func called(arguments string) lake.Message {
	m := says("assistant", "")
	m.ToolCalls = []lake.ToolCall{{ID: "c1", Name: "gauge", Arguments: arguments}}
	return m
}

func result(content string) lake.Message {
	return lake.Message{Role: "tool", ToolCallID: "c1", Content: content}
}

func find(t *testing.T, name string) method.Method {
	t.Helper()
	found, err := method.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// What each rule makes of an example, and what it must leave alone: want is a
// message that the variation has, "" that the method does not apply.
func TestRules(t *testing.T) {
	cases := []struct {
		name, method string
		messages     []lake.Message
		want, not    string
	}{
		{"the number changes in result and answer", "tool_perturb",
			[]lake.Message{says("user", "How high is the river?"), called(`{"at":"mill"}`), result(`{"cm":184}`), says("assistant", "It stands at 184 cm.")}, "It stands at ", "184"},
		{"a number that the user gave", "tool_perturb",
			[]lake.Message{says("user", "Is it 184 cm?"), called(`{}`), result(`{"cm":184}`), says("assistant", "Yes, 184 cm.")}, "", ""},
		{"an answer that compares", "tool_perturb",
			[]lake.Message{says("user", "Safe?"), called(`{}`), result(`{"cm":184}`), says("assistant", "184 cm is higher than allowed.")}, "", ""},
		{"an answer that computes", "tool_perturb",
			[]lake.Message{says("user", "In metres?"), called(`{}`), result(`{"cm":184}`), says("assistant", "184 cm, or 1.84 m.")}, "", ""},
		{"a number inside another", "tool_perturb",
			[]lake.Message{says("user", "Level?"), called(`{}`), result(`{"cm":184,"id":"x184"}`), says("assistant", "184 cm.")}, "", ""},
		{"a persona in the system prompt", "persona_swap",
			[]lake.Message{says("system", "You are a lock keeper. Be brief."), says("user", "Hello there"), says("assistant", "Good day.")}, ". Be brief.", "lock keeper"},
		{"an answer that speaks of itself", "persona_swap",
			[]lake.Message{says("system", "You are a lock keeper."), says("user", "Who are you?"), says("assistant", "I am a lock keeper.")}, "", ""},
		{"two speakers", "role_swap",
			[]lake.Message{named("Ada", says("user", "Bo, open the gate")), named("Bo", says("assistant", "Done, Ada."))}, "Done, Bo.", "Done, Ada."},
		{"one speaker", "role_swap", []lake.Message{named("Ada", says("user", "Hi")), says("assistant", "Hi")}, "", ""},
		{"an exchange that is not needed", "context_trim",
			[]lake.Message{says("user", "What is a sluice?"), says("assistant", "A gate for water."), says("user", "Please explain what a ford is"), says("assistant", "A shallow crossing.")}, "A shallow crossing.", "A gate for water."},
		{"an answer that needs it", "context_trim",
			[]lake.Message{says("user", "The code is 7741, keep it."), says("assistant", "Noted."), says("user", "Please tell me the code now"), says("assistant", "7741.")}, "", ""},
		{"a request that points back", "context_trim",
			[]lake.Message{says("user", "What is a sluice?"), says("assistant", "A gate for water."), says("user", "Please explain the same for a ford"), says("assistant", "A shallow crossing.")}, "", ""},
		{"a frame around the request", "template_reword", []lake.Message{says("user", "List the locks."), says("assistant", "Two.")}, "List the locks.", ""},
		{"a reference everywhere", "entity_swap",
			[]lake.Message{says("user", "Where is ORD-48213?"), says("assistant", "ORD-48213 is on its way.")}, " is on its way.", "48213"},
		{"a first name", "entity_swap", []lake.Message{says("user", "Write to Clara."), says("assistant", "Dear Clara,")}, "Dear ", "Clara"},
		{"somebody who may be known", "entity_swap", []lake.Message{says("user", "Who was Clara Barton?"), says("assistant", "Clara Barton was a nurse.")}, "", ""},
	}
	for _, c := range cases {
		t.Run(c.method+"/"+c.name, func(t *testing.T) {
			m := find(t, c.method)
			before := method.Transcript(c.messages)
			for n := range int64(8) {
				got, err := m.Rule(method.Example{Messages: c.messages}, method.Random("root", c.method, 1, n))
				if c.want == "" {
					if !errors.Is(err, method.ErrNotApplicable) {
						t.Fatalf("%v\n%s", err, method.Transcript(got.Messages))
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				text := method.Transcript(got.Messages)
				if !strings.Contains(text, c.want) || c.not != "" && strings.Contains(text, c.not) || text == before {
					t.Errorf("got\n%s", text)
				}
				again, err := m.Rule(method.Example{Messages: c.messages}, method.Random("root", c.method, 1, n))
				if err != nil || !reflect.DeepEqual(got, again) {
					t.Errorf("the same seed gave something else: %v", err)
				}
			}
			if method.Transcript(c.messages) != before {
				t.Error("the original was changed")
			}
		})
	}
}

func asker(replies ...string) method.Asker {
	return func(context.Context, method.Question) (string, error) {
		reply := replies[0]
		replies = replies[1:]
		return reply, nil
	}
}

// What a model's reply must be like to stand.
func TestAsked(t *testing.T) {
	messages := []lake.Message{says("user", "Please open gate 7 at \"Old Mill\" today"), says("assistant", "Gate 7 is open.")}
	cases := []struct {
		name, method string
		replies      []string
		ok           bool
	}{
		{"reworded", "paraphrase", []string{`{"request":"Could gate 7 at \"Old Mill\" be opened today?"}`}, true},
		{"in a fence", "paraphrase", []string{"```json\n{\"request\":\"Could gate 7 at \\\"Old Mill\\\" be opened today?\"}\n```"}, true},
		{"a number was lost", "paraphrase", []string{`{"request":"Could the gate at \"Old Mill\" be opened today?"}`}, false},
		{"a number was made up", "paraphrase", []string{`{"request":"Could gate 7 at \"Old Mill\" be opened at 9?"}`}, false},
		{"nothing was reworded", "paraphrase", []string{`{"request":"Please, open gate 7 at \"Old Mill\" today!"}`}, false},
		{"prose", "paraphrase", []string{`Sure! {"request":"…"}`}, false},
		{"there and back", "back_translate", []string{`{"translation":"Bitte heute Tor 7"}`, `{"translation":"Kindly open gate 7 at \"Old Mill\" today"}`}, true},
		{"harder", "evolve", []string{`{"request":"Open gates 7 and 8, and say why","answer":"Both are open, because …"}`}, true},
		{"no answer", "evolve", []string{`{"request":"Open gates 7 and 8, and say why","answer":" "}`}, false},
	}
	for _, c := range cases {
		t.Run(c.method+"/"+c.name, func(t *testing.T) {
			got, err := find(t, c.method).Ask(t.Context(), method.Example{Messages: messages}, method.Random("root", c.method, 1, 0), asker(c.replies...))
			if c.ok != (err == nil) || !c.ok && !errors.Is(err, method.ErrRejected) {
				t.Errorf("%v\n%s", err, method.Transcript(got.Messages))
			}
		})
	}
}

// An example from a document must not name it: title, headings, aliases and
// initials, in any case and punctuation.
func TestNotNamed(t *testing.T) {
	document := method.Document{
		Title: "Ask Before Opening", Titles: []string{"Quiet Water Protocol"}, Terms: []string{"the mill rules"},
		Headings: []string{"Ask Before Opening", "Examples", "Slow Closing"},
		Text:     "## Ask Before Opening\n\nNever open a gate before you have asked who is downstream of it.",
	}
	reply := func(answer string) string {
		return `{"messages":[{"role":"user","content":"Open the gate now"},{"role":"assistant","content":"` + answer + `"}]}`
	}
	cases := map[string]bool{
		"Who is downstream? I will open it then.":                           true,
		"Examples of boats: a barge.":                                       true, // a heading of one common word
		"By the QUIET water-protocol I ask.":                                false,
		"The QWP says no.":                                                  false,
		"I ask before opening, always.":                                     false,
		"See the Mill Rules.":                                               false,
		"Slow closing saves the hinges.":                                    false, // a heading of another section
		"My guidelines do not allow it.":                                    false,
		"The rules of chess are older.":                                     true,
		"Well, never open a gate before you asked. Who is there?":           true,
		"Well: never open a gate, before you have asked who is there.":      false, // eight words of the text
		"I would hear from those downstream before the gate is opened, so.": true,
	}
	for answer, ok := range cases {
		_, err := find(t, "behaviour").Show(t.Context(), document, method.Random("d", "behaviour", 1, 0), asker(reply(answer)))
		if ok != (err == nil) || !ok && !errors.Is(err, method.ErrRejected) {
			t.Errorf("%q: %v", answer, err)
		}
	}
	for _, reply := range []string{`{"messages":[]}`, `{"messages":[{"role":"assistant","content":"Hi"}]}`, `{"messages":[{"role":"user","content":"Hi"}]}`} {
		if _, err := find(t, "behaviour").Show(t.Context(), document, method.Random("d", "behaviour", 1, 0), asker(reply)); !errors.Is(err, method.ErrRejected) {
			t.Errorf("%s: %v", reply, err)
		}
	}
}

// A title that every second document has forbids nothing; a telling one does.
func TestCommonTitles(t *testing.T) {
	terms := method.Terms(method.Document{Title: "Rules", Titles: []string{"3. Notes", "4. Candour"}, Headings: []string{"12) Close the Gate"}})
	if !slices.Equal(terms, []string{"candour", "close the gate"}) {
		t.Errorf("terms %q", terms)
	}
}

// An essay is shown by how a question is weighed, not by how a task is done.
func TestEssayQuestion(t *testing.T) {
	ask := func(kind string) string {
		question, err := find(t, "behaviour").ShowFirst(method.Document{Kind: kind, Text: strings.Repeat("word ", 20)}, method.Random("d", "b", 1, 0))
		if err != nil {
			t.Fatal(err)
		}
		return question.System
	}
	if !strings.Contains(ask(method.Essay), "comes to a judgement") || strings.Contains(ask("rules"), "comes to a judgement") {
		t.Error("essays and rules are asked for alike")
	}
}
