package lake

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math/bits"

	"github.com/parquet-go/parquet-go"
)

// columnSum is a checksum over the values of one leaf column, in order, with
// their levels. It is only good within the process.
type columnSum struct {
	sum    uint64
	values int64
}

var columnSeed = maphash.MakeSeed()

func (c *columnSum) add(values []parquet.Value) {
	for i := range values {
		v := &values[i]
		x := uint64(v.RepetitionLevel())<<8 | uint64(v.DefinitionLevel())
		switch {
		case v.IsNull():
			x |= 1 << 16
		case v.Kind() == parquet.ByteArray:
			x ^= maphash.Bytes(columnSeed, v.ByteArray())
		default:
			x ^= v.Uint64() * 0x9e3779b97f4a7c15
		}
		high, low := bits.Mul64(c.sum^x^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
		c.sum = high ^ low
	}
	c.values += int64(len(values))
}

// errUnfaithful: what was read back is not what was written.
var errUnfaithful = errors.New("the file does not hold what was written")

// verifyFile reads a whole Parquet file back and compares every column with
// the sums that were taken when it was written. Parquet writers, ours among
// them, have written wrong files in silence before.
func verifyFile(ctx context.Context, s Storage, name string, rows int64, want []columnSum) (err error) {
	r, err := s.Open(ctx, name)
	if err != nil {
		return err
	}
	defer r.Close()
	defer func() {
		// The library panics on some malformed files.
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errUnfaithful, p)
		}
	}()
	file, err := parquet.OpenFile(r, r.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("%w: %w", errUnfaithful, err)
	}
	if file.NumRows() != rows {
		return fmt.Errorf("%w: %d rows for %d", errUnfaithful, file.NumRows(), rows)
	}
	paths := file.Schema().Columns()
	if len(paths) != len(want) {
		return fmt.Errorf("%w: %d columns for %d", errUnfaithful, len(paths), len(want))
	}
	buffer := make([]parquet.Value, 1024)
	for i := range want {
		var got columnSum
		for _, group := range file.RowGroups() {
			if err := sumChunk(&got, group.ColumnChunks()[i], buffer); err != nil {
				return fmt.Errorf("column %v: %w: %w", paths[i], errUnfaithful, err)
			}
		}
		if got != want[i] {
			return fmt.Errorf("column %v: %w", paths[i], errUnfaithful)
		}
	}
	return ctx.Err()
}

func sumChunk(sum *columnSum, chunk parquet.ColumnChunk, buffer []parquet.Value) error {
	pages := chunk.Pages()
	defer pages.Close()
	for {
		page, err := pages.ReadPage()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		values := page.Values()
		for {
			n, err := values.ReadValues(buffer)
			sum.add(buffer[:n])
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
		}
		parquet.Release(page)
	}
}
