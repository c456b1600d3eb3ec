package target

import (
	"fmt"
	"slices"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// preference is a preference pair that fits its format.
type preference struct {
	canonical.Example // its messages are the context
	better, worse     []lake.Message
}

// convertPair makes the line of a preference pair. Both ways to go on are made
// fit as an example would be, each behind the context.
func (t *Target) convertPair(e canonical.Example, opts Options) (Result, error) {
	losses := Losses{}
	against := e.Against
	if against == nil || against.Context >= len(e.Messages) {
		return dropped(RuleNoPair, losses), nil
	}
	context := e.Messages[:against.Context]
	better, rule := t.side(e, context, e.Messages[against.Context:], opts, losses)
	if rule != "" {
		return dropped(rule, losses), nil
	}
	worse, rule := t.side(e, context, against.Messages, opts, losses)
	if rule != "" {
		return dropped(rule, losses), nil
	}
	at, other := firstTarget(better.Messages), firstTarget(worse.Messages)
	p := preference{Example: better, better: better.Messages[at:], worse: worse.Messages[other:]}
	p.Messages = better.Messages[:at]
	if slices.EqualFunc(p.better, p.worse, saysSame) {
		return dropped(RuleSameReplies, losses), nil
	}
	if limit := t.limit(opts); limit > 0 && opts.Count != nil && max(tokensOf(&better, opts), tokensOf(&worse, opts)) > limit {
		return dropped(RuleTooLong, losses), nil
	}
	text, err := t.encodePair(&p)
	if err != nil {
		return Result{}, fmt.Errorf("%s: pair %s: %w", t.Name, against.PairID, err)
	}
	line := Line{JSON: text, Example: better, Targets: canonical.Targets(p.better) + canonical.Targets(p.worse)}
	kept := *against
	kept.Context, kept.Messages = at, p.worse
	line.Example.Against = &kept
	return Result{Lines: []Line{line}, Losses: losses}, nil
}

// side makes the context and one way to go on fit. What both sides lose is
// counted once.
func (t *Target) side(e canonical.Example, context, reply []lake.Message, opts Options, losses Losses) (canonical.Example, Rule) {
	if len(reply) == 0 || reply[0].Role != "assistant" {
		return e, RuleNoPair
	}
	own := Losses{}
	end := 1
	for !t.OneReply && end < len(reply) && (reply[end].Role == "assistant" || reply[end].Role == "tool") {
		end++
	}
	if end < len(reply) {
		own.add(RuleFirstReply)
		reply = reply[:end]
	}
	work := e
	work.Against = nil
	work.Messages = slices.Concat(context, reply)
	work = work.Clone()
	for i := range work.Messages {
		m := &work.Messages[i]
		weight := 0.0
		if i >= len(context) {
			weight = 1
		}
		m.Weight = &weight // of the assistant's: prepare takes the others' away
	}
	rule := t.prepare(&work, opts, own)
	if rule == "" {
		rule = t.fit(&work, own)
	}
	for fired, times := range own {
		losses[fired] = max(losses[fired], times)
	}
	if rule == "" && firstTarget(work.Messages) < 0 {
		rule = RuleNoTarget
	}
	return work, rule
}

// firstTarget finds where the context of a pair ends; -1: nowhere.
func firstTarget(messages []lake.Message) int { return slices.IndexFunc(messages, canonical.IsTarget) }

func saysSame(a, b lake.Message) bool {
	return a.Role == b.Role && a.Content == b.Content && a.Reasoning == b.Reasoning &&
		slices.EqualFunc(a.ToolCalls, b.ToolCalls, func(a, b lake.ToolCall) bool {
			return a.Name == b.Name && a.Arguments == b.Arguments
		})
}

func tokensOf(e *canonical.Example, opts Options) int {
	n := 0
	if opts.Base != nil {
		n = opts.Base(e)
	}
	for _, m := range e.Messages {
		n += opts.Count(m)
	}
	return n
}

// The form of preference pairs that OpenAI began: what was asked, and two
// answers.
type (
	choiceLine struct {
		Input     choiceInput   `json:"input"`
		Preferred []chatMessage `json:"preferred_output"`
		Other     []chatMessage `json:"non_preferred_output"`
	}
	choiceInput struct {
		Messages          []chatMessage `json:"messages"`
		Tools             []chatTool    `json:"tools,omitempty"`
		ParallelToolCalls *bool         `json:"parallel_tool_calls,omitempty"`
	}
)

func encodeChoice(p *preference) ([]byte, error) {
	return encodeLine(choiceLine{
		choiceInput{chatMessages(p.Messages, unweighted), chatTools(p.Tools), p.ParallelToolCalls},
		chatMessages(p.better, unweighted), chatMessages(p.worse, unweighted),
	})
}

// openAIDPO is OpenAI's form for direct preference optimization: text only,
// each answer one assistant message. (developers.openai.com, guide, 2026; the
// keys *_completion of early 2025 are gone.)
func openAIDPO() *Target {
	t := openAI()
	t.Name, t.Doc = "openai-dpo", "OpenAI preference pairs, for DPO"
	t.Pairs, t.OneReply = true, true
	t.fits = []pass{userFirst}
	t.encodePair = encodeChoice
	t.check = choiceForm(choices{roles: chatRoles, keys: chatKeys, maxTools: 128})
	return t
}

// azureDPO is OpenAI's form as Azure OpenAI takes it: files begin with a byte
// order mark, and an answer may be several messages, of assistants and tools.
func azureDPO() *Target {
	t := azure()
	t.Name, t.Doc = "azure-dpo", "Azure OpenAI preference pairs, for DPO"
	t.Pairs = true
	t.fits = []pass{userFirst}
	t.encodePair = encodeChoice
	t.check = choiceForm(choices{roles: chatRoles, keys: chatKeys, maxTools: 128})
	return t
}

// fireworksDPO is Fireworks' form of preference pairs. That an answer is one
// message is our reading of a guide of which we saw a part.
func fireworksDPO() *Target {
	t := fireworks()
	t.Name, t.Doc = "fireworks-dpo", "Fireworks preference pairs, for DPO"
	t.Pairs, t.OneReply, t.HasReasoning = true, true, false
	t.fits = append([]pass{userFirst}, t.fits...)
	t.encodePair = encodeChoice
	t.check = choiceForm(choices{roles: []string{"system", "user", "assistant", "tool"}, keys: plainKeys, systemFirst: true})
	return t
}

// togetherDPO is Together's form of preference pairs: each answer is one
// assistant message, and tools stand in the input. The client 1.5 wants a text in
// every answer, and so refuses those that call, as it does other lines with calls.
func togetherDPO() *Target {
	t := together()
	t.Name, t.Doc = "together-dpo", "Together AI preference pairs, for DPO"
	t.Pairs, t.OneReply, t.HasReasoning = true, true, false
	t.fits = []pass{userFirst}
	t.encodePair = encodeChoice
	t.check = choiceForm(choices{roles: []string{"system", "user", "assistant", "tool"}, keys: plainKeys, alternates: true})
	return t
}

var (
	chatRoles = []string{"system", "user", "assistant", "tool", "function"}
	chatKeys  = []string{"role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal"}
	plainKeys = []string{"role", "content", "tool_calls", "tool_call_id"}
)

// choices is how a target's pairs differ from the others'.
type choices struct {
	roles, keys             []string
	maxTools                int
	systemFirst, alternates bool
}

// choiceForm is the check of a line with two answers.
func choiceForm(form choices) func(*checker, object) {
	return func(c *checker, line object) {
		c.keys(line, "", "input", "preferred_output", "non_preferred_output")
		hasTools := false
		input, ok := line["input"].(object)
		if !ok {
			c.add(ruleMissing, "input", "is missing or no object")
		}
		c.within("input", func() {
			if !ok {
				return
			}
			c.keys(input, "", "messages", "tools", "parallel_tool_calls")
			hasTools = c.tools(input, form.maxTools)
			c.flag(input, "parallel_tool_calls")
			messages := c.messages(input)
			for i, m := range messages {
				c.choiceMessage(m, index("messages", i), form.roles, form.keys, hasTools)
			}
			if form.systemFirst {
				c.systemFirst(messages)
			}
			if form.alternates {
				c.alternates(messages)
			}
			c.answers(messages, !c.target.calls.anyID)
		})
		for _, key := range []string{"preferred_output", "non_preferred_output"} {
			c.choice(line, key, form.keys, hasTools)
		}
	}
}

// choice checks one of the two answers.
func (c *checker) choice(line object, key string, keys []string, hasTools bool) {
	messages := c.list(line, "", key)
	roles := []string{"assistant"}
	if c.target.OneReply {
		if len(messages) > 1 {
			c.add(ruleOrder, key, "has %d messages; an answer is one", len(messages))
		}
	} else {
		roles = append(roles, "tool")
	}
	replies := 0
	for i, m := range messages {
		at := index(key, i)
		if c.choiceMessage(m, at, roles, keys, hasTools) == "assistant" {
			replies++
		}
	}
	if len(messages) > 0 && replies == 0 {
		c.add(ruleTrained, key, "has no assistant message")
	}
}

func (c *checker) choiceMessage(m object, path string, roles, keys []string, hasTools bool) string {
	role := c.role(m, path, roles...)
	c.keys(m, path, keys...)
	if slices.Contains(keys, "name") {
		c.name(m, path)
	}
	c.content(m, path, role)
	c.calls(m, path, role, hasTools)
	return role
}
