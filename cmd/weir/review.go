package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/review"
)

func reviewCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "review",
		Usage: "have people look at a sample of the training set",
		Description: "A tenth of what would be trained or validated on is drawn (curated.review_sample). Decisions are events;\n" +
			"they count from the next weir transform on. An edited example becomes a child of what it was.",
		Subcommands: []*cli.Command{reviewExport(e), reviewImport(e), reviewStatus(e)},
	}
}

func reviewFormatFlag() cli.Flag {
	var names []string
	for _, f := range review.Formats() {
		names = append(names, f.Name)
	}
	return &cli.StringFlag{Name: "format", Usage: "`FORMAT`: " + strings.Join(names, ", "), Value: names[0]}
}

func rubricFlag() cli.Flag {
	return &cli.StringFlag{Name: "rubric", Usage: "YAML `FILE` that says what is asked; without it weir's own"}
}

func rubricOf(c *cli.Context) (review.Rubric, error) {
	path := c.String("rubric")
	if path == "" {
		return review.DefaultRubric()
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return review.Rubric{}, err
	}
	return review.ParseRubric(text)
}

func reviewFormat(c *cli.Context) (review.Format, error) {
	f, err := review.FormatNamed(c.String("format"))
	if err != nil {
		return f, &usageError{what: "review: " + err.Error(), try: "--format " + lake.HintOf(err)}
	}
	return f, nil
}

func reviewExport(e env) *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "write the review sample for reviewers or their tool",
		Description: "The items stand in the order of the draw, so that any beginning of the file is a sample too. For Label\n" +
			"Studio and Argilla a file beside it prepares the project.\n\n" +
			"Examples:\n   weir review export --lake mylake --out sample.jsonl\n" +
			"   weir review export --lake mylake --format label-studio --out tasks.json",
		Flags: []cli.Flag{
			lakeFlag(), memoryFlag(), threadsFlag(), reviewFormatFlag(), rubricFlag(),
			&cli.StringFlag{Name: "out", Usage: "`FILE` to write"},
			&cli.StringFlag{Name: "queue", Usage: "sample: of the training set; audit: of what each rule excludes", Value: review.SampleQueue},
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			queue := c.String("queue")
			if queue != review.SampleQueue && queue != review.AuditQueue {
				return &usageError{what: fmt.Sprintf("review export: there is no queue %q", queue), try: "weir review export --queue audit --out audit.jsonl"}
			}
			path := c.String("out")
			if path == "" {
				return &usageError{what: "review export: --out is required", try: "weir review export --out sample.jsonl"}
			}
			format, err := reviewFormat(c)
			if err != nil {
				return err
			}
			rubric, err := rubricOf(c)
			if err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			source, err := review.OpenSource(c.Context, lk, duckOptions(c))
			if err != nil {
				return err
			}
			defer source.Close()
			n, err := writeItems(c.Context, source, queue, format, rubric, path)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "%s items in %s\n", count(n), path)
			if format.Setup == "" {
				return nil
			}
			setup := filepath.Join(filepath.Dir(path), format.Setup)
			if err := os.WriteFile(setup, []byte(format.SetupText(rubric)), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "prepare the project with %s\n", setup)
			return nil
		},
	}
}

// writeItems writes beside the file and renames, so that a reviewer never
// opens half of it.
func writeItems(ctx context.Context, source *review.Source, queue string, format review.Format, rubric review.Rubric, path string) (n int, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".weir-review-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name()) // what is left of a failure
	items := source.Items
	if queue == review.AuditQueue {
		items = source.AuditItems
	}
	each := func(visit func(review.Item) error) error {
		return items(ctx, func(item review.Item) error {
			n++
			return visit(item)
		})
	}
	if err := format.Export(file, each, rubric); err != nil {
		file.Close()
		return 0, err
	}
	if err := file.Chmod(0o644); err != nil {
		file.Close()
		return 0, err
	}
	if err := file.Close(); err != nil {
		return 0, err
	}
	return n, os.Rename(file.Name(), path)
}

func reviewImport(e env) *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "take reviewers' decisions into the lake",
		ArgsUsage: "FILE|-",
		Description: "The same file twice decides once. What is not valid is listed, and the exit code is 3; the rest is taken.\n\n" +
			"Examples:\n   weir review import --lake mylake reviewed.jsonl\n" +
			"   weir review import --lake mylake --format label-studio project-export.json",
		Flags: []cli.Flag{lakeFlag(), brokersFlag(), waitFlag(), jsonFlag(), quietFlag(), memoryFlag(), threadsFlag(), reviewFormatFlag(), rubricFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Len() != 1 {
				return &usageError{what: "review import: one file", try: "weir review import reviewed.jsonl"}
			}
			format, err := reviewFormat(c)
			if err != nil {
				return err
			}
			rubric, err := rubricOf(c)
			if err != nil {
				return err
			}
			decisions, err := readDecisions(e, format, c.Args().First())
			if err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			source, err := review.OpenSource(c.Context, lk, duckOptions(c))
			if err != nil {
				return err
			}
			defer source.Close()
			var taken review.Taken
			to := sending{brokers: brokerList(c), wait: c.Bool("wait"), quiet: c.Bool("quiet")}
			err = appendAndWait(c.Context, e, lk, to, func(ctx context.Context, out lake.Appender) (err error) {
				taken, err = review.Take(ctx, source, out, decisions, rubric, time.Now().UTC())
				return err
			})
			if err != nil {
				return err
			}
			return printTaken(e, c, taken)
		},
	}
}

func readDecisions(e env, format review.Format, path string) ([]review.Decision, error) {
	if path == "-" {
		return format.Import(e.stdin)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	decisions, err := format.Import(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return decisions, nil
}

func printTaken(e env, c *cli.Context, taken review.Taken) error {
	if c.Bool("json") {
		if err := printJSON(e.stdout, taken); err != nil {
			return err
		}
	} else {
		printTable(e.stdout, []column{{name: "decisions", right: true}, {name: "accept", right: true}, {name: "reject", right: true},
			{name: "edit", right: true}, {name: "skip", right: true}, {name: "withdraw", right: true}, {name: "stale", right: true}},
			[][]string{{count(taken.Decisions), count(taken.Accepted), count(taken.Rejected), count(taken.Edited),
				count(taken.Skipped), count(taken.Withdrawn), count(taken.Stale)}})
		for _, problem := range taken.Problems {
			fmt.Fprintln(e.stderr, printable(problem))
		}
	}
	if n := len(taken.Problems); n > 0 {
		return &problemsError{what: fmt.Sprintf("review import: %s decisions were not taken", count(n))}
	}
	return nil
}

func reviewStatus(e env) *cli.Command {
	return &cli.Command{
		Name:        "status",
		Usage:       "say how far the review is, how well reviewers agree, and how much of the set is defective",
		Description: "Of the tables as the last weir transform left them.\n\nExample:\n   weir review status --lake mylake",
		Flags:       []cli.Flag{lakeFlag(), jsonFlag(), memoryFlag(), threadsFlag()},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			source, err := review.OpenSource(c.Context, lk, duckOptions(c))
			if err != nil {
				return err
			}
			defer source.Close()
			status, err := source.Status(c.Context)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, status)
			}
			printReviewStatus(e.stdout, status)
			return nil
		},
	}
}

func printReviewStatus(w io.Writer, status review.Status) {
	var rows [][]string
	for _, s := range status.Strata {
		rows = append(rows, []string{s.Stratum, count(s.Size), count(s.Sample), count(s.Reviewed)})
	}
	printTable(w, []column{{name: "stratum"}, {name: "examples", right: true}, {name: "drawn", right: true}, {name: "reviewed", right: true}}, rows)

	rows = nil
	for _, est := range status.Estimates {
		rate, interval := "-", "-"
		if est.Rate != nil && est.Low != nil && est.High != nil {
			rate, interval = percentText(*est.Rate), percentText(*est.Low)+" to "+percentText(*est.High)
		}
		name := est.Part
		if est.Part != "all" {
			name += " " + est.Value
		}
		rows = append(rows, []string{name, count(est.Reviewed), count(est.Defects), rate, interval, est.Warning})
	}
	fmt.Fprintln(w, "\ndefective, extrapolated to the set")
	printTable(w, []column{{name: "part"}, {name: "reviewed", right: true}, {name: "defects", right: true}, {name: "rate", right: true},
		{name: "95 %", right: true}, {name: "warning"}}, rows)

	if len(status.Reviewers) == 0 {
		return
	}
	rows = nil
	for _, r := range status.Reviewers {
		v := r.Verdicts
		rows = append(rows, []string{r.Reviewer, count(v[review.Accept]), count(v[review.Reject]), count(v[review.Edit]), count(v[review.Skip]), count(r.Stale)})
	}
	fmt.Fprintln(w)
	printTable(w, []column{{name: "reviewer"}, {name: "accept", right: true}, {name: "reject", right: true}, {name: "edit", right: true},
		{name: "skip", right: true}, {name: "stale", right: true}}, rows)

	rows = [][]string{kappaRow("all (Fleiss)", status.Agreement)}
	for _, p := range status.Pairs {
		rows = append(rows, kappaRow(p.Reviewers[0]+" and "+p.Reviewers[1]+" (Cohen)", p.Kappa))
	}
	fmt.Fprintln(w, "\nagreement: right as it is, or not")
	printTable(w, []column{{name: "reviewers"}, {name: "items", right: true}, {name: "agree", right: true}, {name: "kappa", right: true}, {name: "95 %", right: true}}, rows)
}

func kappaRow(name string, k review.Kappa) []string {
	if !k.OK {
		return []string{name, count(k.Items), "-", "-", "cannot tell yet"}
	}
	return []string{name, count(k.Items), percentText(k.Agreement), fmt.Sprintf("%.2f", k.Kappa), fmt.Sprintf("%.2f to %.2f", k.Low, k.High)}
}

func percentText(rate float64) string { return fmt.Sprintf("%.1f %%", 100*rate) }
