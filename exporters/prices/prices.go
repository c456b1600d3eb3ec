// Package prices looks up what training a model costs in a dated table. The
// table that comes with weir ages; users put their own over it. It counts no
// tokens (exporters/tokens does). Start at Default.
package prices

import (
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
}

// Price is what a provider asks for a model, in USD per million tokens. A
// price that is not known is nil; it is never taken for zero.
type Price struct {
	Provider string `json:"provider"`
	// Model is the start of the models' names; the longest that fits decides.
	// Where a provider prices by size it is empty, and MaxBillionParameters is
	// the upper end of the bracket.
	Model                string   `json:"model,omitempty"`
	MaxBillionParameters float64  `json:"max_billion_parameters,omitempty"`
	Train                *float64 `json:"train_usd_per_mtok,omitempty"`
	Input                *float64 `json:"input_usd_per_mtok,omitempty"`
	Cached               *float64 `json:"cached_usd_per_mtok,omitempty"`
	Output               *float64 `json:"output_usd_per_mtok,omitempty"`
	AsOf                 string   `json:"as_of"`
	Source               string   `json:"source"`
}

// Default is the table that comes with weir.
func Default() (Table, error) {
	table, err := Read(strings.NewReader(string(embedded)))
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
	for _, usd := range []*float64{p.Train, p.Input, p.Cached, p.Output} {
		if usd != nil && *usd < 0 {
			return fmt.Errorf("a price is negative")
		}
	}
	return nil
}

// Over gives the table with another's prices put over it: where both know a
// model, the other decides.
func (t Table) Over(other Table) Table {
	t.Prices = append(append([]Price(nil), other.Prices...), t.Prices...)
	if other.AsOf != "" {
		t.AsOf = other.AsOf
	}
	return t
}

// Lookup finds the price of a model, fine-tuned names (ft:…) included. Names
// go before size brackets, the longest name and the smallest bracket win, and
// among equals the first.
func (t Table) Lookup(provider, model string) (Price, bool) {
	model = strings.TrimPrefix(model, "ft:")
	size, hasSize := billionParameters(model)
	best := -1
	for i, price := range t.Prices {
		fits := price.Model != "" && strings.HasPrefix(model, price.Model) ||
			price.Model == "" && hasSize && size <= price.MaxBillionParameters
		if price.Provider == provider && fits && (best < 0 || price.closerThan(t.Prices[best])) {
			best = i
		}
	}
	if best < 0 {
		return Price{}, false
	}
	return t.Prices[best], true
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
