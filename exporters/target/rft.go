package target

import (
	_ "embed"
	"encoding/json"

	"github.com/weir-lake/weir/exporters/canonical"
)

// openAIRFT is OpenAI's form for reinforcement fine-tuning: a prompt that ends on
// the user's message, and beside it what a grader needs. messages and tools are
// the only keys with a meaning; the others reach the grader as item.KEY. weir
// writes
//
//	reference_answer  text of the reply that is known to be right
//	reference_tools   its calls, in the form of tool_calls
//	response_format   output format that the request wanted; left out for text
//
// and a grader.json for method.reinforcement.grader, which compares with them.
// The format of the model's output is the job's, one for all items.
//
// Limits of size were not seen; ten examples as for the other methods. That the
// user speaks last is Azure's word on the same form. (OpenAI specification and
// Azure's guide, 2026.)
func openAIRFT() *Target {
	return &Target{
		Name: "openai-rft", Doc: "OpenAI reinforcement fine-tuning: prompts with reference answers, and a grader", Provider: "openai",
		Model: "o4-mini-2025-04-16", MinLines: 10, MaxTools: 128,
		HasNames: true, HasFormat: true,
		loss:     lossLastAnswer,
		fits:     []pass{verifiedOnly, userFirst},
		sidecars: graderFile,
		encode:   encodeItem,
		check:    checkItem,
	}
}

// verified is the success score from which on a review or an outcome speaks for
// an example: without either, curated.quality gives at most 0.748.
const verified = 0.75

// verifiedOnly refuses answers that nobody found right: they are no reference.
func verifiedOnly(e *canonical.Example, _ Losses) Rule {
	if e.SuccessScore == nil || *e.SuccessScore < verified {
		return RuleUnverified
	}
	return ""
}

type rftItem struct {
	Messages       []chatMessage   `json:"messages"`
	Tools          []chatTool      `json:"tools,omitempty"`
	Answer         string          `json:"reference_answer"`
	Calls          []chatCall      `json:"reference_tools"`
	ResponseFormat json.RawMessage `json:"response_format,omitempty"`
}

func encodeItem(e *canonical.Example) ([]byte, error) {
	messages := chatMessages(e.Messages, unweighted)
	prompt, reply := messages[:len(messages)-1], messages[len(messages)-1]
	for i := range prompt {
		if prompt[i].Role == "system" {
			prompt[i].Role = "developer"
		}
	}
	item := rftItem{Messages: prompt, Tools: chatTools(e.Tools), Calls: reply.ToolCalls, ResponseFormat: json.RawMessage(e.ResponseFormat)}
	if reply.Content != nil {
		item.Answer = *reply.Content
	}
	if item.Calls == nil {
		item.Calls = []chatCall{}
	}
	return encodeLine(item)
}

//go:embed grader.py
var graderSource string

func graderFile() []Sidecar {
	text, err := encodeLine(struct {
		Type   string `json:"type"`
		Name   string `json:"name"`
		Source string `json:"source"`
	}{"python", "reference", graderSource})
	if err != nil {
		panic(err) // three strings
	}
	return []Sidecar{{Name: "grader.json", JSON: text}}
}

func checkItem(c *checker, line object) {
	hasTools := c.tools(line, 128)
	messages := c.messages(line)
	for i, m := range messages {
		at := index("messages", i)
		role := c.role(m, at, "developer", "user", "assistant", "tool")
		c.keys(m, at, "role", "content", "name", "tool_calls", "tool_call_id", "refusal")
		c.name(m, at)
		c.content(m, at, role)
		c.calls(m, at, role, hasTools)
	}
	c.answers(messages, true)
	if n := len(messages); n > 0 && messages[n-1]["role"] != "user" {
		c.add(ruleEnding, index("messages", n-1), "is the last message of a prompt and no user's")
	}
}
