package target

import (
	"slices"

	"github.com/weir-lake/weir/exporters/canonical"
)

// trl is the form of Hugging Face's TRL for whole conversations. Every
// assistant message is trained, and only they are, where the trainer is set
// to assistant_only_loss=True; by default it trains all tokens. Arguments are
// objects, as chat templates want them. A message has no mark that keeps it
// from being trained: trl-completion is for examples that need one. Reasoning
// is reasoning_content, as the templates of Qwen and DeepSeek read it; those of
// gpt-oss read thinking. Which turns' reasoning a model sees is the template's
// affair: most leave out that of the turns before the last question.
//
// The trainer cuts at max_length, 1,024 tokens by default. Whether two users in
// a row are taken is the template's affair. (TRL 1.10 documentation and
// source, 2026-07.)
func trl() *Target {
	return &Target{
		Name: "trl", Doc: "TRL SFTTrainer, messages with tools, for assistant_only_loss", Provider: "local",
		Model: "Qwen/Qwen3-4B-Instruct-2507", MinLines: 1,
		HasReasoning: true, unpacks: true,
		loss:   lossAll,
		fits:   []pass{systemFirst, objectArguments},
		calls:  callForm{arguments: "object", anyID: true, toolsInOne: true, anyKey: true},
		encode: encodeOpen,
		check:  openForm(),
	}
}

// trlCompletion is TRL's form of a prompt and its completion. The completion
// alone is trained, by default; an example becomes a line for each of its
// trained messages.
func trlCompletion() *Target {
	t := trl()
	t.Name, t.Doc = "trl-completion", "TRL SFTTrainer, prompt and completion: exact loss"
	t.loss = lossLast
	t.fits = append([]pass{userFirst}, t.fits...)
	t.encode = func(e *canonical.Example) ([]byte, error) {
		tools, err := inOneText(chatTools(e.Tools))
		if err != nil {
			return nil, err
		}
		messages := openMessages(e.Messages, false)
		last := len(messages) - 1
		return encodeLine(openLine{Prompt: messages[:last], Completion: messages[last:], Tools: tools})
	}
	t.check = checkTRLCompletion
	return t
}

func checkTRLCompletion(c *checker, line object) {
	c.keys(line, "", "prompt", "completion", "tools")
	hasTools := c.tools(line, 0)
	prompt, completion := c.list(line, "", "prompt"), c.list(line, "", "completion")
	c.openMessagesOf(prompt, "prompt", hasTools)
	trained := c.openMessagesOf(completion, "completion", hasTools)
	if len(prompt) > 0 {
		// TRL refuses a prompt that ends otherwise.
		if role, _ := prompt[len(prompt)-1]["role"].(string); role == "system" {
			c.add(ruleEnding, index("prompt", len(prompt)-1), "is the last message of the prompt and the system's")
		}
	}
	if len(completion) > 0 && !trained {
		c.add(ruleTrained, "completion", "no assistant message is trained")
	}
	c.asOne("prompt and completion", prompt, completion)
}

// asOne checks what holds of messages that stand in two lists: a call's answer
// may be in the other.
func (c *checker) asOne(names string, before, after []object) {
	all, messages := checker{target: c.target}, slices.Concat(before, after)
	all.answers(messages, false)
	all.systemFirst(messages)
	for _, finding := range all.findings {
		c.add(finding.Rule, "", "%s %s, of %s as one list", finding.Path, finding.What, names)
	}
}
