// Package prices looks up what training a model costs, what its calls cost, and
// what an hour of a GPU costs, in a dated table. The table that comes with weir
// ages; users put their own over it. It counts no tokens (exporters/tokens
// does). Start at Default.
package prices

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

//go:embed prices.json
var embedded []byte

// Table is a price table. The zero value is empty: it knows no price.
type Table struct {
	AsOf     string  `json:"as_of"`    // when the table was put together
	Currency string  `json:"currency"` // always USD
	Prices   []Price `json:"prices"`
	GPUs     []GPU   `json:"gpus,omitempty"`
}

// Price is what a provider asks for a model, in USD per million tokens. A
// price that is not known is nil; it is never taken for zero. What training and
// calls cost may stand in rows of their own, for they are often from different
// sources.
type Price struct {
	Provider string `json:"provider"`
	// Model is the start of the models' names, up to their end or a - : or @; the
	// longest that fits decides. Calls of a tuned model are priced under ft: and
	// its base. Where a provider prices by size it is empty, and
	// MaxBillionParameters is the upper end of the bracket.
	Model                string   `json:"model,omitempty"`
	MaxBillionParameters float64  `json:"max_billion_parameters,omitempty"`
	Train                *float64 `json:"train_usd_per_mtok,omitempty"`
	TrainHour            *float64 `json:"train_usd_per_hour,omitempty"` // where training is paid by time
	TrainLeast           *float64 `json:"train_least_usd,omitempty"`    // that a job costs, however small
	StoreMonth           *float64 `json:"store_usd_per_month,omitempty"`
	Input                *float64 `json:"input_usd_per_mtok,omitempty"`
	Cached               *float64 `json:"cached_usd_per_mtok,omitempty"`
	Output               *float64 `json:"output_usd_per_mtok,omitempty"`
	BatchFactor          *float64 `json:"batch_factor,omitempty"` // of calls in the batch API
	AsOf                 string   `json:"as_of"`
	Source               string   `json:"source"`
}

// GPU is what an hour of a GPU costs.
type GPU struct {
	Provider string  `json:"provider"` // runpod, runpod-community, modal, …
	GPU      string  `json:"gpu"`      // H100-SXM, A100-80GB, …
	USDHour  float64 `json:"usd_per_hour"`
	AsOf     string  `json:"as_of"`
	Source   string  `json:"source"`
}

// Default is the table that comes with weir.
func Default() (Table, error) {
	table, err := Read(bytes.NewReader(embedded))
	if err != nil {
		return Table{}, fmt.Errorf("built-in %w", err)
	}
	return table, nil
}

// Read reads a table from JSON. Unknown fields are errors, because a misspelt
// price would be no price without a word.
func Read(r io.Reader) (Table, error) {
	var table Table
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&table); err != nil {
		return Table{}, fmt.Errorf("price table: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Table{}, fmt.Errorf("price table: something follows the object")
	}
	if table.Currency != "" && table.Currency != "USD" {
		return Table{}, fmt.Errorf("price table: currency %q: prices are in USD", table.Currency)
	}
	for i, price := range table.Prices {
		if err := price.check(); err != nil {
			return Table{}, fmt.Errorf("price table: prices[%d]: %w", i, err)
		}
	}
	for i, gpu := range table.GPUs {
		if gpu.Provider == "" || gpu.GPU == "" || gpu.USDHour <= 0 || gpu.AsOf == "" || gpu.Source == "" {
			return Table{}, fmt.Errorf("price table: gpus[%d]: provider, gpu, usd_per_hour above 0, as_of and source are needed", i)
		}
	}
	return table, nil
}

func (p Price) check() error {
	switch {
	case p.Provider == "":
		return fmt.Errorf("provider is missing")
	case p.Model == "" && p.MaxBillionParameters <= 0:
		return fmt.Errorf("needs model or max_billion_parameters")
	case p.Model != "" && p.MaxBillionParameters != 0:
		return fmt.Errorf("model and max_billion_parameters exclude each other")
	case p.AsOf == "" || p.Source == "":
		return fmt.Errorf("as_of and source are needed: a price without a date cannot be trusted")
	}
	for _, usd := range []*float64{p.Train, p.TrainHour, p.TrainLeast, p.StoreMonth, p.Input, p.Cached, p.Output, p.BatchFactor} {
		if usd != nil && *usd < 0 {
			return fmt.Errorf("a price is negative")
		}
	}
	return nil
}

// Over gives the table with another's prices put over it: where both know a
// model's or a GPU's price, the other decides.
func (t Table) Over(other Table) Table {
	t.Prices = append(append([]Price(nil), other.Prices...), t.Prices...)
	t.GPUs = append(append([]GPU(nil), other.GPUs...), t.GPUs...)
	if other.AsOf != "" {
		t.AsOf = other.AsOf
	}
	return t
}

// Training finds what training a model costs. Model is the base's name; a
// tuned one's (ft:…) is taken for its base's.
func (t Table) Training(provider, model string) (Price, bool) {
	return t.find(provider, strings.TrimPrefix(model, "ft:"), func(p Price) bool {
		return p.Train != nil || p.TrainHour != nil || p.TrainLeast != nil
	})
}

// Calls finds what a model's calls cost: of a tuned one (ft:…) what the
// provider asks for tuned ones, else what it asks for the base.
func (t Table) Calls(provider, model string) (Price, bool) {
	asks := func(p Price) bool { return p.Input != nil && p.Output != nil }
	base, isTuned := strings.CutPrefix(model, "ft:")
	if isTuned {
		if price, ok := t.find(provider, model, asks); ok {
			return price, true
		}
	}
	return t.find(provider, base, asks)
}

// GPU finds what an hour costs. Names are compared without regard to case; an
// empty provider takes the first that has it.
func (t Table) GPU(provider, gpu string) (GPU, bool) {
	for _, g := range t.GPUs {
		if (provider == "" || strings.EqualFold(g.Provider, provider)) && strings.EqualFold(g.GPU, gpu) {
			return g, true
		}
	}
	return GPU{}, false
}

// find gives the price that is asked for, of the rows that speak of the model.
// Names go before size brackets, the longest name and the smallest bracket win,
// and among equals the first that has the price. A name without the price hides
// shorter ones: gpt-4.1-mini is not priced as gpt-4.1.
func (t Table) find(provider, model string, has func(Price) bool) (Price, bool) {
	if price, ok := t.nearest(provider, has, func(p Price) bool { return p.Model != "" && names(p.Model, model) }); ok {
		return price, true
	}
	size, ok := billionParameters(model)
	if !ok {
		return Price{}, false
	}
	return t.nearest(provider, has, func(p Price) bool { return p.Model == "" && size <= p.MaxBillionParameters })
}

func (t Table) nearest(provider string, has, fits func(Price) bool) (found Price, ok bool) {
	var nearest *Price
	for i := range t.Prices {
		price := &t.Prices[i]
		if price.Provider != provider || !fits(*price) {
			continue
		}
		switch {
		case nearest == nil || price.closerThan(*nearest):
			nearest = price
			found, ok = *price, has(*price)
		case !ok && !nearest.closerThan(*price):
			found, ok = *price, has(*price)
		}
	}
	if !ok {
		return Price{}, false
	}
	return found, true
}

// names tells whether a row's name is that of a model or of its family.
func names(row, model string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(model), strings.ToLower(row))
	return ok && (rest == "" || strings.ContainsAny(rest[:1], "-:@"))
}

func (p Price) closerThan(other Price) bool {
	if p.Model != "" || other.Model != "" {
		return len(p.Model) > len(other.Model)
	}
	return p.MaxBillionParameters < other.MaxBillionParameters
}

var sizeInName = regexp.MustCompile(`(?:^|[^A-Za-z0-9.])(\d+(?:\.\d+)?)[bB](?:[^A-Za-z0-9]|$)`)

// billionParameters reads a model's size from its name: 8 of
// Meta-Llama-3.1-8B-Instruct. Names that do not say it, or say two
// (mixtures of experts), have none.
func billionParameters(model string) (float64, bool) {
	found := sizeInName.FindAllStringSubmatch(model, -1)
	if len(found) != 1 {
		return 0, false
	}
	size, err := strconv.ParseFloat(found[0][1], 64)
	return size, err == nil
}
