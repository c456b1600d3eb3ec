// Package lineage follows what is in a lake both ways: from an example back to
// the events that it was made from and on to the datasets, training runs, models
// and evals that have it; and the same from an event, a subject, a dataset
// version, a model, or a line of an exported file. It asks by key and reads only
// what hangs on it. Start at Trace; it draws nothing.
package lineage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Kinds of nodes.
const (
	Example = "example"
	Event   = "event"
	Subject = "subject"
	Dataset = "dataset" // a version, as name@version
	Run     = "run"
	Model   = "model"
	Suite   = "suite"
	Line    = "line"   // of an exported file
	Source  = "source" // a source and side of a dataset's members
)

// Node is a thing and what hangs on it.
type Node struct {
	Relation string `json:"relation,omitempty"` // to the node above: made from, trained on it, …; empty at the root
	Kind     string `json:"kind"`
	ID       string `json:"id"`
	What     string `json:"what,omitempty"` // in a few words
	Nodes    []Node `json:"nodes,omitempty"`
	More     int64  `json:"more,omitempty"` // of this relation and kind that the limit left out; ID is empty
}

// Options of Trace.
type Options struct {
	Kind  string // what the id is; empty: the first that there is of model, dataset, example, event, subject
	Limit int    // most nodes of one relation below a node; 0: all
}

// ErrNothing says that nothing in the lake is called so.
var ErrNothing = errors.New("nothing in the lake is called so")

// Trace follows an id. The session has the lake's tables, and curated.models as
// it should be read (registry.Open). An id is that of an example, an event, a
// subject, a training run or its job, a model or its alias, NAME[@VERSION] of a
// dataset (the version may be shortened), or FILE:LINE of an export.
func Trace(ctx context.Context, session *duck.Session, id string, opts Options) (Node, error) {
	t := &tracer{session: session, limit: opts.Limit}
	node, err := t.trace(ctx, id, opts.Kind)
	if err != nil {
		return node, fmt.Errorf("lineage: %w", err)
	}
	return node, nil
}

type tracer struct {
	session *duck.Session
	limit   int
}

func (t *tracer) trace(ctx context.Context, id, kind string) (Node, error) {
	if file, line, ok := lineOf(id); kind == Line || kind == "" && ok {
		return t.line(ctx, file, line)
	}
	kinds := []struct {
		kind string
		walk func(context.Context, string) (Node, error)
	}{{Model, t.model}, {Run, t.model}, {Dataset, t.dataset}, {Example, t.example}, {Event, t.event}, {Subject, t.subject}}
	known := false
	for _, k := range kinds {
		if kind != "" && kind != k.kind {
			continue
		}
		known = true
		node, err := k.walk(ctx, id)
		if !errors.Is(err, ErrNothing) {
			return node, err
		}
	}
	if !known {
		return Node{}, fmt.Errorf("kind %q: want example, event, subject, dataset, model, run or line", kind)
	}
	return Node{}, lake.WithHint(fmt.Errorf("%q: %w", id, ErrNothing), "weir transform, if it came after the last one; weir model list and weir query for what there is")
}

// query gives rows of text; null is "".
func (t *tracer) query(ctx context.Context, query string, args ...any) (found [][]string, err error) {
	rows, err := t.session.DB().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(cells))
		for i, cell := range cells {
			row[i] = cell.String
		}
		found = append(found, row)
	}
	return found, rows.Err()
}

// hang puts nodes of one relation and kind below another, as many as the limit
// allows.
func (t *tracer) hang(below *Node, nodes []Node) {
	if t.limit > 0 && len(nodes) > t.limit {
		rest := int64(len(nodes) - t.limit)
		more := Node{Relation: nodes[0].Relation, Kind: nodes[0].Kind, More: rest}
		nodes = append(nodes[:t.limit:t.limit], more)
	}
	below.Nodes = append(below.Nodes, nodes...)
}

// words joins what is not empty.
func words(parts ...string) string {
	var kept []string
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ", ")
}

// one is count things: "1 example", "2 examples".
func one(count, thing string) string {
	if count == "1" {
		return "1 " + thing
	}
	return count + " " + thing + "s"
}
