package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
)

func auditFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{lakeFlag(), jsonFlag(), quietFlag()}, more...)
}

func lakeVerifyCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "compare every table with its log: entries, checkpoints, files, rows, offsets, orphans",
		Description: "Reads every live byte and changes nothing. Exits with 3 if something is wrong; weir lake repair\n" +
			"then says what can be done. With --erased it looks for what was erased instead, in every byte below the\n" +
			"lake's folder, compressed ones too.\n\n" +
			"Examples:\n   weir lake verify --lake mylake\n   weir lake verify --lake mylake --erased --person ada@example.com",
		Flags: auditFlags(
			&cli.BoolFlag{Name: "erased", Usage: "look for what is left of the erased"},
			&cli.StringFlag{Name: "subject", Usage: "with --erased: look for this `ID` as well"},
			&cli.StringFlag{Name: "person", Usage: "with --erased: look for this `ID` as well"},
		),
		Action: func(c *cli.Context) error { return lakeVerify(e, c) },
	}
}

// catalogGrace is how long a commit may be before readers of the catalog see it.
const catalogGrace = 5 * time.Minute

// catalogProblem is what is wrong with what readers open, if anything. Where the
// logs cannot be read, that has been found already.
func catalogProblem(ctx context.Context, lk *lake.Lake, found int) (*lake.Problem, error) {
	kind, err := catalog.Check(ctx, lk, time.Now().Add(-catalogGrace))
	switch {
	case err != nil && found > 0, err == nil && kind == "":
		return nil, nil
	case err != nil:
		return nil, err
	}
	what := "DuckDB and current/ show an older state"
	if kind == catalog.Missing {
		what = "DuckDB and readers of current/ find nothing"
	}
	return &lake.Problem{Path: "catalog.duckdb", Kind: kind, What: what}, nil
}

func lakeVerify(e env, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	if c.Bool("erased") {
		return verifyErased(e, c, lk)
	}
	bar := e.progress("verify", c.Bool("quiet"))
	defer bar.done()
	report, err := lk.Audit(c.Context, lake.AuditOptions{Progress: bar.set})
	if err != nil {
		return err
	}
	problem, err := catalogProblem(c.Context, lk, len(report.Problems))
	if err != nil {
		return err
	}
	if problem != nil {
		report.Problems = append(report.Problems, *problem)
	}
	if c.Bool("json") {
		if err := printJSON(e.stdout, report); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for _, p := range report.Problems {
			rows = append(rows, []string{p.Table, p.Kind, p.Path, p.What})
		}
		if len(rows) > 0 {
			printTable(e.stdout, []column{{name: "table"}, {name: "problem"}, {name: "file"}, {name: "what"}}, rows)
		}
		fmt.Fprintf(e.stdout, "%d tables, %s files, %s: %d problems\n", report.Tables, count(report.Files), bytesText(report.Bytes), len(report.Problems))
	}
	if n := len(report.Problems); n > 0 {
		return &problemsError{what: fmt.Sprintf("lake verify: %d problems", n)}
	}
	return nil
}

func lakeRepairCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "repair",
		Usage: "verify, and mend what can be mended without a loss",
		Description: "Deletes orphans and temporary files that nobody has touched for --grace, writes bad checkpoints\n" +
			"again from the log, publishes a lost catalog, and makes the settings private. Rows are never\n" +
			"touched: for what is left it says what to do, and exits with 3.\n\n" +
			"Example:\n   weir lake repair --lake mylake --dry-run",
		Flags: auditFlags(
			&cli.BoolFlag{Name: "dry-run", Usage: "change nothing, say what would be done"},
			&cli.DurationFlag{Name: "grace", Usage: "how old a file without an owner must be; longer than any transform takes", Value: time.Hour},
		),
		Action: func(c *cli.Context) error { return lakeRepair(e, c) },
	}
}

func lakeRepair(e env, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	if c.Duration("grace") <= 0 {
		return &usageError{what: "lake repair: --grace must be above zero", try: "weir lake repair --help"}
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	bar := e.progress("repair", c.Bool("quiet"))
	defer bar.done()
	dry := c.Bool("dry-run")
	repairs, err := lk.Repair(c.Context, lake.RepairOptions{DryRun: dry, Audit: lake.AuditOptions{
		OrphanAge: c.Duration("grace"), Progress: bar.set,
	}})
	if err != nil {
		return err
	}
	if repairs, err = repairCatalog(c.Context, lk, repairs, dry); err != nil {
		return err
	}
	left := 0
	var rows [][]string
	for _, r := range repairs {
		if !r.Done {
			left++
		}
		rows = append(rows, []string{r.Table, r.Kind, r.Path, r.Action})
	}
	switch {
	case c.Bool("json"):
		if err := printJSON(e.stdout, repairs); err != nil {
			return err
		}
	default:
		if len(rows) > 0 {
			printTable(e.stdout, []column{{name: "table"}, {name: "problem"}, {name: "file"}, {name: "action"}}, rows)
		}
		fmt.Fprintf(e.stdout, "%d problems, %d repaired\n", len(repairs), len(repairs)-left)
	}
	if left > 0 {
		return &problemsError{what: fmt.Sprintf("lake repair: %d problems are left", left)}
	}
	return nil
}

func repairCatalog(ctx context.Context, lk *lake.Lake, repairs []lake.Repair, dry bool) ([]lake.Repair, error) {
	problem, err := catalogProblem(ctx, lk, len(repairs))
	if err != nil || problem == nil {
		return repairs, err
	}
	one := lake.Repair{Problem: *problem, Action: "can be repaired"}
	if !dry {
		if err := catalog.Publish(ctx, lk, catalog.Options{}); err != nil {
			return nil, err
		}
		one.Done, one.Action = true, "published again"
	}
	return append(repairs, one), nil
}
