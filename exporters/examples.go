package exporters

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Each visits the examples that an export with these options is made from, by
// id: of Options the moment, the dataset and the session count. The example
// belongs to the visitor.
func Each(ctx context.Context, lk *lake.Lake, opts Options, visit func(canonical.Example) error) error {
	if err := each(ctx, lk, opts, visit); err != nil {
		return fmt.Errorf("examples: %w", err)
	}
	return nil
}

func each(ctx context.Context, lk *lake.Lake, opts Options, visit func(canonical.Example) error) (err error) {
	session, pinned, err := duck.OpenLakeAt(ctx, lk, opts.At, opts.Session)
	if err != nil {
		return err
	}
	defer session.Close()
	from, err := openSource(ctx, lk, session, pinned, opts, false)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(lk.TempDir(), 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(lk.TempDir(), "examples-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	paths, err := sortedParquet(ctx, session, from.examples, from.order(), scratch)
	if err != nil {
		return err
	}
	reader, err := canonical.Open(ctx, paths...)
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		examples, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for _, example := range examples {
			if err := visit(example); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
