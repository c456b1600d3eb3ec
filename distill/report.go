package distill

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/exporters/prices"
	"github.com/weir-lake/weir/exporters/tokens"
	"github.com/weir-lake/weir/lake"
)

// Report says what rules take out of a training set.
type Report struct {
	Rules        string       `json:"rules"` // the set's name
	Hash         string       `json:"hash"`
	Encoding     string       `json:"encoding"`
	IsExact      bool         `json:"is_exact"` // the model's own vocabulary; else an estimate
	Examples     int64        `json:"examples"`
	Changed      int64        `json:"changed"` // examples that a rule fired on
	TokensBefore int64        `json:"tokens_before"`
	TokensAfter  int64        `json:"tokens_after"`
	TrainTokens  int64        `json:"train_tokens"` // after, of the training side alone: what an epoch is billed for
	ByRule       []RuleReport `json:"by_rule"`
	Calls        CallTokens   `json:"calls"`
}

// RuleReport is what one rule takes out.
type RuleReport struct {
	ID       string `json:"id"`
	Kind     string `json:"kind,omitempty"`
	Title    string `json:"title,omitempty"`
	Examples int64  `json:"examples"`
	Times    int64  `json:"times"`
}

// CallTokens are the mean tokens of a call. Each trained reply is one: what
// stands before it in its example was read for it.
type CallTokens struct {
	Count        int64   `json:"count"`
	InputBefore  float64 `json:"input_before"`
	InputAfter   float64 `json:"input_after"`
	PromptBefore float64 `json:"prompt_before"` // of it, system prompts and tools: what a provider caches
	PromptAfter  float64 `json:"prompt_after"`
	Output       float64 `json:"output"`
}

// Line is what rules do to one example.
type Line struct {
	ExampleID    string `json:"example_id"`
	Split        string `json:"split"`
	TokensBefore int    `json:"tokens_before"`
	TokensAfter  int    `json:"tokens_after"`
	Rules        Fired  `json:"rules"`
}

// Measure applies rules to the examples that an export with these options is
// made from, and counts with the model's encoding or the
// options' tokenizer. Each example's line goes
// to visit, which may be nil.
func Measure(ctx context.Context, lk *lake.Lake, rules *Rules, model string, opts exporters.Options, visit func(Line) error) (Report, error) {
	vocabulary := tokens.VocabularyFor(model, opts.Tokenizer)
	counter, err := vocabulary.NewCounter()
	if err != nil {
		return Report{}, err
	}
	m := &measuring{rules: rules, counter: counter, byRule: map[string]*RuleReport{}}
	m.report = Report{Rules: rules.Name, Hash: rules.Hash(), Encoding: vocabulary.Name(), IsExact: vocabulary.IsExact, ByRule: []RuleReport{}}
	err = exporters.Each(ctx, lk, opts, func(e canonical.Example) error {
		line := m.example(e)
		if visit == nil {
			return nil
		}
		return visit(line)
	})
	if err != nil {
		return Report{}, fmt.Errorf("distill report: %w", err)
	}
	return m.finish(), nil
}

type measuring struct {
	rules   *Rules
	counter *tokens.Counter
	report  Report
	byRule  map[string]*RuleReport
}

// shape is what an example takes: of its prompt, in all, and of its calls.
type shape struct {
	prompt, all               int
	calls, input, inputPrompt int64 // sums over the trained replies
	output                    int64
}

func (m *measuring) shape(e canonical.Example) shape {
	s := shape{prompt: m.counter.Tools(e.Tools)}
	s.all = s.prompt + tokens.PerConversation
	for _, message := range e.Messages {
		message.Reasoning = "" // no request brings it back
		if canonical.IsTarget(message) {
			s.calls++
			s.input += int64(s.all)
			s.inputPrompt += int64(s.prompt)
			s.output += int64(m.counter.Reply(message))
		}
		n := m.counter.Message(message)
		s.all += n
		if isSystem(message.Role) {
			s.prompt += n
		}
	}
	return s
}

func (m *measuring) example(e canonical.Example) Line {
	before := m.shape(e)
	fired := m.rules.Example(&e)
	after := m.shape(e)
	r := &m.report
	r.Examples++
	if len(fired) > 0 {
		r.Changed++
	}
	r.TokensBefore += int64(before.all)
	r.TokensAfter += int64(after.all)
	if e.Split == "train" {
		r.TrainTokens += int64(after.all)
	}
	r.Calls.Count += after.calls
	r.Calls.InputBefore += float64(before.input)
	r.Calls.InputAfter += float64(after.input)
	r.Calls.PromptBefore += float64(before.inputPrompt)
	r.Calls.PromptAfter += float64(after.inputPrompt)
	r.Calls.Output += float64(after.output)
	for id, times := range fired {
		if m.byRule[id] == nil {
			m.byRule[id] = &RuleReport{}
		}
		m.byRule[id].Examples++
		m.byRule[id].Times += int64(times)
	}
	return Line{ExampleID: e.ID, Split: e.Split, TokensBefore: before.all, TokensAfter: after.all, Rules: fired}
}

func (m *measuring) finish() Report {
	r := m.report
	for _, rule := range m.rules.Set {
		of := RuleReport{ID: rule.ID, Kind: rule.Kind, Title: rule.label()}
		if sums := m.byRule[rule.ID]; sums != nil {
			of.Examples, of.Times = sums.Examples, sums.Times
		}
		r.ByRule = append(r.ByRule, of)
	}
	if r.Calls.Count > 0 {
		for _, mean := range []*float64{&r.Calls.InputBefore, &r.Calls.InputAfter, &r.Calls.PromptBefore, &r.Calls.PromptAfter, &r.Calls.Output} {
			*mean /= float64(r.Calls.Count)
		}
	}
	return r
}

// Plan is what a break-even is reckoned for.
type Plan struct {
	Provider string
	Model    string  // that is tuned
	Base     string  // that is called with the long prompt today; empty: Model, untuned
	Epochs   float64 // of training
}

// BreakEven says after how many calls the shorter prompt has paid for the
// training. Money that is not known is null, and Why says what is missing.
type BreakEven struct {
	Prices    string   `json:"prices"` // the table
	Model     string   `json:"model"`
	Base      string   `json:"base"`
	Caching   string   `json:"caching"` // none: the prompt is paid in full; prompt: at the price of what is cached
	TrainUSD  *float64 `json:"train_usd"`
	BeforeUSD *float64 `json:"before_usd_per_call"`
	AfterUSD  *float64 `json:"after_usd_per_call"`
	Calls     *int64   `json:"calls"` // null: never, or not known
	Why       string   `json:"why,omitempty"`
	AsOf      string   `json:"as_of,omitempty"` // of the prices, the oldest
}

// BreakEven reckons with one price table, once without caching and once with
// the prompt cached: after the first call of a conversation most of a constant
// prompt is, so the truth lies between.
func (r Report) BreakEven(name string, table prices.Table, plan Plan) []BreakEven {
	base := plan.Base
	if base == "" {
		base = plan.Model
	}
	training, _ := table.Training(plan.Provider, plan.Model)
	before, _ := table.Calls(plan.Provider, base)
	after, _ := table.Calls(plan.Provider, "ft:"+plan.Model)
	var out []BreakEven
	for _, caching := range []string{"none", "prompt"} {
		b := BreakEven{Prices: name, Model: plan.Model, Base: base, Caching: caching}
		var dates []string
		if training.Train != nil {
			usd := plan.Epochs * float64(r.TrainTokens) / 1e6 * *training.Train
			if training.TrainLeast != nil {
				usd = max(usd, *training.TrainLeast)
			}
			b.TrainUSD = &usd
			dates = append(dates, training.AsOf)
		}
		b.BeforeUSD = r.Calls.usd(before, r.Calls.InputBefore, r.Calls.PromptBefore, caching)
		b.AfterUSD = r.Calls.usd(after, r.Calls.InputAfter, r.Calls.PromptAfter, caching)
		for _, p := range []prices.Price{before, after} {
			if p.AsOf != "" {
				dates = append(dates, p.AsOf)
			}
		}
		if len(dates) > 0 {
			b.AsOf = slices.Min(dates)
		}
		b.reckon()
		out = append(out, b)
	}
	return out
}

func (b *BreakEven) reckon() {
	switch {
	case b.TrainUSD == nil:
		b.Why = "no price of training is known for " + b.Model
	case b.BeforeUSD == nil:
		b.Why = "no price of calls is known for " + b.Base + missing(b.Caching)
	case b.AfterUSD == nil:
		b.Why = "no price of calls is known for the tuned " + b.Model + missing(b.Caching)
	case *b.AfterUSD >= *b.BeforeUSD:
		b.Why = "never: a call of the tuned model costs no less"
	default:
		calls := int64(math.Ceil(*b.TrainUSD / (*b.BeforeUSD - *b.AfterUSD)))
		b.Calls = &calls
	}
}

func missing(caching string) string {
	if caching == "prompt" {
		return ", cached"
	}
	return ""
}

// usd is what a call costs.
func (c CallTokens) usd(p prices.Price, input, prompt float64, caching string) *float64 {
	if p.Input == nil || p.Output == nil {
		return nil
	}
	usd := (input**p.Input + c.Output**p.Output) / 1e6
	if caching == "prompt" {
		if p.Cached == nil {
			return nil
		}
		usd -= prompt * (*p.Input - *p.Cached) / 1e6
	}
	return &usd
}
