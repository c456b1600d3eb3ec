package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/ingest/synth"
)

func synthCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "synth",
		Usage: "write a made-up fleet's logs, with the truth about what was planted",
		Description: "The same seed and size give the same bytes. From some 600 events on, everything is planted:\n" +
			"duplicates, failures, conflicts, secrets, broken lines. truth.jsonl says where.\n\n" +
			"With --examples it is no fleet but a corpus: so many examples of about 2 KB, half of them sound, the rest\n" +
			"copies, variations, faults and tool transcripts that share schema and template, each with its line of truth.\n\n" +
			"Examples:\n   weir synth --seed 7 --events 100000 --out fleet\n   weir synth --seed 7 --examples 100000 --out corpus",
		Flags: []cli.Flag{
			&cli.Uint64Flag{Name: "seed", Usage: "one `N`, one fleet", Value: 1},
			&cli.Int64Flag{Name: "events", Usage: "about `N` log records", Value: 800},
			&cli.Int64Flag{Name: "examples", Usage: "write a corpus of `N` examples instead"},
			&cli.StringFlag{Name: "out", Usage: "empty or new `DIR`"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			if c.String("out") == "" {
				return &usageError{what: "synth: --out is required", try: "weir synth --out fleet"}
			}
			if c.IsSet("events") && c.IsSet("examples") {
				return &usageError{what: "synth: --events makes a fleet, --examples a corpus", try: "weir synth --examples 10000 --out corpus"}
			}
			var summary synth.Summary
			var err error
			if c.IsSet("examples") {
				summary, err = synth.WriteCorpus(c.Context, c.String("out"), synth.CorpusOptions{Seed: c.Uint64("seed"), Examples: c.Int64("examples")})
			} else {
				summary, err = synth.Write(c.Context, c.String("out"), synth.Options{Seed: c.Uint64("seed"), Events: c.Int64("events")})
			}
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, summary)
			}
			var rows [][]string
			for _, format := range summary.Formats {
				rows = append(rows, []string{format.Name, count(format.Records)})
			}
			printTable(e.stdout, []column{{name: "format"}, {name: "records", right: true}}, rows)
			fmt.Fprintf(e.stdout, "%s records in %s files, %s\n", count(summary.Records), count(summary.Files), bytesText(summary.Bytes))
			return nil
		},
	}
}
