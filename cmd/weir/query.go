package main

import (
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/queries"
)

func queryCommand(e env) *cli.Command {
	return &cli.Command{
		Name:      "query",
		Usage:     "answer a ready question, or run SQL on the lake",
		ArgsUsage: "[NAME|SQL]",
		Description: "Without an argument it lists the ready questions.\n\n" +
			"Examples:\n   weir query --lake mylake funnel\n" +
			"   weir query --lake mylake --format csv 'select fate, count(*) from curated.funnel group by all'\n" +
			"   weir query --lake mylake --as-of 2026-11-01 funnel",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(), memoryFlag(), threadsFlag(), asOfFlag(),
			&cli.StringFlag{Name: "format", Usage: "table, csv or json", Value: "table"},
			&cli.IntFlag{Name: "limit", Usage: "at most `N` rows; 0: all", Value: 200},
		},
		Action: func(c *cli.Context) error { return runQuery(e, c) },
	}
}

func runQuery(e env, c *cli.Context) error {
	format := c.String("format")
	if c.Bool("json") {
		format = "json"
	}
	if format != "table" && format != "csv" && format != "json" {
		return &usageError{what: fmt.Sprintf("query: unknown format %q", format), try: "weir query --format csv NAME"}
	}
	if c.NArg() == 0 {
		return listQueries(e)
	}
	if c.NArg() > 1 {
		return &usageError{what: "query: one question at a time; quote the SQL", try: "weir query --help"}
	}
	sql, err := querySQL(c.Args().First())
	if err != nil {
		return err
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	opts := duckOptions(c)
	opts.KeepOrder = true
	moment, err := momentOf(c)
	if err != nil {
		return err
	}
	session, pinned, err := duck.OpenLakeAt(c.Context, lk, moment, opts)
	if err != nil {
		return err
	}
	defer session.Close()
	result, err := session.Text(c.Context, sql, c.Int("limit"))
	if err != nil {
		for _, name := range slices.Sorted(maps.Keys(pinned.Gone)) {
			_, table, _ := strings.Cut(name, ".")
			if strings.Contains(err.Error(), "Table with name "+table+" does not exist") {
				return pinned.Gone[name]
			}
		}
		if strings.Contains(err.Error(), "does not exist") {
			err = lake.WithHint(err, "weir lake tables lists what is there; weir transform and weir analyze build the rest")
		}
		return err
	}
	return printResult(e, result, format)
}

// querySQL is the SQL of a ready question, or the argument itself where it is SQL.
func querySQL(arg string) (string, error) {
	for _, query := range queries.All() {
		if query.Name == arg {
			return query.SQL, nil
		}
	}
	if !strings.ContainsAny(arg, " \t\n(") {
		return "", &usageError{what: fmt.Sprintf("no ready question is called %q", arg), try: "weir query"}
	}
	return strings.TrimRight(strings.TrimSpace(arg), ";"), nil
}

func listQueries(e env) error {
	var rows [][]string
	for _, query := range queries.All() {
		rows = append(rows, []string{query.Name, query.Question})
	}
	printTable(e.stdout, []column{{name: "name"}, {name: "question"}}, rows)
	return nil
}

func printResult(e env, result duck.Result, format string) error {
	switch format {
	case "csv":
		w := csv.NewWriter(e.stdout)
		header := make([]string, len(result.Columns))
		for i, column := range result.Columns {
			header[i] = column.Name
		}
		if err := w.Write(header); err != nil {
			return err
		}
		for _, row := range result.Rows {
			cells := make([]string, len(row))
			for i, cell := range row {
				cells[i] = cell.String
			}
			if err := w.Write(cells); err != nil {
				return err
			}
		}
		w.Flush()
		return w.Error()
	case "json":
		rows := make([]map[string]*string, len(result.Rows))
		for i, row := range result.Rows {
			rows[i] = map[string]*string{}
			for j, column := range result.Columns {
				if row[j].Valid {
					rows[i][column.Name] = &row[j].String
				} else {
					rows[i][column.Name] = nil
				}
			}
		}
		return printJSON(e.stdout, rows)
	}
	columns := make([]column, len(result.Columns))
	for i, c := range result.Columns {
		columns[i] = column{name: c.Name, right: !c.List && (c.Type == lake.BigInt || c.Type == lake.Double || c.Type == "")}
	}
	rows := make([][]string, len(result.Rows))
	for i, row := range result.Rows {
		rows[i] = make([]string, len(row))
		for j, cell := range row {
			rows[i][j] = cell.String
		}
	}
	printTable(e.stdout, columns, rows)
	if result.More {
		fmt.Fprintf(e.stderr, "only the first %d rows; --limit 0 prints all\n", len(rows))
	}
	return nil
}
