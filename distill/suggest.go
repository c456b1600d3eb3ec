package distill

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-lake/weir/augment/method"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

//go:embed suggest.sql
var suggestSQL string

// MinConversations is how many conversations must have been sent a text before
// it is taken for constant: one that a single conversation was sent may be a
// person's words.
const MinConversations = 2

// SuggestOptions of Suggest.
type SuggestOptions struct {
	Name             string
	Phase            string   // a label
	Kinds            []string // of curated.knowledge; none: all
	MinConversations int64    // 0: MinConversations
	Session          duck.Options
}

// Suggestion is a draft of rules.
type Suggestion struct {
	File  []byte      `json:"-"` // the rules as YAML, frozen
	Rules []Suggested `json:"rules"`
}

// Suggested is one drafted rule, and what it would save.
type Suggested struct {
	ID            string `json:"id"`
	Kind          string `json:"kind"`
	Title         string `json:"title"`
	TokenEstimate int64  `json:"token_estimate"` // of the text: characters / 4
	SeenCount     int64  `json:"seen_count"`     // calls and turns that it was sent with
	Conversations int64  `json:"conversations"`
}

// ErrNothing says that no text is constant enough for a rule.
var ErrNothing = errors.New("no section or tool of these kinds was sent in several conversations")

// Suggest drafts rules that take out exactly the sections and tools of some
// kinds that curated.knowledge has: sections go, tools lose all that describes
// them. Names of methods, which no answer may say, are drafted from titles and
// headings; how a method shows in answers is for its author to say.
func Suggest(ctx context.Context, lk *lake.Lake, opts SuggestOptions) (Suggestion, error) {
	if opts.MinConversations == 0 {
		opts.MinConversations = MinConversations
	}
	s, err := suggest(ctx, lk, opts)
	if err != nil {
		return s, fmt.Errorf("distill suggest: %w", err)
	}
	return s, nil
}

func suggest(ctx context.Context, lk *lake.Lake, opts SuggestOptions) (s Suggestion, err error) {
	session, versions, err := duck.OpenLake(ctx, lk, opts.Session)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	if _, ok := versions["curated.knowledge"]; !ok {
		return s, lake.WithHint(fmt.Errorf("curated.knowledge: %w", lake.ErrNoTable), "weir transform --lake "+lk.Dir())
	}
	found, err := readKnowledge(ctx, session, opts)
	if err != nil {
		return s, err
	}
	rules := &Rules{Name: opts.Name, Phase: opts.Phase}
	seen := map[string]bool{} // a text may be of two kinds, and a tool declared in several ways
	for _, k := range found {
		for _, rule := range k.rules() {
			if seen[rule.ID] {
				continue
			}
			seen[rule.ID] = true
			rules.Set = append(rules.Set, rule)
			s.Rules = append(s.Rules, Suggested{rule.ID, k.Kind, rule.label(), k.TokenEstimate, k.SeenCount, k.Conversations})
		}
	}
	if len(rules.Set) == 0 {
		return s, lake.WithHint(ErrNothing, "--min-conversations 1, or another --kind or --phase")
	}
	head := "Drafted by weir distill suggest; frozen, and usable as it is. Better: say in shows (regular expressions)\n" +
		"how a method is seen in answers; take out of names what answers may say; where one model serves several\n" +
		"agents, replace an identity by a short one instead. Then: weir distill freeze --rules FILE"
	s.File, err = marshalRules(rules, head)
	return s, err
}

// knowledge is a row of curated.knowledge.
type knowledge struct {
	Kind          string   `json:"kind"`
	Title         string   `json:"title"`
	Text          string   `json:"text"`
	Hash          string   `json:"hash"`
	Parts         []string `json:"parts"`
	TokenEstimate int64    `json:"token_estimate"`
	SeenCount     int64    `json:"seen_count"`
	Conversations int64    `json:"subject_count"`
	Titles        []string `json:"titles"`
}

func readKnowledge(ctx context.Context, session *duck.Session, opts SuggestOptions) ([]knowledge, error) {
	kinds, err := json.Marshal(append([]string{}, opts.Kinds...))
	if err != nil {
		return nil, err
	}
	rows, err := session.Strings(ctx, suggestSQL, string(kinds), string(kinds), opts.MinConversations)
	if err != nil {
		return nil, err
	}
	out := make([]knowledge, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal([]byte(row), &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rules drafts what takes the text out of prompts, and out of declarations.
func (k knowledge) rules() []Rule {
	var rules []Rule
	if slices.Contains(k.Parts, "system_prompt") {
		rule := Rule{
			ID: k.Kind + "-" + k.Hash[:8], Version: 1, Kind: k.Kind, Match: MatchSection, Title: k.Title,
			Text: k.Text, TextHash: k.Hash, Do: DoRemove,
		}
		if rule.isMethod() {
			rule.Names = k.names()
		}
		rules = append(rules, rule)
	}
	if slices.Contains(k.Parts, "tool") && k.Title != "" {
		rules = append(rules, Rule{
			ID: "tool-" + notInID.ReplaceAllString(k.Title, "-"), Version: 1, Kind: "tools", Match: MatchTool, Tool: k.Title, Do: DoShorten,
		})
	}
	return rules
}

// names are what answers must not say. A heading of one word, such as Method,
// is plain English.
func (k knowledge) names() []string {
	d := method.Document{Titles: k.Titles, Text: k.Text}
	if len(strings.Fields(k.Title)) > 1 {
		d.Title = k.Title
	}
	return method.Terms(d)
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)
