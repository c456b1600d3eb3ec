package method

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/weir-lake/weir/lake"
)

var scenes = []string{
	"a user who is in a hurry", "a user who is wrong about a fact", "a user who asks for something that is only half possible",
	"a user who wants a decision between two options", "a colleague who disagrees", "a user who gives too little information",
	"a user who reports a failure", "a user who asks for a review of their work",
}

// questions are the scenes in which a way of thinking can be seen.
var questions = []string{
	"a user who asks which of two views is right", "a user who has a reason for both sides of a choice and cannot decide",
	"a user whose question rests on a doubtful premise", "a colleague who puts forward an objection that has something to it",
	"a user who asks what follows from a case that no rule foresaw", "a user who wants findings that contradict each other brought together",
}

// maxDocument is how much of a document a model is shown, in bytes: a part is
// chosen where it is longer.
const maxDocument = 24_000

func behaviourQuestion(d Document, r *rand.Rand) (Question, error) {
	if len(strings.Fields(d.Text)) < 10 {
		return Question{}, ErrNotApplicable
	}
	task, scene := "acts by a text which it never mentions. Show in one short conversation what the text asks for.", scenes[r.IntN(len(scenes))]
	if d.Kind == Essay {
		task = "thinks in the way of a text which it never mentions. Show in one short conversation how it weighs the question, " +
			"takes what is right from each side, and comes to a judgement of its own."
		scene = questions[r.IntN(len(questions))]
	}
	return Question{
		System: "You write training conversations for an assistant that " + task + " The conversation must make sense to somebody who does not know the text: " +
			"never name it, its title, its headings or its special terms, never quote it, and never say that there are rules or principles. " +
			`Reply with a JSON object {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}, …]} and nothing else.`,
		User:      "The scene: " + scene + ".\nDo not use: " + strings.Join(Terms(d), "; ") + "\n\nThe text:\n\n" + part(d.Text, r),
		MaxTokens: 2000,
	}, nil
}

// part is a piece of a long text that begins at a line.
func part(text string, r *rand.Rand) string {
	if len(text) <= maxDocument {
		return text
	}
	from := r.IntN(len(text) - maxDocument)
	if next := strings.IndexByte(text[from:], '\n'); next >= 0 && next < maxDocument/2 {
		from += next + 1
	}
	return strings.ToValidUTF8(text[from:min(from+maxDocument, len(text))], "")
}

func behaviour(ctx context.Context, d Document, r *rand.Rand, ask Asker) (Example, error) {
	question, err := behaviourQuestion(d, r)
	if err != nil {
		return Example{}, err
	}
	var reply struct {
		Messages []struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		} `json:"messages"`
	}
	if err := askJSON(ctx, ask, question, &reply); err != nil {
		return Example{}, err
	}
	var e Example
	for i, m := range reply.Messages {
		want := []string{"user", "assistant"}[i%2]
		if m.Role != want || strings.TrimSpace(m.Content) == "" {
			return Example{}, fmt.Errorf("%w: message %d is not the %s's", ErrRejected, i+1, want)
		}
		message := lake.Message{Role: m.Role, Content: m.Content, Weight: weight(0)}
		if m.Role == "assistant" {
			message.Weight = weight(1)
		}
		e.Messages = append(e.Messages, message)
	}
	if len(e.Messages) < 2 || len(e.Messages)%2 != 0 {
		return Example{}, fmt.Errorf("%w: the conversation does not end on an answer", ErrRejected)
	}
	if term := NamedIn(d, e.Messages); term != "" {
		return Example{}, fmt.Errorf("%w: it names %q", ErrRejected, term)
	}
	if words := QuotedIn(d, e.Messages); words != "" {
		return Example{}, fmt.Errorf("%w: it quotes the text", ErrRejected)
	}
	return e, nil
}

var heading = regexp.MustCompile(`(?m)^#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$|^(\S[^\n]{2,80})\n(?:={3,}|-{3,})[ \t]*$`)

// numbering before a title is no part of it.
const numbering = "0123456789.) "

// common are titles of one word that name no method.
var common = strings.Fields("background conclusion context examples general guidelines identity instructions introduction " +
	"limits methodology methods notes other overview principles process purpose role rules scope steps style summary tools values workflow")

// Terms are what a conversation must not name: the titles of the document and
// of its parts, headings, aliases, and the initials of titles and aliases of
// three words or more. A heading of one word, or a title that many documents
// have (Examples, Notes), would forbid plain English and is left out.
func Terms(d Document) []string {
	var terms []string
	add := func(term string) {
		term = strings.TrimSpace(fold(term))
		if term != "" && !slices.Contains(terms, term) {
			terms = append(terms, term)
		}
	}
	for _, name := range slices.Concat([]string{d.Title}, d.Titles, d.Terms) {
		name = strings.TrimLeft(name, numbering)
		if !slices.Contains(common, strings.TrimSpace(fold(name))) {
			add(name)
			add(initials(name))
		}
	}
	for _, name := range d.Headings {
		name = strings.TrimLeft(name, numbering)
		if len(strings.Fields(fold(name))) >= 2 {
			add(name)
		}
	}
	for _, found := range heading.FindAllStringSubmatch(d.Text, -1) {
		name := strings.TrimLeft(found[1]+found[2], numbering)
		if len(strings.Fields(fold(name))) >= 2 {
			add(name)
		}
	}
	return terms
}

func initials(name string) string {
	var b strings.Builder
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) > 0 && slices.Contains([]string{"the", "a", "an"}, strings.ToLower(words[0])) {
		words = words[1:]
	}
	if len(words) < 3 {
		return ""
	}
	for _, word := range words {
		first := []rune(word)[0]
		if unicode.IsUpper(first) {
			b.WriteRune(first)
		}
	}
	if b.Len() < 3 {
		return ""
	}
	return b.String()
}

// meta is how an assistant speaks of what it goes by instead of going by it.
var meta = regexp.MustCompile(`(?i)\bmy (?:rules?|principles?|guidelines?|constitution|methodology|instructions|programming|training)\b|` +
	`\bI(?:'m| am| was|'ve been| have been) (?:instructed|programmed|told|trained) to\b|` +
	`\baccording to (?:the|our) (?:rules?|principles?|guidelines?|constitution|methodology)\b`)

// NamedIn is the first term of the document that a message names, or how the
// assistant speaks of what it goes by; else "".
func NamedIn(d Document, messages []lake.Message) string {
	terms := Terms(d)
	for _, m := range messages {
		text := fold(m.Content)
		for _, term := range terms {
			if strings.Contains(text, " "+term+" ") {
				return term
			}
		}
		if m.Role == "assistant" {
			if words := meta.FindString(m.Content); words != "" {
				return words
			}
		}
	}
	return ""
}

// quote is how many words in a row are one: eight that agree by chance are
// rare, and contamination is looked for with the same order of length.
const quote = 8

// QuotedIn is the first run of words that a message has from the document, or "".
func QuotedIn(d Document, messages []lake.Message) string { return RunsOf(d.Text).In(messages) }

// Runs are the runs of words of a text that would be a quote of it.
type Runs map[string]bool

// RunsOf finds the runs of a text, once for many conversations.
func RunsOf(text string) Runs {
	runs := Runs{}
	eachRun(text, func(run string) bool { runs[run] = true; return false })
	return runs
}

// In is the first run that a message has, or "".
func (r Runs) In(messages []lake.Message) string {
	found := ""
	for _, m := range messages {
		eachRun(m.Content, func(run string) bool {
			if r[run] {
				found = run
			}
			return found != ""
		})
		if found != "" {
			break
		}
	}
	return found
}

// eachRun visits every run of words of the length of a quote, until told to stop.
func eachRun(text string, visit func(run string) (stop bool)) {
	words := strings.Fields(fold(text))
	for i := 0; i+quote <= len(words); i++ {
		if visit(strings.Join(words[i:i+quote], " ")) {
			return
		}
	}
}
