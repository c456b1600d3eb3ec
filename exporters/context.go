package exporters

import (
	"fmt"
	"slices"

	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/exporters/window"
	"github.com/weir-lake/weir/lake"
)

// Context says how long an example of the model may be, and what became of
// longer ones: the losses count them.
type Context struct {
	Policy string `json:"policy"`           // split, drop or truncate
	Tokens int    `json:"tokens"`           // that the model takes; 0: not known, the target's own limit holds
	AsOf   string `json:"as_of,omitempty"`  // of that number
	Source string `json:"source,omitempty"` // of it
}

// setContext looks the model's window up.
func (e *exporting) setContext(model string) error {
	policy := e.opts.Context
	if policy == "" {
		policy = target.ContextSplit
	}
	if !slices.Contains(target.ContextPolicies(), policy) {
		return lake.WithHint(fmt.Errorf("no context policy %q", policy), "--context split, --context drop or --context truncate")
	}
	w, err := window.Of(e.target.Provider, model)
	if err != nil {
		return err
	}
	e.manifest.Context = Context{Policy: string(policy), Tokens: w.Longest(), AsOf: w.AsOf, Source: w.Source}
	if most := w.Longest(); most > 0 && e.opts.MaxTokens > most {
		e.manifest.Warnings = append(e.manifest.Warnings,
			fmt.Sprintf("%s takes examples of %d tokens (as of %s), and up to %d were allowed", model, most, w.AsOf, e.opts.MaxTokens))
	}
	return nil
}
