// Package gates decides go or no-go: named questions, each with a query that
// answers it from a lake's finished tables and a bound that the answer is held to.
// It writes nothing. Start at Parse and Evaluate.
package gates

import (
	"bytes"
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

//go:embed gates.yaml
var defaults []byte

// Defaults gives the YAML that weir brings, with its comments.
func Defaults() []byte { return bytes.Clone(defaults) }

// Gate is a question with a bound.
type Gate struct {
	Name     string   `yaml:"name" json:"name"`
	Question string   `yaml:"question" json:"question"`
	SQL      string   `yaml:"sql" json:"sql"`
	AtLeast  *float64 `yaml:"at_least" json:"at_least,omitempty"` // either this
	AtMost   *float64 `yaml:"at_most" json:"at_most,omitempty"`   // or that
}

// Verdicts of a gate.
const (
	Met    = "met"             // the whole interval keeps the bound
	NotMet = "not met"         // the whole interval breaks it
	Unsure = "cannot tell yet" // it lies on both sides, or there is none
)

// Result is what became of a gate. An answer that lacks is no zero.
type Result struct {
	Gate
	Verdict  string   `json:"verdict"`
	Evidence string   `json:"evidence"` // in words; why nothing can be told, where nothing can
	Estimate *float64 `json:"estimate"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
	N        int64    `json:"n"`
}

// Parse reads gates and checks them: each name once, with a query and one bound.
func Parse(text []byte) ([]Gate, error) {
	var file struct {
		Gates []Gate `yaml:"gates"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("gates: %w", err)
	}
	if len(file.Gates) == 0 {
		return nil, errors.New("gates: none given: a report without gates would always be a go")
	}
	seen := map[string]bool{}
	for _, gate := range file.Gates {
		if gate.Name == "" || seen[gate.Name] || strings.TrimSpace(gate.SQL) == "" || (gate.AtLeast == nil) == (gate.AtMost == nil) {
			return nil, fmt.Errorf("gates: %q: a name of its own, sql, and either at_least or at_most, are needed", gate.Name)
		}
		seen[gate.Name] = true
	}
	return file.Gates, nil
}

// AllMet tells whether it is a go.
func AllMet(results []Result) bool {
	return !slices.ContainsFunc(results, func(r Result) bool { return r.Verdict != Met })
}

// Evaluate asks each gate of the lake as it is now. A query that fails is an
// error, but for tables that were not built: those tell nothing yet.
func Evaluate(ctx context.Context, lk *lake.Lake, gates []Gate, opts duck.Options) (_ []Result, err error) {
	session, _, err := duck.OpenLake(ctx, lk, opts)
	if err != nil {
		return nil, fmt.Errorf("gates: %w", err)
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	var results []Result
	for _, gate := range gates {
		result, err := gate.ask(ctx, session)
		if err != nil {
			return nil, fmt.Errorf("gate %s: %w", gate.Name, err)
		}
		results = append(results, result)
	}
	return results, nil
}

func (g Gate) ask(ctx context.Context, session *duck.Session) (Result, error) {
	result := Result{Gate: g, Verdict: Unsure}
	query := strings.TrimRight(strings.TrimSpace(g.SQL), ";")
	// Columns by their names: a query may give them in any order.
	rows, err := session.DB().QueryContext(ctx, "select estimate::double, low::double, high::double, n::bigint, evidence::varchar from (\n"+query+"\n)")
	if err != nil {
		if missing := missingTable(err); missing != "" {
			result.Evidence = missing
			return result, nil
		}
		return Result{}, err
	}
	defer rows.Close()
	if !rows.Next() {
		result.Evidence = "there is nothing to answer it by"
		return result, rows.Err()
	}
	var n sql.NullInt64
	var evidence sql.NullString
	if err := rows.Scan(&result.Estimate, &result.Low, &result.High, &n, &evidence); err != nil {
		return Result{}, err
	}
	if rows.Next() {
		return Result{}, errors.New("its query gives more than one row")
	}
	result.N, result.Evidence = n.Int64, evidence.String
	result.Verdict = g.judge(result.Low, result.High)
	return result, rows.Err()
}

func (g Gate) judge(low, high *float64) string {
	switch {
	case low == nil || high == nil:
		return Unsure
	case g.AtLeast != nil && *low >= *g.AtLeast, g.AtMost != nil && *high <= *g.AtMost:
		return Met
	case g.AtLeast != nil && *high < *g.AtLeast, g.AtMost != nil && *low > *g.AtMost:
		return NotMet
	}
	return Unsure
}

// missingTable is the line of an error that says that a table is not there.
func missingTable(err error) string {
	for line := range strings.Lines(err.Error()) {
		if strings.Contains(line, "Catalog Error: Table with name") {
			_, line, _ = strings.Cut(line, "Catalog Error: ")
			return strings.TrimSpace(line)
		}
	}
	return ""
}
