package target

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// Whatever the example, its lines pass the target's check, and its targets add
// up, divided or not.
func TestAnyExampleConvertsOrIsDropped(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		example := anyExample(rng)
		pair, isPair := anyPair(rng, example)
		for _, target := range All() {
			one := example
			if one = example; target.Pairs {
				if one = pair; !isPair {
					continue
				}
			}
			result, err := target.Convert(one, testOptions())
			if err != nil {
				t.Fatal(err)
			}
			if checkResult(t, target, one, result); t.Failed() {
				text, _ := json.Marshal(one)
				t.Fatalf("example %d: %s", i, text)
			}
		}
	}
}

// Lines that are read back are the example, but for what the reported rules
// say: each aspect in which the two differ is one that a reported rule changes.
// An example without any loss is the same.
func TestLinesReadBackButForWhatIsReported(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	options := testOptions()
	options.MaxTokens = 1 << 20 // pieces are another test's
	same := map[string]int{}    // examples without loss, by target
	shown := map[Rule]int{}     // reports whose change was seen
	fired := map[Rule]int{}
	for range 500 {
		example := anyExample(rng)
		pair, isPair := anyPair(rng, example)
		for _, target := range All() {
			one := example
			if target.Pairs {
				if one = pair; !isPair {
					continue
				}
			}
			result, err := target.Convert(one, options)
			if err != nil {
				t.Fatal(err)
			}
			for rule := range result.Losses {
				fired[rule]++
			}
			if result.Dropped != "" {
				continue
			}
			differs := differences(target, one, result)
			for rule := range result.Losses {
				if slices.ContainsFunc(changes[rule], func(aspect string) bool { return differs[aspect] != "" }) {
					shown[rule]++
				}
			}
			if len(result.Losses) == 0 {
				same[target.Name]++
			}
			for aspect, how := range differs {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(result.Losses)), func(rule Rule) bool { return slices.Contains(changes[rule], aspect) }) {
					text, _ := json.Marshal(one)
					t.Errorf("%s: %s differs, and no rule of %v says so:\n%s\nexample %s\nlines\n%s", target.Name, aspect, result.Losses, how, text, describe(result))
				}
			}
		}
	}
	for _, target := range All() {
		if same[target.Name] < 3 {
			t.Errorf("%s: only %d examples came through without loss", target.Name, same[target.Name])
		}
	}
	for _, info := range ruleInfo {
		switch {
		case slices.Contains(elsewhere, info.Rule):
		case fired[info.Rule] == 0:
			t.Errorf("%s never fired", info.Rule)
		case !info.Drops && len(changes[info.Rule]) > 0 && shown[info.Rule] == 0:
			t.Errorf("%s was reported %d times and never changed %v", info.Rule, fired[info.Rule], changes[info.Rule])
		}
	}
}

// Rules that no example of anyExample fires.
func TestWhatNoExampleHas(t *testing.T) {
	weight := 1.0
	example := canonical.Example{Messages: []lake.Message{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b", Weight: &weight}}}
	for i := range 129 {
		example.Tools = append(example.Tools, lake.Tool{Name: fmt.Sprintf("tool_%d", i)})
	}
	for name, want := range map[string]Rule{"openai": RuleManyTools, "openai-dpo": RuleNoPair, "together": ""} {
		result, err := named(t, name).Convert(example, testOptions())
		if err != nil || result.Dropped != want {
			t.Errorf("%s: dropped by %q, want %q (%v)", name, result.Dropped, want, err)
		}
	}
}

// elsewhere are rules that this test's examples cannot fire.
var elsewhere = []Rule{
	RuleTooLong, RuleContext, RuleTruncated, RuleDivided, RuleTargetTooLong, // nothing is too long
	RuleNamed,                 // the distillation's
	RuleManyTools, RuleNoPair, // TestWhatNoExampleHas
}

// placed are the aspects that change where messages are left out.
var placed = []string{"roles", "system", "user", "assistant", "results", "failures", "others", "reasoning", "names", "calls", "arguments", "ids"}

// changes are the aspects of an example that a rule may change. A rule that is
// not here is a note: it changes nothing.
var changes = map[Rule][]string{
	RuleTailTrimmed:     placed,
	RuleEmpty:           {"roles", "system", "user", "assistant", "reasoning", "names", "trained"},
	RuleResultMoved:     {"roles", "results", "ids", "failures"},
	RuleCallID:          {"ids"},
	RuleDeveloper:       {"roles"},
	RulePerson:          {"names", "user"},
	RuleName:            {"names"},
	RuleNamePrefix:      {"names", "user"},
	RuleNameOmitted:     {"names"},
	RuleToolName:        {"tools", "calls", "trained", "descriptions"},
	RuleTools:           {"tools", "descriptions", "parameters"},
	RuleReasoning:       {"reasoning", "trained"},
	RuleIsError:         {"failures"},
	RuleAside:           {"asides"},
	RuleResponseFormat:  {"format"},
	RuleToolChoice:      {"choice"},
	RuleParallel:        {"parallel"},
	RuleSystemMoved:     {"roles", "user", "system"},
	RuleSystemMerged:    {"roles", "system", "names"},
	RuleUserMerged:      {"roles", "user", "names"},
	RuleTurnsMerged:     {"roles", "assistant", "reasoning", "names", "trained"},
	RuleLastOnly:        {"trained"},
	RuleUnmaskedCut:     append([]string{"trained"}, placed...),
	RuleParallelEnd:     append([]string{"trained"}, placed...),
	RuleOneAnswer:       append([]string{"trained"}, placed...),
	RuleFirstReply:      append([]string{"trained", "asides"}, placed...),
	RuleArgumentsMade:   {"arguments", "trained"},
	RuleCallIDRewritten: {"ids"},
	RuleTextBesideCall:  {"assistant", "trained"},
	RuleToolDescription: {"descriptions"},
	RuleToolParameters:  {"parameters"},
	RuleToolsOmitted:    {"tools", "descriptions", "parameters"},
	RuleResultWrapped:   {"results"},
	RuleResultsJoined:   {"roles", "results", "ids"},
}

// tiesByOrder are targets whose calls have no ids: results stand in the order
// of their calls. An id says nothing else.
var tiesByOrder = []string{"gemini", "llama-factory", "ms-swift", "llama-factory-dpo", "ms-swift-dpo"}

// differences compares what was read back with the example, by aspect.
func differences(target *Target, e canonical.Example, result Result) map[string]string {
	differs := map[string]string{}
	compare := func(want, got canonical.Example) {
		wanted, found := aspects(want), aspects(got)
		for name := range wanted {
			if name == "ids" && slices.Contains(tiesByOrder, target.Name) {
				continue
			}
			if name == "trained" && target.Pairs {
				continue // both answers are, as wholes
			}
			if !reflect.DeepEqual(wanted[name], found[name]) {
				differs[name] = fmt.Sprintf("%q, was %q", found[name], wanted[name])
			}
		}
	}
	if e.Against != nil {
		line := parse(target, result.Lines[0].JSON)
		compare(e, line.Example)
		worse := e
		worse.Messages = slices.Concat(e.Messages[:e.Against.Context], e.Against.Messages)
		line.Messages = line.worse
		compare(worse, line.Example)
		return differs
	}
	// Where an example became several lines, each is the next one's beginning:
	// the last has all messages.
	var whole parsed
	trained := map[int]bool{}
	for _, line := range result.Lines {
		whole = parse(target, line.JSON)
		for i, m := range whole.Messages {
			if i >= len(line.Example.Messages) && len(result.Lines) > 1 {
				break
			}
			trained[i] = trained[i] || canonical.IsTarget(m)
		}
	}
	if lastOnlyLine(target, whole) {
		// The rest is context, whatever the line's weights say.
		for i := range whole.Messages {
			trained[i] = false
		}
		for _, line := range result.Lines {
			trained[len(parse(target, line.JSON).Messages)-1] = true
		}
	}
	for i := range whole.Messages {
		train(&whole.Messages[i], trained[i])
	}
	compare(e, whole.Example)
	return differs
}

func lastOnlyLine(target *Target, line parsed) bool {
	return target.loss == lossLast || target.loss == lossLastAnswer || target.loss == lossLastWithTools && len(line.Tools) > 0 ||
		target.loss == lossLastWithReasoning && slices.ContainsFunc(line.Messages, func(m lake.Message) bool { return m.Reasoning != "" })
}

// aspects tells what an example says, each in a list.
func aspects(e canonical.Example) map[string][]string {
	a := map[string][]string{}
	for _, name := range append(placed, "trained", "asides", "tools", "descriptions", "parameters", "parallel", "format", "choice") {
		a[name] = nil
	}
	add := func(name, value string) { a[name] = append(a[name], value) }
	for _, m := range e.Messages {
		add("roles", m.Role)
		switch m.Role {
		case "tool":
			add("results", normal(m.Content))
			add("ids", m.ToolCallID)
			if m.IsError != nil && *m.IsError {
				add("failures", m.ToolCallID)
			}
		case "developer":
			add("system", m.Content)
		case "system", "user", "assistant":
			add(m.Role, m.Content)
		default:
			add("others", m.Content)
		}
		if m.Role != "tool" {
			add("names", m.Name)
		}
		if m.Role == "assistant" || m.Reasoning != "" {
			add("reasoning", m.Reasoning)
		}
		if m.Parts != "" {
			add("asides", m.Parts)
		}
		said := m.Content
		for _, call := range m.ToolCalls {
			add("calls", call.Name)
			add("arguments", normal(call.Arguments))
			add("ids", call.ID)
			said += "\n" + call.Name + " " + normal(call.Arguments)
		}
		if canonical.IsTarget(m) {
			add("trained", said)
		}
	}
	for _, tool := range e.Tools {
		add("tools", tool.Name)
		add("descriptions", tool.Description)
		add("parameters", normal(tool.Parameters))
	}
	if e.ResponseFormat != "" && !isType(e.ResponseFormat, "text") {
		add("format", normal(e.ResponseFormat))
	}
	if len(e.Tools) > 0 { // without, neither means anything
		if e.ToolChoice != "" && !isType(e.ToolChoice, "auto") {
			add("choice", e.ToolChoice)
		}
		if e.ParallelToolCalls != nil {
			add("parallel", fmt.Sprint(*e.ParallelToolCalls))
		}
	}
	return a
}

// normal writes a JSON object in one way; another text stays.
func normal(text string) string {
	if !isObject(text) {
		return text
	}
	return textOf(jsonOf(text))
}

// anyPair makes a pair of an example: it parts at one of its replies.
func anyPair(rng *rand.Rand, e canonical.Example) (canonical.Example, bool) {
	var replies []int
	for i, m := range e.Messages {
		if m.Role == "assistant" {
			replies = append(replies, i)
		}
	}
	if len(replies) == 0 {
		return e, false
	}
	at := replies[rng.IntN(len(replies))]
	other := e.Clone().Messages[at:]
	end := 1
	if rng.IntN(4) == 0 {
		end = len(other)
	}
	other = other[:end:end]
	if rng.IntN(6) > 0 {
		other[0].Content += "(worse)"
	}
	pair := e.Clone()
	if rng.IntN(3) > 0 {
		pair.Messages = pair.Messages[:at+1]
	}
	pair.Against = &canonical.Against{PairID: "p", Context: at, Messages: other}
	return pair, true
}

// anyExample makes an example that may break every rule. Half of them are calm:
// most rules have nothing to say of those.
func anyExample(rng *rand.Rand) canonical.Example {
	g := generator{rng, rng.IntN(2) == 0}
	score := []float64{0.5, 0.9}[rng.IntN(2)]
	e := canonical.Example{ID: "e", ToolsOrigin: "declared", SuccessScore: &score, Tools: []lake.Tool{
		{Name: "f", Description: "d", Parameters: `{"type":"object","properties":{}}`}, {Name: "g", Description: "ü", Parameters: `{"type": "object", "properties": {"x": {"type": "number"}}}`},
	}}
	if g.odd(8) {
		e.Tools = append(e.Tools, []lake.Tool{{Name: "g"}, {Name: "k"}, {Name: "k.l", Description: "x"}, {Name: "m", Parameters: `{"type":"object"}`}, {Name: "n", Parameters: `[]`}, {Name: "o", Parameters: `{"type":"nothing"}`}}[rng.IntN(6)])
	}
	calls := rng.IntN(2) == 0
	if !calls && rng.IntN(2) == 0 || g.odd(40) {
		e.Tools = nil
	}
	if g.odd(3) {
		forbidden := rng.IntN(2) == 0
		e.ParallelToolCalls = &forbidden
	}
	if g.odd(8) {
		e.ToolsOrigin = "inferred"
	}
	if g.odd(8) {
		e.ResponseFormat = g.one(`{"type":"text"}`, `{"type":"json_object"}`, `"odd"`)
	}
	if g.odd(8) {
		e.ToolChoice = g.one(`"auto"`, `"required"`)
	}
	if rng.IntN(3) > 0 {
		e.Messages = append(e.Messages, lake.Message{Role: "system", Content: "s"})
	}
	if g.odd(8) {
		e.Messages = append(e.Messages, lake.Message{Role: g.one("system", "developer"), Content: "t", Name: g.one("", "scout_2")})
	}
	for i := range 1 + rng.IntN(5) {
		g.turn(&e, i, calls)
	}
	return e
}

type generator struct {
	*rand.Rand
	calm bool
}

func (g generator) one(choices ...string) string { return choices[g.IntN(len(choices))] }

// odd is true for one in n, and never in a calm example.
func (g generator) odd(n int) bool { return g.IntN(n) == 0 && !g.calm }

func (g generator) text() string {
	if g.odd(20) {
		return ""
	}
	if g.odd(60) {
		return "Say User: hello"
	}
	return strings.Repeat(g.one("a ", "é ", "\"\\ ", "\n", "<tag> ", "雨", "🌊 ", "\u2028", "\x00"), 1+g.IntN(12)) + "."
}

func (g generator) turn(e *canonical.Example, i int, calls bool) {
	if !g.odd(15) {
		m := lake.Message{Role: "user", Content: g.text()}
		if g.odd(4) {
			m.Name = g.one("scout_1", "planner x", "Ann B", "b")
		}
		if g.odd(40) {
			m.Parts = g.one(`[{"type":"image"}]`, `[{"type":"odd"}]`)
		}
		e.Messages = append(e.Messages, m)
	}
	if g.odd(30) {
		e.Messages = append(e.Messages, lake.Message{Role: g.one("system", "user", "critic"), Content: g.text()})
	}
	m := g.reply()
	if g.odd(4) {
		none := 0.0
		m.Weight = &none // what follows the calls is trained alone
	}
	if calls {
		for j := range g.IntN(3) {
			call := lake.ToolCall{ID: fmt.Sprintf("c%d_%d", i, j), Name: g.one("f", "g"), Arguments: g.one("{}", `{"x": 1}`, `{"y":[1.50,"é"],"x":null}`)}
			if g.odd(10) {
				call.Name = g.one("h", "h.i")
			}
			if g.odd(10) {
				call.Arguments = g.one("", "[1]")
			}
			if g.odd(15) {
				call.ID = g.one("", "c0_0")
			}
			m.ToolCalls = append(m.ToolCalls, call)
		}
		if len(m.ToolCalls) > 0 && g.IntN(2) == 0 {
			m.Content = ""
		}
	}
	e.Messages = append(e.Messages, m)
	for _, call := range m.ToolCalls {
		if g.odd(30) {
			continue
		}
		result := lake.Message{Role: "tool", Name: call.Name, ToolCallID: call.ID, Content: g.one(g.text(), `{"c": 3}`, `{"c": 3}`)}
		if g.odd(10) {
			failed := true
			result.IsError = &failed
		}
		if g.odd(40) {
			e.Messages = append(e.Messages, lake.Message{Role: "user", Content: "wait"})
		}
		if g.odd(60) {
			e.Messages = append(e.Messages, lake.Message{Role: "tool", ToolCallID: "odd"})
		}
		if g.odd(60) {
			result.ToolCallID = "nobody"
		}
		e.Messages = append(e.Messages, result)
	}
	if len(m.ToolCalls) > 0 && !g.odd(10) {
		e.Messages = append(e.Messages, g.reply())
	}
}

func (g generator) reply() lake.Message {
	weight := 1.0
	if g.odd(4) {
		weight = float64(g.IntN(3))
	}
	m := lake.Message{Role: "assistant", Content: g.text(), Weight: &weight}
	if g.IntN(8) == 0 && !g.odd(3) {
		m.Reasoning = g.text()
		if g.odd(10) {
			m.Reasoning = "a </think> b"
		}
	}
	if g.odd(10) {
		m.Name = g.one("scout_1", "scout 9")
	}
	if g.odd(20) {
		m.Parts = `[{"type":"citations"}]`
	}
	return m
}
