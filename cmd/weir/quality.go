package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/transforms"
)

func qualityCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "quality",
		Usage:       "the thresholds that examples are dropped by, and how often each rule is right",
		Subcommands: []*cli.Command{qualityDefaults(e), qualitySet(e), qualityShow(e), qualityAudit(e)},
	}
}

func qualityDefaults(e env) *cli.Command {
	return &cli.Command{
		Name:        "defaults",
		Usage:       "print the thresholds that weir brings as YAML, each with its source",
		Description: "Example:\n   weir quality defaults > quality.yaml",
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			_, err := e.stdout.Write(transforms.DefaultThresholds())
			return err
		},
	}
}

func qualitySet(e env) *cli.Command {
	return &cli.Command{
		Name:      "set",
		Usage:     "set thresholds from a YAML file, as an event",
		ArgsUsage: "FILE",
		Description: "They count from the next weir transform on. What the file does not name has its default, whatever an\n" +
			"earlier file said.\n\n" +
			"Example:\n   weir quality set --lake mylake quality.yaml",
		Flags: []cli.Flag{lakeFlag(), brokersFlag(), waitFlag(), quietFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return &usageError{what: "quality set: one file", try: "weir quality set quality.yaml"}
			}
			text, err := os.ReadFile(c.Args().First())
			if err != nil {
				return err
			}
			given, err := transforms.ParseThresholds(text)
			if err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			event, err := transforms.ThresholdsEvent(given, time.Now().UTC())
			if err != nil {
				return err
			}
			to := sending{brokers: brokerList(c), wait: c.Bool("wait"), quiet: c.Bool("quiet")}
			if err := appendAndWait(c.Context, e, lk, to, func(ctx context.Context, out lake.Appender) error { return out.Append(ctx, *event) }); err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "%s thresholds set; weir transform applies them\n", count(len(given)))
			return nil
		},
	}
}

func qualityShow(e env) *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       "print the thresholds that count in a lake",
		Description: "Example:\n   weir quality show --lake mylake",
		Flags:       []cli.Flag{lakeFlag(), jsonFlag(), memoryFlag(), threadsFlag()},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			return askLake(e, c, "", "select name, value, default_value, doc, source from curated.thresholds order by name")
		},
	}
}

func qualityAudit(e env) *cli.Command {
	return &cli.Command{
		Name:  "audit",
		Usage: "how often each rule was right, by a sample that people looked at",
		Description: "Ten of the examples that a rule excludes in a source are drawn (curated.audit_sample), the same ones each\n" +
			"time. weir review export --queue audit gives them to reviewers, weir review import takes the decisions;\n" +
			"who rejects says that the rule was right.\n\n" +
			"Examples:\n   weir quality audit --lake mylake\n" +
			"   weir review export --lake mylake --queue audit --out audit.jsonl",
		Flags: []cli.Flag{lakeFlag(), jsonFlag(), memoryFlag(), threadsFlag()},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			sql, err := querySQL("rule_precision")
			if err != nil {
				return err
			}
			return askLake(e, c, "", sql)
		},
	}
}

// explain says why an example has its fate and its score.
func explain(e env, c *cli.Context, id string) error {
	sql, err := querySQL("explain_example")
	if err != nil {
		return err
	}
	return askLake(e, c, id, sql)
}

// askLake prints the answer to a query on the tables as they stand. With an
// example it is about that one, which must be there.
func askLake(e env, c *cli.Context, example, sql string) error {
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	opts := duckOptions(c)
	opts.KeepOrder = true
	session, versions, err := duck.OpenLake(c.Context, lk, opts)
	if err != nil {
		return err
	}
	defer session.Close()
	for _, table := range []string{"curated.quality", "curated.thresholds", "curated.audit_sample"} {
		if _, ok := versions[table]; !ok {
			return lake.WithHint(fmt.Errorf("%s: %w", table, lake.ErrNoTable), "weir transform --lake "+lk.Dir())
		}
	}
	if example != "" {
		found, err := session.Strings(c.Context, "select example_id from curated.funnel where starts_with(example_id, "+duck.Literal(example)+") order by 1 limit 2")
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return lake.WithHint(fmt.Errorf("there is no example %q", example), `weir query "select example_id from curated.funnel"`)
		case len(found) > 1 && !slices.Contains(found, example):
			return lake.WithHint(fmt.Errorf("several examples begin with %q", example), "give more of the id")
		}
		if err := session.Exec(c.Context, "set variable example_id = "+duck.Literal(found[0])); err != nil {
			return err
		}
	}
	result, err := session.Text(c.Context, sql, 0)
	if err != nil {
		return err
	}
	format := "table"
	if c.Bool("json") {
		format = "json"
	}
	return printResult(e, result, format)
}
