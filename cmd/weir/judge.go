package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/augment/judge"
	"github.com/weir-lake/weir/lake"
)

func judgeCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "judge",
		Usage: "have a language model score examples by a rubric, as events",
		Description: "Rubrics: " + strings.Join(judge.Names(), ", ") + ", or a YAML file.\n\n" + modelHelp +
			"A reply that cannot be read is a judgement without a score. Each example is judged once by a rubric's\n" +
			"version and a model; --retry-failures asks again where there is no score. Afterwards: weir transform.\n\n" +
			"Examples:\n   weir judge --lake mylake --rubric helpfulness --model gpt-4o-mini --limit 200 --max-usd 1\n" +
			"   weir judge --lake mylake --rubric constitutional --document constitution.md --model gpt-4o-mini --dry-run",
		Flags: append(modelFlags(),
			&cli.StringFlag{Name: "rubric", Usage: "`NAME` or file"},
			&cli.StringFlag{Name: "document", Usage: "`FILE` with the principles to judge by"},
			&cli.Int64Flag{Name: "seed", Usage: "which examples a limit takes", Value: 1},
			&cli.Int64Flag{Name: "limit", Usage: "judge at most `N` examples; 0: all"},
			&cli.BoolFlag{Name: "generated", Usage: "judge only what was generated"},
			&cli.BoolFlag{Name: "retry-failures", Usage: "ask again where there is no score"},
		),
		Action: func(c *cli.Context) error { return runJudge(e, c) },
	}
}

func runJudge(e env, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	if c.String("rubric") == "" || c.String("model") == "" {
		return &usageError{what: "judge: --rubric and --model are required", try: "weir judge --rubric helpfulness --model NAME"}
	}
	rubric, err := judge.Load(c.String("rubric"))
	if err != nil {
		return err
	}
	if name := c.String("document"); name != "" {
		document, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("judge: %w", err)
		}
		rubric = rubric.WithDocument(string(document))
	}
	price, err := priceOf(c)
	if err != nil {
		return err
	}
	client, err := modelClient(e, c, price)
	if err != nil {
		return err
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	bar := e.progress("judge", c.Bool("quiet"))
	defer bar.done()
	opts := judge.Options{
		Rubric: rubric, Client: client, Model: c.String("model"), Seed: c.Int64("seed"), Limit: c.Int64("limit"),
		Generated: c.Bool("generated"), RetryFailures: c.Bool("retry-failures"), Workers: c.Int("workers"), DryRun: c.Bool("dry-run"),
		Price: price, Redact: redactEvent(lk), Progress: bar.set, Session: duckOptions(c),
	}
	to := sending{brokers: brokerList(c), wait: c.Bool("wait"), quiet: c.Bool("quiet")}
	var report judge.Report
	err = appendAfterDrain(c.Context, e, lk, to, func(ctx context.Context, out lake.Appender) (err error) {
		report, err = judge.Run(ctx, lk, out, opts)
		return err
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(e.stdout, report)
	}
	var failed int64
	for _, n := range report.Failed {
		failed += n
	}
	judged := "judged"
	if opts.DryRun {
		judged = "planned"
	}
	printTable(e.stdout, []column{{name: "rubric"}, {name: "version"}, {name: judged, right: true}, {name: "passed", right: true}, {name: "no score", right: true}},
		[][]string{{report.Rubric, report.Version, count(report.Judged), count(report.Passed), count(failed)}})
	for _, reason := range slices.Sorted(maps.Keys(report.Failed)) {
		fmt.Fprintf(e.stdout, "no score: %s (%s)\n", reason, count(report.Failed[reason]))
	}
	printSpent(e, report.Spent, opts.DryRun)
	if report.Stopped != "" {
		fmt.Fprintln(e.stderr, "stopped:", report.Stopped)
	}
	return nil
}
