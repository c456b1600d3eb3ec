// Package evalsql brings eval results into the lake as events (Import), and
// holds the analysis tables: one .sql file each, built by lake/derive on the
// curated tables (Tables). What a model costs, whether it is better, and what a
// shorter prompt saves is decided here. It draws nothing and runs no model.
//
// Metric tables have one row per metric with n, estimate, low, high (a 95 %
// interval) and a warning where the interval must be read with care. Errors
// (no answer) are counted apart: they are neither passed nor failed.
package evalsql

import (
	"embed"

	"github.com/weir-lake/weir/lake/derive"
)

// Layer is the schema of the analysis tables.
const Layer = "analysis"

//go:embed *.sql
var files embed.FS

// Tables are the analyses: in order of file name, the steps in Go last.
func Tables() ([]*derive.Table, error) {
	tables, err := derive.Load(files, "evalsql", Layer)
	if err != nil {
		return nil, err
	}
	return append(tables, goals.Table(), experimentDifferences.Table()), nil
}
