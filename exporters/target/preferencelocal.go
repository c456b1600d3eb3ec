package target

import (
	"slices"

	"github.com/weir-lake/weir/lake"
)

// trlDPO is TRL's form of preference pairs, with the prompt apart. Each answer
// is one message: of several, the results of tools would be trained too.
func trlDPO() *Target {
	t := trl()
	t.Name, t.Doc = "trl-dpo", "TRL DPOTrainer: prompt, chosen and rejected, with tools"
	t.Pairs, t.OneReply = true, true
	t.fits = append([]pass{userFirst}, t.fits...)
	t.encodePair = func(p *preference) ([]byte, error) {
		tools, err := inOneText(chatTools(p.Tools))
		if err != nil {
			return nil, err
		}
		return encodeLine(struct {
			Prompt   []openMessage `json:"prompt"`
			Chosen   []openMessage `json:"chosen"`
			Rejected []openMessage `json:"rejected"`
			Tools    any           `json:"tools,omitempty"`
		}{openMessages(p.Messages, false), openMessages(p.better, false), openMessages(p.worse, false), tools})
	}
	t.check = func(c *checker, line object) {
		c.keys(line, "", "prompt", "chosen", "rejected", "tools")
		hasTools := c.tools(line, 0)
		prompt := c.list(line, "", "prompt")
		c.openMessagesOf(prompt, "prompt", hasTools)
		if n := len(prompt); n > 0 && prompt[n-1]["role"] == "system" {
			c.add(ruleEnding, index("prompt", n-1), "is the last message of the prompt and the system's")
		}
		for _, key := range []string{"chosen", "rejected"} {
			reply := c.list(line, "", key)
			if trained := c.openMessagesOf(reply, key, hasTools); len(reply) > 0 && !trained {
				c.add(ruleTrained, key, "has no assistant message")
			}
			c.asOne("prompt and "+key, prompt, reply)
		}
	}
	return t
}

// axolotlDPO is the form of Axolotl's type chat_template.default with rl: dpo.
// Of a message it reads role and content, and of tools nothing.
func axolotlDPO() *Target {
	t := axolotl()
	t.Name, t.Doc = "axolotl-dpo", "Axolotl, rl: dpo, type chat_template.default: text only"
	t.Pairs, t.OneReply, t.HasReasoning = true, true, false
	t.fits = []pass{systemFirst, userFirst, withoutTools}
	t.encodePair = func(p *preference) ([]byte, error) {
		texts := func(messages []lake.Message) []claudeMessage {
			list := make([]claudeMessage, len(messages))
			for i, m := range messages {
				list[i] = claudeMessage{m.Role, m.Content}
			}
			return list
		}
		return encodeLine(struct {
			Messages []claudeMessage `json:"messages"`
			Chosen   claudeMessage   `json:"chosen"`
			Rejected claudeMessage   `json:"rejected"`
		}{texts(p.Messages), texts(p.better)[0], texts(p.worse)[0]})
	}
	t.check = func(c *checker, line object) {
		c.keys(line, "", "messages", "chosen", "rejected")
		messages := c.messages(line)
		for i, m := range messages {
			at := index("messages", i)
			c.role(m, at, "system", "user", "assistant", "tool")
			if m != nil {
				c.keys(m, at, "role", "content")
				c.text(m, at, "content")
			}
		}
		c.systemFirst(messages)
		for _, key := range []string{"chosen", "rejected"} {
			reply, ok := line[key].(object)
			if !ok {
				c.add(ruleMissing, key, "is missing or no object")
				continue
			}
			c.role(reply, key, "assistant")
			c.keys(reply, key, "role", "content")
			c.text(reply, key, "content")
		}
	}
	return t
}

// llamaFactoryDPO is LLaMA-Factory's sharegpt form with ranking: true.
func llamaFactoryDPO() *Target {
	t := llamaFactory()
	t.Name, t.Doc = "llama-factory-dpo", "LLaMA-Factory sharegpt pairs, ranking: true, with dataset_info.json"
	t.Pairs, t.OneReply = true, true
	t.sidecars = func() []Sidecar { return datasetInfo(true) }
	t.encodePair = func(p *preference) ([]byte, error) {
		context, err := shareGPTOf(p.Messages, p.Tools)
		if err != nil {
			return nil, err
		}
		better, err := shareGPTOf(p.better, nil)
		if err != nil {
			return nil, err
		}
		worse, err := shareGPTOf(p.worse, nil)
		if err != nil {
			return nil, err
		}
		return encodeLine(struct {
			Conversations []shareGPTTurn `json:"conversations"`
			Chosen        shareGPTTurn   `json:"chosen"`
			Rejected      shareGPTTurn   `json:"rejected"`
			System        string         `json:"system"`
			Tools         string         `json:"tools"`
		}{context.Conversations, better.Conversations[0], worse.Conversations[0], context.System, context.Tools})
	}
	t.check = func(c *checker, line object) {
		c.keys(line, "", "conversations", "chosen", "rejected", "system", "tools")
		hasTools := c.shareGPTOpening(line)
		turns := c.list(line, "", "conversations")
		c.shareGPTTurns(turns, hasTools)
		if n := len(turns); n > 0 && n%2 == 0 {
			c.add(ruleEnding, index("conversations", n-1), "is the last message and a reply: the row would be skipped")
		}
		for _, key := range []string{"chosen", "rejected"} {
			reply, ok := line[key].(object)
			if !ok {
				c.add(ruleMissing, key, "is missing or no object")
				continue
			}
			c.shareGPTTurn(reply, key, "gpt or function_call", hasTools)
		}
	}
	return t
}

// swiftDPO is ms-swift's form of preference pairs: the conversation with the
// better answer, and as rejected_response what takes the place of everything
// after the last user's message, the calls and results that both share too.
func swiftDPO() *Target {
	t := swift()
	t.Name, t.Doc = "ms-swift-dpo", "ms-swift pairs: messages and rejected_response"
	t.Pairs, t.OneReply = true, true
	t.encodePair = func(p *preference) ([]byte, error) {
		tools, err := inOneText(chatTools(p.Tools))
		if err != nil {
			return nil, err
		}
		better, err := swiftMessages(slices.Concat(p.Messages, p.better))
		if err != nil {
			return nil, err
		}
		user := len(p.Messages) - 1
		for user > 0 && p.Messages[user].Role != "user" {
			user--
		}
		worse, err := swiftMessages(slices.Concat(p.Messages[user+1:], p.worse))
		if err != nil {
			return nil, err
		}
		return encodeLine(struct {
			Messages []swiftMessage `json:"messages"`
			Rejected []swiftMessage `json:"rejected_response"`
			Tools    any            `json:"tools,omitempty"`
		}{better, worse, tools})
	}
	t.check = func(c *checker, line object) {
		c.keys(line, "", "messages", "rejected_response", "tools")
		hasTools := c.swiftTools(line)
		messages := c.messages(line)
		c.swiftMessagesOf(messages, "messages", hasTools)
		value, ok := line["rejected_response"]
		switch rejected := value.(type) {
		case string:
			if n := len(messages); n > 0 && messages[n-1]["content"] == rejected {
				c.add(ruleTrained, "rejected_response", "is the last message: there is nothing to prefer")
			}
		case []any:
			list := c.list(line, "", "rejected_response")
			c.swiftMessagesOf(list, "rejected_response", hasTools)
			for i, m := range list {
				if m["role"] == "user" {
					c.add(ruleRole, index("rejected_response", i), "is a user's message in an answer")
				}
			}
		default:
			if !ok {
				c.add(ruleMissing, "rejected_response", "is missing")
			} else {
				c.add(ruleType, "rejected_response", "is neither a string nor a list of messages")
			}
		}
	}
	return t
}
