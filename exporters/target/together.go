package target

import (
	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// together is Together AI's conversational form. The server wants one system
// message at most, first, then user and assistant in turns; tool messages
// answer calls. Weights stand on every message, so that a line means the same
// whatever the job's train_on_inputs says. Of a line with reasoning only the
// last assistant message is trained: models that reason are the only ones that
// take such lines.
//
// Lines with tools are for the rules of today's server and of the client from
// version 2 on; the client 1.5 refuses the column tools and the role tool.
// Their documentation shows calls in place of text; a message that has both
// keeps both. (docs.together.ai, fine-tuning, data preparation, 2026.)
func together() *Target {
	return &Target{
		Name: "together", Doc: "Together AI supervised fine-tuning, conversations with tools", Provider: "together",
		Model: "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference", MinLines: 1,
		Alternates: true, HasReasoning: true,
		loss: lossLastWithReasoning,
		encode: func(e *canonical.Example) ([]byte, error) {
			return encodeChat(e, func(m lake.Message) *int {
				weight := new(int)
				if canonical.IsTarget(m) {
					*weight = 1
				}
				return weight
			})
		},
		check: checkTogether,
	}
}

func checkTogether(c *checker, line object) {
	for _, other := range []string{"text", "prompt", "completion", "input", "preferred_output", "non_preferred_output"} {
		if _, ok := line[other]; ok {
			c.add(ruleMixed, other, "belongs to another of the provider's formats; a line has one")
		}
	}
	c.keys(line, "", "messages", "tools", "weight", "text", "prompt", "completion", "input", "preferred_output", "non_preferred_output")
	if value, ok := line["weight"]; ok {
		if weight, ok := number(value); !ok || weight < 0 {
			c.add(ruleWeight, "weight", "is no number from 0 up")
		}
	}
	hasTools := c.tools(line, 0)
	messages := c.messages(line)
	trained := false
	for i, m := range messages {
		at := index("messages", i)
		role := c.role(m, at, "system", "user", "assistant", "tool")
		c.keys(m, at, "role", "content", "tool_calls", "tool_call_id", "weight", "reasoning", "reasoning_content")
		c.content(m, at, role)
		c.reasoning(m, at)
		c.calls(m, at, role, hasTools)
		weight, has := c.weight(m, at)
		trained = trained || role == "assistant" && (!has || weight == 1)
	}
	c.oneForm(messages)
	c.alternates(messages)
	c.answers(messages, false)
	if !trained && len(messages) > 0 {
		c.add(ruleTrained, "messages", "no assistant message is trained")
	}
}
