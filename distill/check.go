package distill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lake/weir/augment/method"
	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// defaultShown is the least share of examples that show a removed method: half
// of the conversations that it was sent with should give it away.
const defaultShown = 0.5

// Shorten is Example for an export, with what the answers name.
func (r *Rules) Shorten(e *canonical.Example) exporters.Distillation {
	fired := r.Example(e)
	done := exporters.Distillation{Rules: fired}
	if len(fired) > 0 {
		_, done.Named = r.named(answers(*e), fired)
	}
	return done
}

// Info names the set as manifests do.
func (r *Rules) Info() exporters.DistillRules {
	info := exporters.DistillRules{Name: r.Name, Phase: r.Phase, Hash: r.Hash(), OnNamed: r.OnNamed, Rules: []exporters.DistillRule{}}
	for _, rule := range r.Set {
		info.Rules = append(info.Rules, exporters.DistillRule{ID: rule.ID, Version: rule.Version, Hash: rule.Hash})
	}
	return info
}

// answers are the messages that are trained.
func answers(e canonical.Example) []lake.Message {
	var out []lake.Message
	for _, m := range e.Messages {
		if canonical.IsTarget(m) {
			out = append(out, m)
		}
	}
	return out
}

// named is the first rule among those that fired whose text the answers name,
// and the words.
func (r *Rules) named(answers []lake.Message, fired Fired) (rule *Rule, words string) {
	for i := range r.Set {
		rule := &r.Set[i]
		if fired[rule.ID] == 0 {
			continue
		}
		if words := rule.namedIn(answers); words != "" {
			return rule, words
		}
	}
	return nil, ""
}

// isMethod: what one must and how one works is to be shown, never recited. Who
// one is may be said.
func (rule *Rule) isMethod() bool {
	return slices.Contains([]string{"rules", "methodology"}, rule.Kind)
}

// namedIn is what the answers say of the rule's text: one of its names, that
// there are rules, or words of it; by the same tests that reject a generated
// conversation. Empty: they only act by it.
func (rule *Rule) namedIn(answers []lake.Message) string {
	if len(rule.Names) == 0 && !rule.isMethod() {
		return ""
	}
	if words := method.NamedIn(method.Document{Terms: rule.Names}, answers); words != "" {
		return words
	}
	return rule.quotes.In(answers)
}

// isShown tells whether an answer shows the behaviour that the rule's markers describe.
func (rule *Rule) isShown(answers []lake.Message) bool {
	for _, m := range answers {
		for _, re := range rule.shows {
			if re.MatchString(m.Content) || slices.ContainsFunc(m.ToolCalls, func(call lake.ToolCall) bool {
				return re.MatchString(call.Name + " " + call.Arguments)
			}) {
				return true
			}
		}
	}
	return false
}

// leastShown is the share of examples that must show it.
func (rule *Rule) leastShown() float64 {
	if rule.MinShown == nil {
		return defaultShown
	}
	return *rule.MinShown
}

// Finding is something wrong with what answers say of removed text.
type Finding struct {
	Rule      string `json:"rule"`
	ExampleID string `json:"example_id,omitempty"` // empty: the rule as a whole
	What      string `json:"what"`
}

// String is rule: example: what.
func (f Finding) String() string {
	if f.ExampleID == "" {
		return f.Rule + ": " + f.What
	}
	return f.Rule + ": " + f.ExampleID + ": " + f.What
}

// Checked is how the answers stand to one rule.
type Checked struct {
	Rule     string   `json:"rule"`
	Examples int64    `json:"examples"`    // that it fired on
	Named    int64    `json:"named"`       // whose answers name what it removed
	Shown    *int64   `json:"shown"`       // whose answers bear one of its markers; null: it has none
	Judged   int64    `json:"judged"`      // that a judge has a verdict on
	Passed   int64    `json:"passed"`      // of these, that show it by the judge's word
	Least    *float64 `json:"least_shown"` // share that must show it; null: nothing says how it shows
}

// Rubric is the judge's rubric for whether an example shows what a text asks for.
const Rubric = "shows_method"

// Check looks through the examples that an export with these options is made
// from: what rules remove must be shown by the answers, by the rule's markers or
// by a judge's word (weir judge --rubric shows_method), and never be named.
// Findings go to report in the order of the examples, then those of whole rules.
func Check(ctx context.Context, lk *lake.Lake, rules *Rules, opts exporters.Options, report func(Finding)) ([]Checked, error) {
	verdicts, err := readVerdicts(ctx, lk, opts)
	if err != nil {
		return nil, fmt.Errorf("distill check: %w", err)
	}
	checked := make([]Checked, len(rules.Set))
	for i, rule := range rules.Set {
		checked[i].Rule = rule.ID
		if len(rule.shows) > 0 {
			checked[i].Shown = new(int64)
		}
	}
	err = exporters.Each(ctx, lk, opts, func(e canonical.Example) error {
		fired := rules.Example(&e)
		if len(fired) == 0 {
			return nil
		}
		said := answers(e)
		for i := range rules.Set {
			rule := &rules.Set[i]
			if fired[rule.ID] == 0 {
				continue
			}
			c := &checked[i]
			c.Examples++
			if words := rule.namedIn(said); words != "" {
				c.Named++
				report(Finding{rule.ID, e.ID, fmt.Sprintf("an answer says %q", words)})
			}
			if c.Shown != nil && rule.isShown(said) {
				*c.Shown++
			}
			if passed, ok := verdicts[e.ID]; ok && rule.isMethod() {
				c.Judged++
				if passed {
					c.Passed++
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("distill check: %w", err)
	}
	for i := range rules.Set {
		rule, c := &rules.Set[i], &checked[i]
		least := rule.leastShown()
		if c.Shown != nil || c.Judged > 0 {
			c.Least = &least
		}
		if c.Shown != nil && float64(*c.Shown) < least*float64(c.Examples) {
			report(Finding{Rule: rule.ID, What: fmt.Sprintf("%d of %d examples show it by its markers, fewer than %g", *c.Shown, c.Examples, least)})
		}
		if float64(c.Passed) < least*float64(c.Judged) {
			report(Finding{Rule: rule.ID, What: fmt.Sprintf("%d of %d judged examples show it, fewer than %g", c.Passed, c.Judged, least)})
		}
	}
	return checked, nil
}

// readVerdicts reads the latest verdict of the rubric on each example; none
// where nothing was judged.
func readVerdicts(ctx context.Context, lk *lake.Lake, opts exporters.Options) (_ map[string]bool, err error) {
	session, versions, err := duck.OpenLake(ctx, lk, opts.Session)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	verdicts := map[string]bool{}
	if _, ok := versions["curated.judgements"]; !ok {
		return verdicts, nil
	}
	rows, err := session.Strings(ctx, `
select target_id || ' ' || (arg_max(passed, (occurred_at, event_id)))::VARCHAR as verdict

from curated.judgements

where target_kind = 'example' and rubric = ? and passed is not null

group by target_id`, Rubric)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		id, passed, _ := strings.Cut(row, " ")
		verdicts[id] = passed == "true"
	}
	return verdicts, nil
}
