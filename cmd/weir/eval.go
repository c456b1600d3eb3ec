package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/evalsql"
	"github.com/weir-lake/weir/lake"
)

func evalCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "eval",
		Usage: "bring eval results into the lake",
		Subcommands: []*cli.Command{{
			Name:      "import",
			Usage:     "import results of eval tools as events; the same file twice is the same events",
			ArgsUsage: "FILE…",
			Description: "Formats: " + strings.Join(evalsql.ImportFormats(), ", ") + ".\n\n" +
				"Example:\n   weir eval import --lake mylake --experiment prompt-diet --arm tuned results.json",
			Flags: []cli.Flag{
				lakeFlag(), brokersFlag(), waitFlag(), jsonFlag(), quietFlag(),
				&cli.StringFlag{Name: "format", Usage: "one of the formats; found by content without it"},
				&cli.StringFlag{Name: "suite", Usage: "name of the suite, over what the file says"},
				&cli.StringFlag{Name: "experiment", Usage: "A/B test that the run is part of"},
				&cli.StringFlag{Name: "arm", Usage: "arm that was run"},
				&cli.StringFlag{Name: "phase", Usage: "training phase of the model"},
				&cli.StringFlag{Name: "run", Usage: "id of the eval run"},
			},
			Action: func(c *cli.Context) error { return evalImport(e, c) },
		}},
	}
}

type importedFile struct {
	File string `json:"file"`
	evalsql.ImportReport
}

func evalImport(e env, c *cli.Context) error {
	if !c.Args().Present() {
		return &usageError{what: "eval import: no file named", try: "weir eval import --lake DIR FILE"}
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	var imported []importedFile
	to := sendingOf(c)
	err = appendAndWait(c.Context, e, lk, to, func(ctx context.Context, out lake.Appender) error {
		for _, name := range c.Args().Slice() {
			opts := evalsql.ImportOptions{
				Format: c.String("format"), Suite: c.String("suite"), Experiment: c.String("experiment"),
				Arm: c.String("arm"), Phase: c.String("phase"), Run: c.String("run"),
				Redact: redactEvent(lk),
			}
			report, err := importFile(ctx, out, name, opts)
			if err != nil {
				return err
			}
			imported = append(imported, importedFile{File: name, ImportReport: report})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(e.stdout, imported)
	}
	var rows [][]string
	for _, file := range imported {
		var rejected int64
		for _, reason := range file.Rejected {
			rejected += reason.Rows
		}
		rows = append(rows, []string{file.File, file.Format, count(file.Results), count(file.Errors), count(file.Scenarios), count(rejected)})
	}
	printTable(e.stdout, []column{{name: "file"}, {name: "format"}, {name: "results", right: true}, {name: "errors", right: true},
		{name: "scenarios", right: true}, {name: "dead letters", right: true}}, rows)
	return nil
}

func importFile(ctx context.Context, out lake.Appender, name string, opts evalsql.ImportOptions) (evalsql.ImportReport, error) {
	file, err := os.Open(name)
	if err != nil {
		return evalsql.ImportReport{}, fmt.Errorf("eval import: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return evalsql.ImportReport{}, fmt.Errorf("eval import: %w", err)
	}
	opts.Name, opts.Time = name, info.ModTime().UTC().Truncate(time.Microsecond)
	return evalsql.Import(ctx, out, file, opts)
}
