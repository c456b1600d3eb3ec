// Package window says how long a training example of a model may be, in a dated
// table. It counts no tokens (exporters/tokens does) and cuts nothing
// (exporters/target does). Start at Of.
package window

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed window.json
var embedded []byte

// Window is what a model takes, in tokens. What is not known is 0.
type Window struct {
	Provider      string `json:"provider,omitempty"` // empty: wherever the model is trained
	Model         string `json:"model"`              // start of the models' names; the longest that fits decides
	TrainTokens   int    `json:"train_tokens,omitempty"`
	ContextTokens int    `json:"context_tokens,omitempty"`
	AsOf          string `json:"as_of"`
	Source        string `json:"source"`
}

// Longest is the longest example that may be trained on: what the provider says
// of examples, else what the model can read at all. 0: nothing is known.
func (w Window) Longest() int {
	if w.TrainTokens > 0 {
		return w.TrainTokens
	}
	return w.ContextTokens
}

// Of finds a model's window, a tuned one's (ft:…) by its base. A provider's own
// word goes before what is true of the model everywhere; the zero Window says
// that nothing is known.
func Of(provider, model string) (Window, error) {
	windows, err := read()
	if err != nil {
		return Window{}, err
	}
	model = strings.ToLower(strings.TrimPrefix(model, "ft:"))
	var best Window
	for _, w := range windows {
		if w.Provider != "" && w.Provider != provider || !strings.HasPrefix(model, strings.ToLower(w.Model)) {
			continue
		}
		own, bestOwn := w.Provider != "", best.Provider != ""
		if own && !bestOwn || own == bestOwn && len(w.Model) > len(best.Model) {
			best = w
		}
	}
	return best, nil
}

func read() ([]Window, error) {
	var table struct {
		AsOf    string   `json:"as_of"`
		Windows []Window `json:"windows"`
	}
	dec := json.NewDecoder(bytes.NewReader(embedded))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&table); err != nil {
		return nil, fmt.Errorf("window.json: %w", err)
	}
	for _, w := range table.Windows {
		if w.Model == "" || w.Longest() <= 0 || w.AsOf == "" || w.Source == "" {
			return nil, fmt.Errorf("window.json: %q: a length, as_of and source are needed", w.Model)
		}
	}
	return table.Windows, nil
}
