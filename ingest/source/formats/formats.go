// Package formats lists the native formats that weir reads. A format is a
// package beside this one and a line in All.
package formats

import (
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/cassette"
	"github.com/weir-lake/weir/ingest/source/claudecode"
)

// All lists the formats by name.
func All() []source.Format {
	return []source.Format{
		cassette.Format(),
		claudecode.Format(),
	}
}
