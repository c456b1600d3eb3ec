// Package method makes a variation of an example: by rule, or by a language
// model that is asked and whose answer is checked. A method decides what a
// variation is and whether it may stand; it does not choose examples, count
// or store. Start at All.
//
// A method refuses an example that it cannot change safely (ErrNotApplicable):
// a variation whose answer no longer follows from its context teaches a model
// to make things up. Everything random comes from the Random that it is given,
// so the same root, seed and number give the same variation.
package method

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// Example is what is varied.
type Example struct {
	Messages       []lake.Message // weights set
	Tools          []lake.Tool
	ResponseFormat string // JSON: the form that the answers have; no method changes it
}

// Document is what behaviour is shown by, without being named: a section of
// curated.knowledge.
type Document struct {
	Kind     string   `json:"kind"` // of the section, or Essay
	Title    string   `json:"title"`
	Text     string   `json:"text"`
	Titles   []string `json:"titles"`   // of the documents that it stands in
	Headings []string `json:"headings"` // of their other sections
	Terms    []string `json:"-"`        // further names and aliases
}

// Essay is the kind of a section that shows a way of thinking, not of acting.
const Essay = "essay"

// Asker asks a language model. The number tells the questions of one variation
// apart.
type Asker func(ctx context.Context, question Question) (string, error)

// Question is one request to a language model.
type Question struct {
	System    string
	User      string
	MaxTokens int64 // of the answer
}

// Method makes variations in one way. Exactly one of Rule, Ask and Show is set.
type Method struct {
	Name    string
	Version string // grows when the same input gives another output
	Doc     string // what it does, in a line
	Calls   int64  // requests for one variation, for a plan

	// Rule changes a copy of the example.
	Rule func(e Example, r *rand.Rand) (Example, error)
	// First is the first question that Ask will put, for a plan and its price.
	First func(e Example, r *rand.Rand) (Question, error)
	Ask   func(ctx context.Context, e Example, r *rand.Rand, ask Asker) (Example, error)
	// ShowFirst and Show do the same from a document.
	ShowFirst func(d Document, r *rand.Rand) (Question, error)
	Show      func(ctx context.Context, d Document, r *rand.Rand, ask Asker) (Example, error)
}

// NeedsModel tells whether the method asks a language model.
func (m Method) NeedsModel() bool { return m.Rule == nil }

// FromDocuments tells whether its roots are documents.
func (m Method) FromDocuments() bool { return m.Show != nil }

var (
	// ErrNotApplicable says that the method has no safe change for the example.
	ErrNotApplicable = errors.New("not applicable")
	// ErrRejected says that a model's answer failed a check.
	ErrRejected = errors.New("rejected")
)

// All are the methods, in the order of the documentation.
func All() []Method {
	return []Method{
		{Name: "persona_swap", Version: "1", Doc: "another persona in the system prompt", Rule: swapPersona},
		{Name: "role_swap", Version: "1", Doc: "the speakers of a group chat under each other's names", Rule: swapRoles},
		{Name: "context_trim", Version: "1", Doc: "earlier exchanges left out that the answer does not need", Rule: trimContext},
		{Name: "tool_perturb", Version: "1", Doc: "another value in a tool's result, and in the answer", Rule: perturbTool},
		{Name: "template_reword", Version: "1", Doc: "the request in another frame", Rule: rewordByTemplate},
		{Name: "entity_swap", Version: "1", Doc: "another person's name or number, everywhere", Rule: swapEntity},
		{Name: "paraphrase", Version: "1", Doc: "a model rewords the request", Calls: 1, First: paraphraseQuestion, Ask: paraphrase},
		{Name: "back_translate", Version: "1", Doc: "a model translates the request and back", Calls: 2, First: translateQuestion, Ask: backTranslate},
		{Name: "evolve", Version: "1", Doc: "a model makes the request harder and answers it", Calls: 1, First: evolveQuestion, Ask: evolve},
		{Name: "behaviour", Version: "2", Doc: "a model shows what a section of curated.knowledge asks for, without naming it", Calls: 1, ShowFirst: behaviourQuestion, Show: behaviour},
	}
}

// Named finds methods; "rules" stands for all that need no model.
func Named(names ...string) ([]Method, error) {
	var out []Method
	add := func(m Method) {
		if !slices.ContainsFunc(out, func(had Method) bool { return had.Name == m.Name }) {
			out = append(out, m)
		}
	}
	for _, name := range names {
		found := false
		for _, m := range All() {
			if m.Name == name || name == "rules" && !m.NeedsModel() {
				add(m)
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("no method %q", name)
		}
	}
	return out, nil
}

// Random is the source of a variation's chance: equal parts, equal numbers.
func Random(root, method string, seed, variation int64) *rand.Rand {
	id := lake.StableID("random", root, method, strconv.FormatInt(seed, 10), strconv.FormatInt(variation, 10))
	// A hex md5 always parses; its halves are the two words of the generator.
	high, _ := strconv.ParseUint(id[:16], 16, 64)
	low, _ := strconv.ParseUint(id[16:], 16, 64)
	return rand.New(rand.NewPCG(high, low))
}

// clone copies so far that a method may change messages and calls.
func (e Example) clone() Example {
	e.Messages = slices.Clone(e.Messages)
	for i := range e.Messages {
		e.Messages[i].ToolCalls = slices.Clone(e.Messages[i].ToolCalls)
	}
	return e
}

func isTarget(m lake.Message) bool {
	return m.Role == "assistant" && m.Weight != nil && *m.Weight > 0
}

func isSystem(m lake.Message) bool { return m.Role == "system" || m.Role == "developer" }

// mapTexts changes every text that a model reads or writes, calls included.
func mapTexts(messages []lake.Message, f func(string) string) {
	for i := range messages {
		m := &messages[i]
		m.Content, m.Reasoning, m.Name = f(m.Content), f(m.Reasoning), f(m.Name)
		for j := range m.ToolCalls {
			m.ToolCalls[j].Arguments = f(m.ToolCalls[j].Arguments)
		}
	}
}

// textOf is all that a message says, calls included.
func textOf(m lake.Message) string {
	parts := []string{m.Name, m.Content, m.Reasoning}
	for _, call := range m.ToolCalls {
		parts = append(parts, call.Arguments)
	}
	return strings.Join(parts, "\n")
}

// hasParts tells that a message holds what is not text: pictures do not change
// with the words.
func hasParts(e Example) bool {
	return slices.ContainsFunc(e.Messages, func(m lake.Message) bool { return m.Parts != "" })
}

// lastUser is the index of the last user message before the last target, -1
// where there is none.
func lastUser(messages []lake.Message) int {
	at := -1
	for i, m := range messages {
		if isTarget(m) {
			at = i
		}
	}
	for at--; at >= 0; at-- {
		if messages[at].Role == "user" {
			return at
		}
	}
	return -1
}
