// Package rows reads what a query finds into Go structs, a row at a time. The
// rows leave DuckDB as a file, because a query's result would be held in memory
// whole. Start at Each.
package rows

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/weir-lake/weir/lake/duck"
)

// Each runs a query and gives its rows in the query's order, decoded from JSON:
// a column goes to the field that its tag names. The file lies in dir until the
// loop ends.
func Each[T any](ctx context.Context, session *duck.Session, dir, query string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := each(ctx, session, dir, query, func(row T) bool { return yield(row, nil) })
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// errStopped says that the loop was left, so nothing may be yielded any more.
var errStopped = errors.New("stopped")

func each[T any](ctx context.Context, session *duck.Session, dir, query string, row func(T) bool) error {
	err := read(ctx, session, dir, query, row)
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

func read[T any](ctx context.Context, session *duck.Session, dir, query string, row func(T) bool) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, "rows-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	path := filepath.Join(work, "rows.json")
	if err := session.Exec(ctx, "copy (\n"+query+"\n) to "+duck.Literal(path)+" (format json)"); err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	dec := json.NewDecoder(bufio.NewReaderSize(file, 1<<20))
	for {
		var value T
		switch err := dec.Decode(&value); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read rows: %w", err)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if !row(value) {
			return errStopped
		}
	}
}
