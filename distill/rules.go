// Package distill takes constant text out of prompts: system prompts, sections
// of them, and what tools say of themselves. It does so by frozen rules, in the
// same way for an example that is trained and for a request that is sent
// afterwards, so that the tuned model meets the very text that it was trained
// on. It also drafts such rules from curated.knowledge, checks that answers show
// what was removed without naming it, and says when the shorter prompt has paid
// for the training. It writes no training files (exporters does) and calls no
// model. Start at Parse, Rules.Example and Rules.Request.
package distill

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/augment/method"
	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
)

// What a rule matches.
const (
	MatchSystem  = "system"  // a whole system prompt, byte for byte
	MatchSection = "section" // a section of one, as curated.knowledge cuts it; white space may differ
	MatchText    = "text"    // a text anywhere in one, byte for byte
	MatchTool    = "tool"    // the declaration of a tool, by its name
)

// What a rule does with it.
const (
	DoRemove  = "remove"  // it goes
	DoReplace = "replace" // the rule's text stands for it; for a tool's description, where it is a tool
	DoShorten = "shorten" // of a tool: as replace, and its parameters lose all that only describes them
)

// Rule is one frozen rule. Its hash covers all else in it: a rule that was
// changed is another one, and wants another version.
type Rule struct {
	ID       string   `yaml:"id" json:"id"`
	Version  int      `yaml:"version" json:"version"` // from 1
	Kind     string   `yaml:"kind,omitempty" json:"kind,omitempty"`
	Match    string   `yaml:"match" json:"match"`
	Tool     string   `yaml:"tool,omitempty" json:"tool,omitempty"`
	Title    string   `yaml:"title,omitempty" json:"title,omitempty"` // for people
	Text     string   `yaml:"text,omitempty" json:"text,omitempty"`
	TextHash string   `yaml:"text_hash,omitempty" json:"text_hash,omitempty"` // instead of text; see HashOf
	Do       string   `yaml:"do" json:"do"`
	Replace  string   `yaml:"replace,omitempty" json:"replace,omitempty"`
	Names    []string `yaml:"names,omitempty" json:"names,omitempty"`         // that no answer may say
	Shows    []string `yaml:"shows,omitempty" json:"shows,omitempty"`         // regular expressions of behaviour; one of them is enough
	MinShown *float64 `yaml:"min_shown,omitempty" json:"min_shown,omitempty"` // least share of examples that show it, 0 to 1; absent: 0.5
	Hash     string   `yaml:"hash" json:"-"`

	shows  []*regexp.Regexp
	quotes method.Runs // of what an answer must not quote
}

// Rules is a frozen set of rules. It is not changed by use, and may be shared.
type Rules struct {
	Name    string `yaml:"name"`
	Phase   string `yaml:"phase,omitempty"`    // that the set was made for: a label
	OnNamed string `yaml:"on_named,omitempty"` // absent: drop
	Set     []Rule `yaml:"rules"`

	file []byte
	// In the order of the file; of several that match, the first counts.
	systems, sections, tools map[string]*Rule
	texts                    []*Rule
}

// ErrNotFrozen says that a rule is not what its hash says.
var ErrNotFrozen = errors.New("rule was changed after it was frozen")

// Parse reads rules and refuses those that are not frozen.
func Parse(text []byte) (*Rules, error) {
	r, err := decode(text)
	if err != nil {
		return nil, err
	}
	for _, rule := range r.Set {
		if rule.Hash != rule.hash() {
			return nil, lake.WithHint(fmt.Errorf("distill rules: %s: %w", rule.ID, ErrNotFrozen), "weir distill freeze --rules FILE, which raises its version")
		}
	}
	return r, nil
}

// decode reads and checks rules, frozen or not.
func decode(text []byte) (*Rules, error) {
	r := &Rules{file: bytes.Clone(text), systems: map[string]*Rule{}, sections: map[string]*Rule{}, tools: map[string]*Rule{}}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true) // a misspelt field would be no rule without a word
	if err := dec.Decode(r); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("distill rules: %w", err)
	}
	if r.OnNamed == "" {
		r.OnNamed = exporters.OnNamedDrop
	}
	if r.Name == "" || !slices.Contains([]string{exporters.OnNamedDrop, exporters.OnNamedRefuse, exporters.OnNamedWarn}, r.OnNamed) {
		return nil, errors.New("distill rules: a name is needed, and on_named is drop, refuse or warn")
	}
	seen := map[string]bool{}
	for i := range r.Set {
		rule := &r.Set[i]
		if err := rule.check(); err != nil {
			return nil, fmt.Errorf("distill rules: rules[%d] %q: %w", i, rule.ID, err)
		}
		if seen[rule.ID] {
			return nil, fmt.Errorf("distill rules: rules[%d]: there is another %q", i, rule.ID)
		}
		seen[rule.ID] = true
		r.index(rule)
	}
	return r, nil
}

func (r *Rules) index(rule *Rule) {
	place, key := r.systems, rule.TextHash
	switch rule.Match {
	case MatchText:
		r.texts = append(r.texts, rule)
		return
	case MatchSection:
		place = r.sections
	case MatchTool:
		place, key = r.tools, rule.Tool
	}
	if key == "" {
		key = HashOf(rule.Match, rule.Text)
	}
	if place[key] == nil {
		place[key] = rule
	}
}

func (rule *Rule) check() error {
	isTool := rule.Match == MatchTool
	switch {
	case rule.ID == "" || rule.Version < 1:
		return errors.New("an id and a version from 1 are needed")
	case !slices.Contains([]string{MatchSystem, MatchSection, MatchText, MatchTool}, rule.Match):
		return fmt.Errorf("match is %s, %s, %s or %s", MatchSystem, MatchSection, MatchText, MatchTool)
	case isTool && (rule.Tool == "" || rule.Text != "" || rule.TextHash != ""):
		return errors.New("matches a tool by its name: tool is needed, text and text_hash are not")
	case !isTool && rule.Tool != "":
		return errors.New("tool is for match: tool")
	case rule.Match == MatchText && rule.Text == "":
		return errors.New("text is needed")
	case !isTool && rule.Text == "" && rule.TextHash == "":
		return errors.New("text or text_hash is needed")
	case rule.Text != "" && rule.TextHash != "" && HashOf(rule.Match, rule.Text) != rule.TextHash:
		return fmt.Errorf("the text has hash %s, text_hash says another", HashOf(rule.Match, rule.Text))
	case rule.Do != DoRemove && rule.Do != DoReplace && (rule.Do != DoShorten || !isTool):
		return errors.New("do is remove or replace, and of a tool also shorten")
	case rule.Do == DoRemove && rule.Replace != "":
		return errors.New("what is removed has no replace")
	case rule.Do == DoReplace && rule.Replace == "" && !isTool:
		return errors.New("replace is needed")
	case rule.MinShown != nil && (*rule.MinShown < 0 || *rule.MinShown > 1):
		return errors.New("min_shown is 0 to 1")
	}
	rule.shows = nil
	if rule.isMethod() {
		rule.quotes = method.RunsOf(rule.Text)
	}
	for _, pattern := range rule.Shows {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return fmt.Errorf("shows: %w", err)
		}
		rule.shows = append(rule.shows, re)
	}
	return nil
}

// label tells a rule from others: its title, else the beginning of its text.
func (rule *Rule) label() string {
	if rule.Title != "" {
		return rule.Title
	}
	if rule.Match == MatchTool {
		return rule.Tool
	}
	words := strings.Fields(rule.Text)
	return strings.Join(words[:min(len(words), 8)], " ")
}

// hash covers the rule without its hash.
func (rule *Rule) hash() string {
	text, err := json.Marshal(rule)
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// HashOf is the hash by which a rule may name a text: of a section that of
// curated.knowledge (white space folded), else the md5 of its bytes, as
// curated.prompt_parts has it.
func HashOf(match, text string) string {
	if match == MatchSection {
		return foldedHash(text)
	}
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Hash names the set: it covers each rule's id, version and hash, their order,
// and what is done with answers that name.
func (r *Rules) Hash() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n", r.Name, r.OnNamed)
	for _, rule := range r.Set {
		fmt.Fprintf(sum, "%s %d %s\n", rule.ID, rule.Version, rule.Hash)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// File is the text that the rules were read from.
func (r *Rules) File() []byte { return bytes.Clone(r.file) }

// Freeze gives the text of rules with the hash of each. A rule that had another
// hash, and so was changed since, gets the next version; changed are the ids of
// those. Comments are kept, but for the layout of what is rewritten.
func Freeze(text []byte) (frozen []byte, changed []string, err error) {
	r, err := decode(text)
	if err != nil {
		return nil, nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, nil, fmt.Errorf("distill rules: %w", err)
	}
	if len(doc.Content) > 0 {
		list := childOf(doc.Content[0], "rules")
		for i := range r.Set {
			rule := &r.Set[i]
			if rule.Hash == rule.hash() {
				continue
			}
			if rule.Hash != "" {
				rule.Version++
			}
			changed = append(changed, rule.ID)
			setChild(list.Content[i], "version", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(rule.Version)})
			setChild(list.Content[i], "hash", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: rule.hash()})
		}
	}
	if len(changed) == 0 {
		return text, nil, nil
	}
	frozen, err = marshal(&doc)
	if err != nil {
		return nil, nil, err
	}
	return frozen, changed, nil
}

func childOf(node *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

func setChild(node *yaml.Node, key string, value *yaml.Node) {
	if old := childOf(node, key); old != nil {
		value.LineComment = old.LineComment
		*old = *value
		return
	}
	node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}

// marshal writes YAML and makes sure that it reads back as frozen rules: text
// that YAML's block style would change is quoted instead.
func marshal(doc *yaml.Node) ([]byte, error) {
	for range 2 {
		var buf bytes.Buffer
		enc := yaml.NewEncoder(&buf)
		enc.SetIndent(2)
		if err := enc.Encode(doc); err != nil {
			return nil, fmt.Errorf("distill rules: %w", err)
		}
		if _, err := Parse(buf.Bytes()); err == nil {
			return buf.Bytes(), nil
		}
		quote(doc)
	}
	return nil, errors.New("distill rules: a text cannot be written as YAML")
}

func quote(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!str" && strings.ContainsAny(node.Value, "\n\r\t\u0085\u2028\u2029 ") {
		node.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range node.Content {
		quote(child)
	}
}

// marshalRules freezes rules that were made in memory.
func marshalRules(r *Rules, head string) ([]byte, error) {
	for i := range r.Set {
		r.Set[i].Hash = r.Set[i].hash()
	}
	// Encode goes through YAML's block style, which loses some texts or makes no
	// YAML of them: the texts are put in afterwards, and marshal sees to their style.
	blank := *r
	blank.Set = slices.Clone(r.Set)
	for i := range blank.Set {
		for _, text := range blank.Set[i].texts() {
			if *text != "" {
				*text = "text"
			}
		}
	}
	var doc yaml.Node
	if err := doc.Encode(&blank); err != nil {
		return nil, fmt.Errorf("distill rules: %w", err)
	}
	doc.HeadComment = head
	if set := childOf(&doc, "rules"); set != nil {
		for i := range r.Set {
			for key, text := range r.Set[i].texts() {
				node := childOf(set.Content[i], key)
				if node == nil {
					continue
				}
				if node.Value = *text; strings.Contains(*text, "\n") {
					node.Style = yaml.LiteralStyle
				}
			}
		}
	}
	return marshal(&doc)
}

// texts are the fields that hold what others wrote.
func (rule *Rule) texts() map[string]*string {
	return map[string]*string{"title": &rule.Title, "text": &rule.Text, "replace": &rule.Replace}
}
