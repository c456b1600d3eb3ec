package method

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// mustKeep is what a reworded request has to hold unchanged: numbers, code,
// quotes, addresses and paths.
var mustKeep = regexp.MustCompile("```(?s:.*?)```|`[^`\\n]+`|\"[^\"\\n]+\"|https?://\\S+|[\\w.+-]+@[\\w.-]+\\w|(?:/[\\w.-]+){2,}|\\d+(?:[.,:]\\d+)*")

// checkReworded refuses a rewording that is none, or that lost or made up a
// number, a quote or a name.
func checkReworded(old, fresh string) error {
	if fold(old) == fold(fresh) {
		return fmt.Errorf("%w: nothing was reworded", ErrRejected)
	}
	if len(fresh) > 4*len(old)+200 {
		return fmt.Errorf("%w: far longer than the request", ErrRejected)
	}
	kept := slices.Sorted(slices.Values(mustKeep.FindAllString(old, -1)))
	if !slices.Equal(kept, slices.Sorted(slices.Values(mustKeep.FindAllString(fresh, -1)))) {
		return fmt.Errorf("%w: numbers, quotes, code or addresses differ", ErrRejected)
	}
	return nil
}

// request is the user message that is reworded. What is long is mostly data
// that must not be touched.
func request(e Example) (int, error) {
	at := lastUser(e.Messages)
	if at < 0 || hasParts(e) || len(strings.Fields(e.Messages[at].Content)) < 4 || len(e.Messages[at].Content) > 4000 {
		return 0, ErrNotApplicable
	}
	return at, nil
}

// answerLimit is room for a text of a similar length, in tokens.
func answerLimit(text string) int64 { return 200 + int64(len(text)) }

var styles = []string{"more formal", "more casual", "shorter", "more detailed in its wording", "as a question", "as an instruction"}

func paraphraseQuestion(e Example, r *rand.Rand) (Question, error) {
	at, err := request(e)
	if err != nil {
		return Question{}, err
	}
	text := e.Messages[at].Content
	return Question{
		System: "You reword requests to an assistant. Keep the meaning, the language, and every number, name, quote, path and piece of code exactly. " +
			`Reply with a JSON object {"request": "…"} and nothing else.`,
		User:      "Make this request " + styles[r.IntN(len(styles))] + ":\n\n" + text,
		MaxTokens: answerLimit(text),
	}, nil
}

func paraphrase(ctx context.Context, e Example, r *rand.Rand, ask Asker) (Example, error) {
	question, err := paraphraseQuestion(e, r)
	if err != nil {
		return e, err
	}
	var reply struct {
		Request string `json:"request"`
	}
	if err := askJSON(ctx, ask, question, &reply); err != nil {
		return e, err
	}
	return withRequest(e, reply.Request)
}

func withRequest(e Example, text string) (Example, error) {
	at, err := request(e)
	if err != nil {
		return e, err
	}
	if err := checkReworded(e.Messages[at].Content, text); err != nil {
		return e, err
	}
	out := e.clone()
	out.Messages[at].Content = text
	return out, nil
}

var pivots = []string{"German", "French", "Spanish", "Portuguese", "Japanese", "Polish"}

func translateQuestion(e Example, r *rand.Rand) (Question, error) {
	at, err := request(e)
	if err != nil {
		return Question{}, err
	}
	return translation(e.Messages[at].Content, pivots[r.IntN(len(pivots))]), nil
}

func translation(text, language string) Question {
	return Question{
		System: "You translate. Keep numbers, quotes, paths, addresses and code exactly. " +
			`Reply with a JSON object {"translation": "…"} and nothing else.`,
		User: "Translate into " + language + ":\n\n" + text, MaxTokens: answerLimit(text),
	}
}

// backTranslate goes by another language. The way back is to the language of
// the request, which the model is shown a piece of.
func backTranslate(ctx context.Context, e Example, r *rand.Rand, ask Asker) (Example, error) {
	question, err := translateQuestion(e, r)
	if err != nil {
		return e, err
	}
	var reply struct {
		Translation string `json:"translation"`
	}
	if err := askJSON(ctx, ask, question, &reply); err != nil {
		return e, err
	}
	at, _ := request(e) // it was there for the question
	words := strings.Fields(e.Messages[at].Content)
	back := translation(reply.Translation, "the language of the words \""+strings.Join(words[:min(len(words), 3)], " ")+"\"")
	if err := askJSON(ctx, ask, back, &reply); err != nil {
		return e, err
	}
	return withRequest(e, reply.Translation)
}

var harder = []string{
	"add one more condition that the answer must meet", "ask for the reasons as well", "make it about a rarer case",
	"ask for a step more", "combine it with a second, related need",
}

func evolveQuestion(e Example, r *rand.Rand) (Question, error) {
	at, err := request(e)
	if err != nil {
		return Question{}, err
	}
	if e.ResponseFormat != "" {
		return Question{}, ErrNotApplicable // the new answer would not have the form
	}
	for _, m := range e.Messages {
		// Results cannot be made up: an answer that rests on calls stays as it was.
		if m.Role == "tool" || len(m.ToolCalls) > 0 {
			return Question{}, ErrNotApplicable
		}
	}
	return Question{
		System: "You write training conversations for an assistant. You get a conversation whose last request is to be made harder, and you answer the harder request well and truthfully. " +
			`Reply with a JSON object {"request": "…", "answer": "…"} and nothing else.`,
		User:      "How to make it harder: " + harder[r.IntN(len(harder))] + ".\n\n" + transcript(e.Messages[:at+1]),
		MaxTokens: 2000,
	}, nil
}

func evolve(ctx context.Context, e Example, r *rand.Rand, ask Asker) (Example, error) {
	question, err := evolveQuestion(e, r)
	if err != nil {
		return e, err
	}
	var reply struct {
		Request string `json:"request"`
		Answer  string `json:"answer"`
	}
	if err := askJSON(ctx, ask, question, &reply); err != nil {
		return e, err
	}
	at, _ := request(e) // it was there for the question
	switch {
	case strings.TrimSpace(reply.Request) == "" || strings.TrimSpace(reply.Answer) == "":
		return e, fmt.Errorf("%w: request or answer is empty", ErrRejected)
	case fold(reply.Request) == fold(e.Messages[at].Content):
		return e, fmt.Errorf("%w: the request did not change", ErrRejected)
	}
	out := e.clone()
	out.Messages = out.Messages[:at+1]
	for i := range out.Messages {
		out.Messages[i].Weight = weight(0) // the parent's answers are the parent's targets
	}
	out.Messages[at].Content = reply.Request
	out.Messages = append(out.Messages, lake.Message{Role: "assistant", Content: reply.Answer, Weight: weight(1)})
	return out, nil
}

func weight(w float64) *float64 { return &w }

// transcript is a conversation as text.
func transcript(messages []lake.Message) string {
	var b strings.Builder
	for _, m := range messages {
		who := m.Role
		if m.Name != "" {
			who += " " + m.Name
		}
		fmt.Fprintf(&b, "[%s] %s\n", who, m.Content)
		for _, call := range m.ToolCalls {
			fmt.Fprintf(&b, "[call %s] %s\n", call.Name, call.Arguments)
		}
	}
	return b.String()
}

// Transcript is a conversation as text, for a judge.
func Transcript(messages []lake.Message) string { return transcript(messages) }

func askJSON(ctx context.Context, ask Asker, q Question, into any) error {
	text, err := ask(ctx, q)
	if err != nil {
		return err
	}
	if err := ParseJSON(text, into); err != nil {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	return nil
}

// ParseJSON reads a reply that has to be one JSON object, alone or in one code
// fence. Anything else is an error: an object picked out of prose may be what
// the model argued against.
func ParseJSON(text string, into any) error {
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, "```"); ok {
		inner, ok = strings.CutSuffix(inner, "```")
		if !ok {
			return fmt.Errorf("reply is no JSON object: its code fence does not end")
		}
		text = strings.TrimSpace(strings.TrimPrefix(inner, "json"))
	}
	if !strings.HasPrefix(text, "{") {
		return fmt.Errorf("reply is no JSON object")
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("reply is no JSON object of the form asked for: %w", err)
	}
	return nil
}
