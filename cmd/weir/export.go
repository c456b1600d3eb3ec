package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/dataset"
	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/exporters/upload"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/frozen"
)

func targetNames() string {
	var names []string
	for _, t := range target.All() {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

func exportCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "write the training set as a provider's files, with manifest, lineage and loss report",
		Description: "Targets: " + targetNames() + ".\n\n" +
			"Refuses while anything links training to validation. The same lake gives the same bytes; an export\n" +
			"that would not change is left alone.\n\n" +
			"With --dataset it is written from the rows that weir dataset build froze. Without, from those that\n" +
			"the funnel sends to each side now; with --as-of, as the tables were, unless someone was erased since.\n\n" +
			"The targets that end in -dpo get preference pairs: two answers to one context, and which is better.\n\n" +
			"A file that the target's limit of size or lines does not allow is divided: train-00001-of-00003.jsonl.\n\n" +
			"With --distill prompts are shortened first, by rules that go with the model: see weir distill.\n\n" +
			"For schedulers: --if-changed does nothing where tables, options and program are those that the folder\n" +
			"was made from. With --keep N, DIR holds a folder for each content and a link latest to the last; the\n" +
			"oldest beyond N go, but none that a training run is on record for. Two exports to one folder take turns.\n\n" +
			"With --upload it is copied to an S3-compatible store, the manifest last; what is there is not sent again.\n\n" +
			"With --record the export enters the lake as a dataset version with its members. From then on they and\n" +
			"their groups keep their side of the split, and weir erase tells which versions held somebody: use it\n" +
			"for what is really trained on. The same export is recorded once.\n\n" +
			"Examples:\n   weir export --lake mylake --target openai --out training\n" +
			"   weir export --lake mylake --target openai --out training --dataset agent_chat --record\n" +
			"   weir export --lake mylake --target openai --out training --as-of 2026-11-01\n" +
			"   weir export --lake mylake --target openai --out training --record\n" +
			"   weir export --lake mylake --target openai --out training --if-changed --keep 5 --json\n" +
			"   weir export --lake mylake --target openai --out training --upload s3://datasets/openai\n" +
			"   weir export --lake mylake --target trl --out training --shard-bytes 100MB --compress zstd",
		Flags: append([]cli.Flag{
			lakeFlag(), jsonFlag(), quietFlag(), memoryFlag(), threadsFlag(), asOfFlag(), brokersFlag(), waitFlag(),
			&cli.BoolFlag{Name: "record", Usage: "record it through Kafka as a dataset version"},
			&cli.StringFlag{Name: "target", Usage: "provider's `FORMAT`: " + targetNames()},
			&cli.StringFlag{Name: "dataset", Usage: "a frozen version, `NAME[@VERSION]`; without it the training set as it stands now"},
			&cli.StringFlag{Name: "out", Usage: "new `DIR`, or that of an earlier export"},
			&cli.StringFlag{Name: "model", Usage: "base `MODEL`: decides tokenizer and price"},
			&cli.IntFlag{Name: "max-tokens", Usage: "longest example, `N` tokens; 0: the target's limit and the model's"},
		}, slices.Concat(fileFlags(), scheduleFlags(), uploadFlags(), costFlags())...),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			for _, name := range []string{"target", "out"} {
				if c.String(name) == "" && (name == "out" || c.String("dataset") == "") {
					return &usageError{what: "export: --" + name + " is required", try: "weir export --target openai --out DIR"}
				}
			}
			if name := c.String("target"); name != "" {
				if _, err := target.Named(name); err != nil {
					return &usageError{what: err.Error(), try: lake.HintOf(err)}
				}
			}
			at, err := momentOf(c)
			if err != nil {
				return err
			}
			ref, err := datasetRef(c, at)
			if err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			to, err := exportTo(c, lk, ref)
			if err != nil {
				return err
			}
			opts := exporters.Options{
				Target: to.Target, Dir: c.String("out"), Model: to.Model,
				MaxTokens: to.MaxTokens, At: at, Dataset: ref, Session: duckOptions(c),
			}
			if err := withFiles(c, &opts); err != nil {
				return err
			}
			if err := withCost(c, lk, &opts); err != nil {
				return err
			}
			if err := withSchedule(e, c, &opts); err != nil {
				return err
			}
			if err := checkUpload(c); err != nil {
				return err
			}
			outcome, err := runExport(c.Context, e, lk, opts, c.Bool("quiet"))
			if err != nil {
				return err
			}
			shown := exported{Outcome: outcome}
			if c.Bool("record") {
				if shown.Recorded, err = recordExport(c.Context, e, lk, outcome.Dir, sendingOf(c)); err != nil {
					return err
				}
			}
			if c.String("upload") != "" {
				if shown.Uploaded, err = runUpload(c.Context, e, outcome.Dir, c); err != nil {
					return err
				}
			}
			if c.Bool("json") {
				return printJSON(e.stdout, shown)
			}
			if opts.IfChanged && !outcome.Changed {
				fmt.Fprintf(e.stdout, "unchanged: %s, content hash %s\n", outcome.Dir, outcome.ContentHash)
			} else {
				columns := slices.Clone(exportColumns)
				if outcome.Unit == exporters.UnitPair {
					columns[1].name = "pairs"
				}
				printTable(e.stdout, columns, exportRows(outcome.Dir, outcome.Manifest))
				printLosses(e, outcome.Manifest)
			}
			printKept(e, opts, outcome)
			printUpload(e, shown.Uploaded)
			if r := shown.Recorded; r != nil {
				how := "recorded"
				if !r.IsNew {
					how = "recorded before"
				}
				fmt.Fprintf(e.stdout, "\n%s: dataset %s, version %s, %s examples\n", how, r.Dataset, r.Version, count(r.Members))
			}
			return nil
		},
	}
}

// datasetRef reads --dataset; zero where it is not given.
func datasetRef(c *cli.Context, at duck.Moment) (frozen.Ref, error) {
	text := c.String("dataset")
	if text == "" {
		return frozen.Ref{}, nil
	}
	ref, err := frozen.ParseRef(text)
	switch {
	case err != nil:
		return ref, &usageError{what: "export: " + err.Error(), try: "weir dataset list"}
	case !at.IsNow():
		return ref, &usageError{what: "export: a dataset version is frozen: --as-of has nothing to say", try: "weir dataset list, then weir export --dataset NAME@VERSION"}
	}
	return ref, nil
}

// exportTo is what the flags say of the target, and for a dataset version what
// its definition says where they do not.
func exportTo(c *cli.Context, lk *lake.Lake, ref frozen.Ref) (dataset.ExportTo, error) {
	to := dataset.ExportTo{Target: c.String("target")}
	if ref != (frozen.Ref{}) {
		var err error
		if to, err = dataset.ExportFor(c.Context, lk, ref, to.Target, duckOptions(c)); err != nil {
			return to, err
		}
		if to.Target == "" {
			return to, &usageError{what: "export: the dataset is exported to several targets, or to none: --target says which", try: "weir dataset show " + ref.Dataset}
		}
	}
	if c.IsSet("model") {
		to.Model = c.String("model")
	}
	if c.IsSet("max-tokens") {
		to.MaxTokens = c.Int("max-tokens")
	}
	return to, nil
}

// exported is what --json shows of an export: its manifest, and what was done,
// which the file does not say.
type exported struct {
	exporters.Outcome
	Recorded *exporters.Recorded `json:"recorded,omitempty"`
	Uploaded *upload.Report      `json:"uploaded,omitempty"`
}

// recordExport makes a dataset version of an export.
func recordExport(ctx context.Context, e env, lk *lake.Lake, dir string, to sending) (*exporters.Recorded, error) {
	var recorded exporters.Recorded
	err := appendAndWait(ctx, e, lk, to, func(ctx context.Context, out lake.Appender) (err error) {
		recorded, err = exporters.Record(ctx, lk, dir, time.Now(), out.Append)
		return err
	})
	return &recorded, err
}

func runExport(ctx context.Context, e env, lk *lake.Lake, opts exporters.Options, quiet bool) (exporters.Outcome, error) {
	bar := e.progress("export", quiet)
	defer bar.done()
	opts.Progress = bar.set
	opts.Program = version()
	return exporters.Export(ctx, lk, opts)
}

var exportColumns = []column{
	{name: "file"}, {name: "examples", right: true}, {name: "dropped", right: true}, {name: "lines", right: true},
	{name: "targets", right: true}, {name: "tokens", right: true}, {name: "trained", right: true},
}

func exportRows(dir string, manifest exporters.Manifest) [][]string {
	var rows [][]string
	for _, split := range manifest.Splits {
		rows = append(rows, []string{
			filesOf(dir, manifest, split.Split), count(split.Examples), count(split.Dropped), count(split.Lines),
			count(split.Targets), count(split.Tokens), count(split.TrainedTokens),
		})
	}
	return rows
}

func printLosses(e env, manifest exporters.Manifest) {
	var rows [][]string
	for _, loss := range manifest.Losses {
		what := "changed"
		if loss.Drops {
			what = "dropped"
		}
		rows = append(rows, []string{loss.Rule, what, count(loss.Examples), loss.What})
	}
	if len(rows) > 0 {
		fmt.Fprintln(e.stdout, "\nwhat the target cannot carry")
		printTable(e.stdout, []column{{name: "rule"}, {name: "example"}, {name: "count", right: true}, {name: "why"}}, rows)
	}
	var trained, supervised int64
	for _, split := range manifest.Splits {
		trained, supervised = trained+split.TrainedTokens, supervised+split.SupervisedTokens
	}
	if trained != supervised {
		fmt.Fprintf(e.stdout, "\ntrained: %s of the %s tokens that the examples would train (%.1f %%)\n",
			count(trained), count(supervised), 100*float64(trained)/float64(max(supervised, 1)))
	}
	printCost(e, manifest)
	for _, warning := range manifest.Warnings {
		fmt.Fprintln(e.stderr, "warning:", warning)
	}
}

func validateCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "validate",
		Usage:       "check training files, weir's or not, by a provider's rules",
		ArgsUsage:   "FILE…",
		Description: "Prints file:line: what is wrong; exits with 3 if anything is. What gzip or zstd packed is unpacked.\n\nExample:\n   weir validate --target openai train.jsonl",
		Flags:       []cli.Flag{jsonFlag(), &cli.StringFlag{Name: "target", Usage: "provider's `FORMAT`: " + targetNames()}},
		Action: func(c *cli.Context) error {
			if c.String("target") == "" || !c.Args().Present() {
				return &usageError{what: "validate: --target and a file are required", try: "weir validate --target openai FILE"}
			}
			if _, err := target.Named(c.String("target")); err != nil {
				return &usageError{what: err.Error(), try: lake.HintOf(err)}
			}
			findings := []exporters.Finding{}
			err := exporters.Validate(c.String("target"), c.Args().Slice(), func(f exporters.Finding) {
				findings = append(findings, f)
			})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				if err := printJSON(e.stdout, findings); err != nil {
					return err
				}
			} else {
				for _, f := range findings {
					fmt.Fprintln(e.stdout, printable(f.String()))
				}
			}
			if len(findings) > 0 {
				return &problemsError{what: fmt.Sprintf("validate: %s findings", count(len(findings)))}
			}
			return nil
		},
	}
}
