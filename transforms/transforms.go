// Package transforms holds the curated tables: a SQL file each, and the few
// steps that SQL is poor at. lake/derive builds them; this package does not
// compute anything by itself. Start at Tables, or at any .sql file: each says
// in its header what a row is and by which rules.
package transforms

import (
	"embed"

	"github.com/weir-lake/weir/lake/derive"
)

// Layer is the schema of the tables.
const Layer = "curated"

//go:embed *.sql
var files embed.FS

// Tables gives every curated table. ErasureKey is that of the lake which they
// are built in (lake.Lake.ErasureKey): erasures name whom to forget by a hash
// under it.
func Tables(erasureKey []byte) ([]*derive.Table, error) {
	tables, err := derive.Load(files, "transforms", Layer)
	if err != nil {
		return nil, err
	}
	for _, step := range []derive.Step{erased(erasureKey), thresholds, shingleLevels, splitGroups, duplicateClusters} {
		tables = append(tables, step.Table())
	}
	return tables, nil
}
