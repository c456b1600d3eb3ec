package exporters

import (
	"errors"
	"fmt"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/exporters/tokens"
	"github.com/weir-lake/weir/lake"
)

// DistillFile is the copy of the rules in the folder of an export, by which
// requests to the tuned model are to be shortened.
const DistillFile = "distill.yaml"

// ErrNamed says that answers name what was removed, and the rules refuse that.
var ErrNamed = errors.New("answers name what the rules remove")

// Distiller shortens what every call repeats. It is the same for an example
// and for the request that the tuned model gets.
type Distiller interface {
	// Shorten changes the example, and leaves alone what it shares with others.
	Shorten(example *canonical.Example) Distillation
	Info() DistillRules
	File() []byte // the text of the rules
}

// Distillation is what was done to an example.
type Distillation struct {
	Rules map[string]int // how often each rule fired, by its id
	Named string         // what an answer says of what was removed; empty: nothing
}

// DistillRules names frozen rules.
type DistillRules struct {
	Name    string        `json:"name"`
	Phase   string        `json:"phase,omitempty"`
	Hash    string        `json:"hash"`
	OnNamed string        `json:"on_named"` // drop, refuse or warn
	Rules   []DistillRule `json:"rules"`
}

// DistillRule is one rule, and in a manifest what it did.
type DistillRule struct {
	ID       string `json:"id"`
	Version  int    `json:"version"`
	Hash     string `json:"hash"`
	Examples int64  `json:"examples"`
	Times    int64  `json:"times"`
}

// Distilled says in a manifest what the rules did to the examples, before the
// target took or dropped them.
type Distilled struct {
	DistillRules
	Examples     int64 `json:"examples"` // that a rule changed
	Named        int64 `json:"named"`    // whose answers name what was removed
	TokensBefore int64 `json:"tokens_before"`
	TokensAfter  int64 `json:"tokens_after"` // both of all examples, changed or not

	first string // example that names, and what
}

// Values of OnNamed: what becomes of an example whose answers name what was
// removed.
const (
	OnNamedDrop   = "drop"   // it is left out, as the loss report says
	OnNamedRefuse = "refuse" // nothing is written
	OnNamedWarn   = "warn"   // it is written, with a warning
)

const distillLinesName = "distill.jsonl"

// distillLine says what was done to an example.
type distillLine struct {
	ExampleID    string         `json:"example_id"`
	Split        string         `json:"split"`
	TokensBefore int            `json:"tokens_before"`
	TokensAfter  int            `json:"tokens_after"`
	Rules        map[string]int `json:"rules"` // how often each fired
	Named        string         `json:"named,omitempty"`
}

// shorten shortens an example, and tells whether it is to be dropped.
func (w *worker) shorten(example *canonical.Example) (_ *distillLine, dropped bool) {
	before, rest := w.promptTokens(*example)
	done := w.distill.Shorten(example)
	after, _ := w.promptTokens(*example)
	return &distillLine{
		ExampleID: example.ID, Split: example.Split, TokensBefore: before + rest, TokensAfter: after + rest, Rules: done.Rules, Named: done.Named,
	}, done.Named != "" && w.onNamed == OnNamedDrop
}

// promptTokens counts what rules may shorten of an example, and the rest.
func (w *worker) promptTokens(e canonical.Example) (prompt, rest int) {
	prompt, rest = w.counter.Tools(e.Tools), tokens.PerConversation
	for _, m := range e.Messages {
		m.Reasoning = "" // not every target has it, and no request brings it back
		if m.Role == "system" || m.Role == "developer" {
			prompt += w.counter.Message(m)
		} else {
			rest += w.counter.Message(m)
		}
	}
	return prompt, rest
}

// count takes an example into the sums.
func (d *Distilled) count(line *distillLine) {
	d.TokensBefore += int64(line.TokensBefore)
	d.TokensAfter += int64(line.TokensAfter)
	if len(line.Rules) > 0 {
		d.Examples++
	}
	for i := range d.Rules {
		rule := &d.Rules[i]
		if times := line.Rules[rule.ID]; times > 0 {
			rule.Examples++
			rule.Times += int64(times)
		}
	}
	if line.Named == "" {
		return
	}
	if d.Named++; d.first == "" {
		d.first = fmt.Sprintf("the first is %s: %q", line.ExampleID, line.Named)
	}
}

// finishDistill refuses or warns, as the rules say.
func (e *exporting) finishDistill() error {
	d := e.manifest.Distill
	if d == nil || d.Named == 0 || d.OnNamed == OnNamedDrop {
		return nil
	}
	err := fmt.Errorf("%w: %d examples, %s", ErrNamed, d.Named, d.first)
	if d.OnNamed == OnNamedRefuse {
		return lake.WithHint(err, "weir distill check lists them; on_named: drop in the rules leaves them out")
	}
	e.manifest.Warnings = append(e.manifest.Warnings, err.Error())
	return nil
}
