package tokens

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer/codec"

	"github.com/weir-lake/weir/exporters/tokens/hf"
	"github.com/weir-lake/weir/lake"
)

// Counter counts tokens. It remembers the words that it has seen, so it is not
// safe for concurrent use: give each goroutine one of its own.
type Counter struct {
	codec     *codec.Codec  // nil where there is a tokenizer
	tokenizer *hf.Tokenizer // nil where there is an encoding
	words     map[string]int
}

// The memory of a Counter is bounded: longer words are counted anew each time,
// and a full table takes no more words.
const (
	maxWordBytes = 48
	maxWords     = 1 << 18
)

// NewCounter makes a counter for an encoding.
func NewCounter(encoding Encoding) (*Counter, error) {
	c := &Counter{words: map[string]int{}}
	switch encoding {
	case O200kBase:
		c.codec = codec.NewO200kBase()
	case CL100kBase:
		c.codec = codec.NewCl100kBase()
	default:
		return nil, fmt.Errorf("tokens: unknown encoding %q", encoding)
	}
	return c, nil
}

// Text counts the tokens of a text exactly. Text that looks like a special
// token counts as text, as it does when it stands in a message at OpenAI; a
// tokenizer file's special tokens are tokens, as they are for its trainers.
func (c *Counter) Text(text string) int {
	if c.tokenizer != nil {
		return c.tokenizer.Count(text)
	}
	total := 0
	for text != "" {
		end := wordEnd(text)
		total += c.word(text[:end])
		text = text[end:]
	}
	return total
}

// wordEnd finds where the first word ends: before a space that follows a
// letter, a digit or ASCII punctuation. Neither encoding has a token that
// crosses such a place (in their patterns a space only opens a piece), so the
// tokens of the words are the tokens of the text.
func wordEnd(text string) int {
	for i := 1; i < len(text); i++ {
		if text[i] != ' ' {
			continue
		}
		if last := text[i-1]; last > ' ' && last < 0x7f {
			return i
		} else if last >= utf8.RuneSelf {
			if r, _ := utf8.DecodeLastRuneInString(text[:i]); unicode.IsLetter(r) {
				return i
			}
		}
	}
	return len(text)
}

func (c *Counter) word(word string) int {
	if n, ok := c.words[word]; ok {
		return n
	}
	n, err := c.codec.Count(word)
	if err != nil {
		// The pattern has no timeout and the codec takes any bytes; should a
		// later one refuse a word, its bytes are the upper bound.
		n = len(word)
	}
	if len(word) <= maxWordBytes && len(c.words) < maxWords {
		// The word must not keep the text alive that it was cut from.
		c.words[string([]byte(word))] = n
	}
	return n
}

// Overheads of the chat form, by OpenAI's published counting rule: tokens a
// message, a name, and a conversation (the reply is primed). The overheads of
// calls and tools are not published; these are estimates.
const (
	perMessage      = 3
	perName         = 1
	PerConversation = 3
	perCall         = 3
	perTool         = 8
)

// frame is what a message takes beside its content. Of tokenizer files those of
// the two common chat forms are known, ChatML's and Llama 3's.
func (c *Counter) frame(role string) int {
	switch {
	case c.tokenizer == nil:
	case c.tokenizer.Has("<|im_start|>"):
		return c.Text("<|im_start|>"+role+"\n") + c.Text("<|im_end|>\n")
	case c.tokenizer.Has("<|start_header_id|>"):
		return c.Text("<|start_header_id|>"+role+"<|end_header_id|>\n\n") + c.Text("<|eot_id|>")
	}
	return perMessage + c.Text(role)
}

// Message counts a message by OpenAI's rule: its strings and the overhead.
// Reasoning counts as text. What calls take is an estimate: their names,
// arguments and a few tokens each.
func (c *Counter) Message(m lake.Message) int {
	n := c.frame(m.Role) + c.Text(m.Reasoning) + c.Text(m.Content)
	if m.Name != "" {
		n += perName + c.Text(m.Name)
	}
	return n + c.calls(m)
}

// Reply counts what is trained of a message: its reasoning, its text and its
// calls.
func (c *Counter) Reply(m lake.Message) int {
	return c.Text(m.Reasoning) + c.Text(m.Content) + c.calls(m)
}

func (c *Counter) calls(m lake.Message) int {
	n := 0
	for _, call := range m.ToolCalls {
		n += perCall + c.Text(call.Name) + c.Text(call.Arguments)
	}
	return n
}

// Tools estimates what the declarations of tools take: providers put them into
// the prompt in a form that they do not publish.
func (c *Counter) Tools(tools []lake.Tool) int {
	n := 0
	for _, tool := range tools {
		n += perTool + c.Text(tool.Name) + c.Text(tool.Description) + c.Text(tool.Parameters)
	}
	return n
}
