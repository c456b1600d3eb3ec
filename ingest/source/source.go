// Package source is the frame for readers of native log formats: what a format
// is, how one is found for a file, and how its records and rejects come out.
// It does not read any format itself: each has a package of its own beside
// this one and a line in ingest/source/formats. Start at Format.
package source

import (
	"context"
	"io"

	"github.com/weir-lake/weir/lake"
)

// Format reads one native format into events.
type Format struct {
	Name    string // as --format takes it: claude-code, litellm, …
	Doc     string // one line: what the files are and where they come from
	Version int64  // parser version: raise it when the same file gives other events
	// Detect says how sure it is that the file is of this format, from 0 (no)
	// to 100, by content before name.
	Detect func(Probe) int
	// Read turns a file into events and rejects. It returns an error only when
	// the file cannot be read on (I/O) or out refuses; a record that makes no
	// sense is rejected and reading goes on.
	Read func(ctx context.Context, in *Input, out Out) error
}

// Probe is what detection may look at.
type Probe struct {
	Name string // base name, without .gz
	Head []byte // first 64 KiB, decompressed
}

// Input is a file, a stream, or standard input.
type Input struct {
	Name string    // as given by the user, for messages and dead letters
	Path string    // of a plain local file; empty for streams and compressed files
	R    io.Reader // decompressed
	// Records is how many records the format has found so far, rejected ones
	// included. The function Records counts them; a format that reads in
	// another way may count itself.
	Records int64
	// Line and Bytes are where the latest record began, 1-based, and how long
	// it is. They are 0 where the format does not use the function Records.
	Line, Bytes int64
}

// Out takes what a format reads.
type Out interface {
	// Emit takes an event; source.Format.Version is filled in by the caller.
	Emit(lake.Event) error
	// Reject takes a record that could not be understood. It keeps a copy of
	// what it needs of the body.
	Reject(Reject) error
}

// Reject is a record on its way to the dead letters.
type Reject struct {
	Reason string // not_json, truncated, wrong_type, invalid_utf8, too_large, unknown_type, …
	Detail string
	Line   int64  // 1-based, 0 unknown
	Record int64  // 0-based, -1 unknown
	Body   []byte // the record, or as much of it as was kept
	Length int64  // its whole length in bytes
	SHA256 string // of the whole record; empty: compute from Body
}
