package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/evalsql"
	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/transforms"
)

// buildFlags are on the commands that build tables.
func buildFlags() []cli.Flag {
	return []cli.Flag{
		lakeFlag(), jsonFlag(), quietFlag(),
		&cli.BoolFlag{Name: "full", Usage: "compute everything again, and write every file"},
		&cli.BoolFlag{Name: "tables", Usage: "say what happened to each table"},
		&cli.StringSliceFlag{Name: "only", Usage: "`TABLE` to build, with what it needs; may be repeated"},
		memoryFlag(), threadsFlag(),
	}
}

func memoryFlag() cli.Flag {
	return &cli.StringFlag{Name: "memory", Usage: "DuckDB's memory limit, such as 4GB; beyond it spills to the lake's folder", Value: duck.DefaultMemoryLimit}
}

func threadsFlag() cli.Flag {
	return &cli.IntFlag{Name: "threads", Usage: "`N` threads; 0: one a CPU"}
}

func duckOptions(c *cli.Context) duck.Options {
	return duck.Options{MemoryLimit: c.String("memory"), Threads: c.Int("threads")}
}

func transformCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "transform",
		Usage: "bring the curated tables up to date: only what changed is computed",
		Description: "Examples:\n   weir transform --lake mylake\n" +
			"   weir transform --lake mylake --only curated.quality --full\n" +
			"   weir transform --lake mylake --as-of 2026-11-01\n" +
			"   weir transform --lake mylake --freeze-boilerplate\n" +
			"   weir transform --lake mylake --explain 3ccec378\n\n" +
			"With --as-of the tables are made from the events as they were then; whoever was erased since stays\n" +
			"erased. The next weir transform brings them back to now.",
		Flags: append(buildFlags(), asOfFlag(), brokersFlag(),
			&cli.BoolFlag{Name: "freeze-boilerplate", Usage: "first freeze what more than 1 % of the examples share: comparisons leave it out from now on"},
			&cli.StringFlag{Name: "explain", Usage: "build nothing; say why this `EXAMPLE` has its fate and its score"}),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			if c.IsSet("explain") {
				return explain(e, c, c.String("explain"))
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			tables, err := transforms.Tables(lk.ErasureKey())
			if err != nil {
				return err
			}
			frozen, err := freeze(e, c, lk, tables)
			if err != nil {
				return err
			}
			if err := build(e, c, lk, tables, frozen); err != nil {
				return err
			}
			return warnOfSplit(c.Context, e, lk, duckOptions(c))
		},
	}
}

// warnOfSplit says on stderr what would spoil an export: links between the
// sides, a group so large that it trains as a whole, and too few groups to
// validate on. It says nothing where the split was not built.
func warnOfSplit(ctx context.Context, e env, lk *lake.Lake, opts duck.Options) error {
	session, pinned, err := duck.OpenLakeAt(ctx, lk, duck.Moment{}, opts)
	if err != nil {
		return err
	}
	defer session.Close()
	for _, table := range []string{"curated.splits", "curated.funnel", "curated.leaks"} {
		if _, ok := pinned.Versions[table]; !ok {
			return nil
		}
	}
	var links, train, groups, large int64
	err = session.Get(ctx, `
select
    (select coalesce(sum(link_count), 0)::bigint from curated.leaks),
    count(*) filter (funnel.fate = 'train'),
    count(distinct splits.group_id) filter (funnel.fate = 'validation'),
    coalesce(max(splits.group_size) filter (splits.basis = 'large_group'), 0)::bigint

from curated.funnel as funnel

inner join curated.splits as splits on splits.example_id = funnel.example_id`, &links, &train, &groups, &large)
	if err != nil {
		return err
	}
	if links > 0 {
		fmt.Fprintf(e.stderr, "warning: %s links between the sides of the split: nothing can be exported (weir query leaks)\n", count(links))
	}
	if large > 0 {
		fmt.Fprintf(e.stderr, "warning: a group of %s examples is more than 5 %% of all: it trains as a whole (weir query large_groups)\n", count(large))
	}
	if train > 0 && groups < exporters.FewValidationGroups {
		fmt.Fprintf(e.stderr, "warning: validation has %d independent groups, fewer than %d: its loss will say little (weir query split_report)\n", groups, exporters.FewValidationGroups)
	}
	return nil
}

func analyzeCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "analyze",
		Usage:       "bring the analysis tables up to date: results, costs, savings",
		Description: "Example:\n   weir analyze --lake mylake",
		Flags:       buildFlags(),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			tables, err := evalsql.Tables()
			if err != nil {
				return err
			}
			return build(e, c, lk, tables, nil)
		},
	}
}

// build runs the tables of one layer and prints what happened to each, and to
// those that were built before for what was to be frozen.
func build(e env, c *cli.Context, lk *lake.Lake, tables []*derive.Table, before derive.Report) error {
	at, err := momentOf(c)
	if err != nil {
		return err
	}
	for name := range at.Versions {
		if !strings.HasPrefix(name, "events.") {
			return &usageError{what: "transform: --as-of: " + name + " is no table of events", try: "weir transform --as-of events.chat_messages=12"}
		}
	}
	report, err := buildTables(c.Context, e, lk, tables, duckOptions(c), derive.Options{Full: c.Bool("full"), Only: c.StringSlice("only"), At: at}, c.Bool("quiet"))
	if err != nil {
		return err
	}
	report = report.After(before)
	if c.Bool("json") {
		return printJSON(e.stdout, report)
	}
	if c.Bool("tables") {
		printBuilt(e, report)
	}
	modes := map[derive.Mode]int{}
	var rows int64
	var seconds float64
	for _, t := range report {
		modes[t.Mode]++
		rows += t.Rows
		seconds += t.Seconds
	}
	fmt.Fprintf(e.stdout, "%d tables, %s rows: %d computed whole, %d in part, %d unchanged, in %.1fs\n",
		len(report), count(rows), modes[derive.Full], modes[derive.Incremental], modes[derive.Skipped], seconds)
	return nil
}

func printBuilt(e env, report derive.Report) {
	var rows [][]string
	for _, t := range report {
		rows = append(rows, []string{
			t.Table, string(t.Mode), count(t.Rows), count(t.Touched), count(t.Changed),
			fmt.Sprintf("+%d -%d", t.FilesAdded, t.FilesRemoved), fmt.Sprintf("%.2fs", t.Seconds),
		})
	}
	printTable(e.stdout, []column{{name: "table"}, {name: "mode"}, {name: "rows", right: true}, {name: "touched", right: true},
		{name: "changed", right: true}, {name: "files", right: true}, {name: "time", right: true}}, rows)
}

func buildTables(ctx context.Context, e env, lk *lake.Lake, tables []*derive.Table, session duck.Options, opts derive.Options, quiet bool) (derive.Report, error) {
	if session.TempDir == "" {
		session.TempDir = lk.TempDir()
	}
	s, err := duck.Open(ctx, session)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	bar := e.progress("tables", quiet)
	defer bar.done()
	opts.Session = s
	opts.Progress = func(p derive.Progress) {
		bar.step(p.Table)
		bar.set(int64(p.Number-1), int64(p.Of))
	}
	report, err := derive.Build(ctx, lk, tables, opts)
	if err != nil {
		return report, err
	}
	return report, catalog.Publish(ctx, lk, catalog.Options{})
}
