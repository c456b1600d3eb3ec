package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/exporters/prices"
	"github.com/weir-lake/weir/lake"
)

// lakePrices is the price table that a lake's folder may hold, for all who use
// the lake.
const lakePrices = "prices.json"

func pricesFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "prices", Usage: "price table, JSON `FILE`, over the lake's " + lakePrices + " and the built-in one; may be repeated"}
}

// priceTable is the built-in table with the lake's and then the files' put over it.
func priceTable(lk *lake.Lake, paths []string) (prices.Table, error) {
	table, err := prices.Default()
	if err != nil {
		return table, err
	}
	over, err := readPrices(filepath.Join(lk.Dir(), lakePrices))
	if err == nil {
		table = table.Over(over)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return table, err
	}
	return withPrices(table, paths)
}

// withPrices puts the files over a table, the last one uppermost.
func withPrices(table prices.Table, paths []string) (prices.Table, error) {
	for _, path := range paths {
		over, err := readPrices(path)
		if err != nil {
			return table, err
		}
		table = table.Over(over)
	}
	return table, nil
}

func readPrices(path string) (prices.Table, error) {
	file, err := os.Open(path)
	if err != nil {
		return prices.Table{}, err
	}
	defer file.Close()
	table, err := prices.Read(file)
	if err != nil {
		return table, fmt.Errorf("%s: %w", path, err)
	}
	return table, nil
}
