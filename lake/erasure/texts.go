package erasure

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
)

// readTexts gives the texts in a Parquet file, with the columns and the rows that
// they stand in: a column after the other, rows from 0.
func readTexts(path string, each func(column string, row int64, text []byte)) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil { // the library panics on some malformed files
			err = fmt.Errorf("%v", p)
		}
	}()
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	columns := file.Schema().Columns()
	var before int64
	for _, group := range file.RowGroups() {
		for i, chunk := range group.ColumnChunks() {
			if chunk.Type().Kind() != parquet.ByteArray {
				continue
			}
			row := before - 1
			err := readColumn(chunk, func(value parquet.Value) {
				if value.RepetitionLevel() == 0 {
					row++
				}
				if !value.IsNull() {
					each(columns[i][0], row, value.ByteArray())
				}
			})
			if err != nil {
				return err
			}
		}
		before += group.NumRows()
	}
	return nil
}

func readColumn(chunk parquet.ColumnChunk, each func(parquet.Value)) error {
	pages := chunk.Pages()
	defer pages.Close()
	values := make([]parquet.Value, 512)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		reader := page.Values()
		for {
			n, err := reader.ReadValues(values)
			for _, value := range values[:n] {
				each(value)
			}
			if errors.Is(err, io.EOF) || err == nil && n == 0 {
				break
			}
			if err != nil {
				parquet.Release(page)
				return err
			}
		}
		parquet.Release(page)
	}
}
