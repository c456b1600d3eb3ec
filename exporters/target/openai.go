package target

import (
	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// openAI is OpenAI's supervised chat form, with tools. Every assistant message
// is trained but those of weight 0. A line may end on a call.
//
// Limits: 10 examples a file, 65,536 tokens an example for gpt-4o and
// gpt-4o-mini (longer ones are cut from the end by the provider); the figure
// for gpt-4.1 is not published where we looked, so the same one holds. 128
// functions a request. (developers.openai.com, fine-tuning guide, 2025.)
func openAI() *Target {
	return &Target{
		Name: "openai", Doc: "OpenAI supervised fine-tuning, chat with tools", Provider: "openai",
		Model: "gpt-4.1-mini-2025-04-14", MinLines: 10, MaxTokens: 65_536, MaxTools: 128,
		HasNames: true, CanForbid: true,
		encode: func(e *canonical.Example) ([]byte, error) {
			return encodeChat(e, func(m lake.Message) *int {
				if m.Role != "assistant" || canonical.IsTarget(m) {
					return nil
				}
				return new(int)
			})
		},
		check: checkOpenAI,
	}
}

func checkOpenAI(c *checker, line object) {
	c.keys(line, "", "messages", "tools", "parallel_tool_calls", "functions")
	hasTools := c.tools(line, 128)
	c.flag(line, "parallel_tool_calls")
	messages := c.messages(line)
	trained := false
	for i, m := range messages {
		at := index("messages", i)
		role := c.role(m, at, "system", "user", "assistant", "tool", "function")
		c.keys(m, at, "role", "content", "name", "tool_calls", "tool_call_id", "weight", "function_call", "refusal", "audio")
		c.name(m, at)
		c.content(m, at, role)
		c.calls(m, at, role, hasTools)
		weight, has := c.weight(m, at)
		if has && role != "assistant" {
			c.add(ruleWeight, at+".weight", "stands on a %s message; only assistant messages have one", role)
		}
		trained = trained || role == "assistant" && (!has || weight == 1)
	}
	c.answers(messages, true)
	c.ending(messages, trained)
}
