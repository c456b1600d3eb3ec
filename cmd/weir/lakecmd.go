package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
)

func lakeCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "lake",
		Usage: "look at the store: commits, tables, damage; publish the catalog again",
		Subcommands: []*cli.Command{
			{
				Name:        "log",
				Usage:       "the commits of all tables, or of one, youngest first",
				ArgsUsage:   "[TABLE]",
				Description: "Example:\n   weir lake log --lake mylake curated.examples",
				Flags:       []cli.Flag{lakeFlag(), jsonFlag(), &cli.IntFlag{Name: "limit", Usage: "at most `N` commits; 0: all", Value: 20}},
				Action:      func(c *cli.Context) error { return lakeLog(e, c) },
			},
			{
				Name:   "tables",
				Usage:  "the tables with their versions, files and rows",
				Flags:  []cli.Flag{lakeFlag(), jsonFlag()},
				Action: func(c *cli.Context) error { return lakeTables(e, c) },
			},
			lakeVerifyCommand(e), lakeRepairCommand(e), lakeCheckpointCommand(e), lakeRestoreCommand(e), lakeRebuildCommand(e),
			lakeCompactCommand(e), lakeVacuumCommand(e), lakeMaintainCommand(e), lakeExpireCommand(e),
			{
				Name:  "publish",
				Usage: "write catalog.duckdb and current/ again from the log",
				Flags: []cli.Flag{lakeFlag()},
				Action: func(c *cli.Context) error {
					if err := noArgs(c); err != nil {
						return err
					}
					lk, err := openLake(c)
					if err != nil {
						return err
					}
					return catalog.Publish(c.Context, lk, catalog.Options{})
				},
			},
		},
	}
}

// tableNames gives the tables that are named, or else all of the lake's.
func tableNames(ctx context.Context, lk *lake.Lake, named ...string) ([]string, error) {
	if len(named) > 0 {
		return named, nil
	}
	return lk.AllTables(ctx)
}

func lakeLog(e env, c *cli.Context) error {
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	names, err := tableNames(c.Context, lk, c.Args().Slice()[:min(c.NArg(), 1)]...)
	if err != nil {
		return err
	}
	history := []lake.Version{}
	for _, name := range names {
		table, err := lk.Table(name)
		if err != nil {
			return err
		}
		versions, err := table.History(c.Context, c.Int("limit"))
		if err != nil {
			return err
		}
		history = append(history, versions...)
	}
	slices.SortStableFunc(history, func(a, b lake.Version) int { return b.CommittedAt.Compare(a.CommittedAt) })
	if limit := c.Int("limit"); limit > 0 && len(history) > limit {
		history = history[:limit]
	}
	if c.Bool("json") {
		return printJSON(e.stdout, history)
	}
	var rows [][]string
	for _, v := range history {
		rows = append(rows, []string{
			v.CommittedAt.Format("2006-01-02 15:04:05"), v.Table, count(v.Version), v.Operation,
			fmt.Sprintf("+%d -%d", v.FilesAdded, v.FilesGone), fmt.Sprintf("+%s -%s", count(v.RowsAdded), count(v.RowsGone)),
		})
	}
	printTable(e.stdout, []column{{name: "committed (UTC)"}, {name: "table"}, {name: "version", right: true}, {name: "operation"},
		{name: "files", right: true}, {name: "rows", right: true}}, rows)
	return nil
}

type tableInfo struct {
	Table   string `json:"table"`
	Version int64  `json:"version"`
	Files   int    `json:"files"`
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
}

func lakeTables(e env, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	names, err := tableNames(c.Context, lk)
	if err != nil {
		return err
	}
	infos := []tableInfo{}
	for _, name := range names {
		table, err := lk.Table(name)
		if err != nil {
			return err
		}
		snapshot, err := table.Snapshot(c.Context)
		if err != nil {
			return err
		}
		info := tableInfo{Table: name, Version: snapshot.Version, Files: len(snapshot.Files)}
		for _, file := range snapshot.Files {
			info.Rows += file.Rows
			info.Bytes += file.Bytes
		}
		infos = append(infos, info)
	}
	if c.Bool("json") {
		return printJSON(e.stdout, infos)
	}
	var rows [][]string
	for _, info := range infos {
		rows = append(rows, []string{info.Table, count(info.Version), count(info.Files), count(info.Rows), strings.TrimSpace(bytesText(info.Bytes))})
	}
	printTable(e.stdout, []column{{name: "table"}, {name: "version", right: true}, {name: "files", right: true}, {name: "rows", right: true}, {name: "size", right: true}}, rows)
	return nil
}
