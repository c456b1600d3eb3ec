package distill

import (
	"slices"

	"github.com/weir-lake/weir/augment/method"
	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
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
