package target

// fireworks is Fireworks' chat form: OpenAI's, with one system message at
// most, which stands first. The roles in their guide are three; role tool is
// as in the OpenAI files that they say work unchanged. A line may have a weight of
// its own, any number, and then every line needs one; weir writes none.
//
// Limits: 3 to 3,000,000 examples; one longer than 32,768 tokens is cut unless
// the job's max_context_length says more. (docs.fireworks.ai, fine-tuning
// models, copy of 2026.)
func fireworks() *Target {
	return &Target{
		Name: "fireworks", Doc: "Fireworks supervised fine-tuning, chat with tools", Provider: "fireworks",
		Model: "accounts/fireworks/models/llama-v3p1-8b-instruct", MinLines: 3, MaxTokens: 32_768,
		HasReasoning: true, allOrNone: "weight",
		fits:   []pass{systemFirst},
		calls:  callForm{anyID: true},
		encode: openAI().encode,
		check:  checkFireworks,
	}
}

func checkFireworks(c *checker, line object) {
	c.keys(line, "", "messages", "tools", "weight")
	if value, ok := line["weight"]; ok {
		if _, ok := number(value); !ok {
			c.add(ruleWeight, "weight", "is no number")
		}
	}
	hasTools := c.tools(line, 0)
	messages := c.messages(line)
	trained := false
	for i, m := range messages {
		at := index("messages", i)
		role := c.role(m, at, "system", "user", "assistant", "tool")
		c.keys(m, at, "role", "content", "tool_calls", "tool_call_id", "weight", "reasoning_content")
		c.content(m, at, role)
		c.reasoning(m, at)
		c.calls(m, at, role, hasTools)
		weight, has := c.weight(m, at)
		trained = trained || role == "assistant" && (!has || weight == 1)
	}
	c.systemFirst(messages)
	c.answers(messages, false)
	c.ending(messages, trained)
}
