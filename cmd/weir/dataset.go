package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/dataset"
)

func datasetCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "dataset",
		Usage:       "choose what a training set is made of, and freeze versions of it",
		Subcommands: []*cli.Command{datasetBuild(e), datasetList(e), datasetShow(e), datasetDiff(e), datasetCard(e), datasetPlan(e), datasetDefaults(e)},
	}
}

func datasetDefaults(e env) *cli.Command {
	return &cli.Command{
		Name:  "defaults",
		Usage: "print an example of datasets.yaml, or the mixture that weir brings",
		Description: "Examples:\n   weir dataset defaults > mylake/datasets.yaml\n" +
			"   weir dataset defaults --mix > mix.yaml",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "mix", Usage: "the mixture of weir dataset plan alone: the plan's targets and phases"}},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			text := dataset.DefaultDefinitions()
			if c.Bool("mix") {
				text = dataset.DefaultText()
			}
			_, err := e.stdout.Write(text)
			return err
		},
	}
}

func datasetPlan(e env) *cli.Command {
	return &cli.Command{
		Name:  "plan",
		Usage: "select examples for a mixture: quality first, then diversity",
		Description: "What is short is said, never padded; with --strict the exit code is then 3.\n\n" +
			"Examples:\n   weir dataset plan --lake mylake --phase 1\n" +
			"   weir dataset plan --lake mylake --mix mix.yaml --out members.jsonl",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(), memoryFlag(), threadsFlag(),
			&cli.StringFlag{Name: "mix", Usage: "YAML `FILE` of targets and phases; without it the plan's"},
			&cli.StringFlag{Name: "phase", Usage: "scale the targets to the size of this `PHASE` of the mixture"},
			&cli.StringFlag{Name: "out", Usage: "write the selected examples to `FILE`, a JSON object a line"},
			&cli.BoolFlag{Name: "strict", Usage: "exit with 3 if a target is not met"},
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			mix, err := dataset.DefaultMix()
			if path := c.String("mix"); path != "" {
				var text []byte
				if text, err = os.ReadFile(path); err == nil {
					mix, err = dataset.ParseMix(text)
				}
			}
			if err != nil {
				return err
			}
			if phase := c.String("phase"); phase != "" {
				if _, ok := mix.Phase(phase); !ok {
					return &usageError{what: fmt.Sprintf("dataset plan: the mixture has no phase %q", phase), try: "weir dataset plan --phase " + phaseNames(mix)}
				}
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			plan, err := dataset.MakePlan(c.Context, lk, mix, c.String("phase"), duckOptions(c))
			if err != nil {
				return err
			}
			if path := c.String("out"); path != "" {
				if err := writeRows(path, plan.Rows); err != nil {
					return err
				}
			}
			if c.Bool("json") {
				if err := printJSON(e.stdout, plan); err != nil {
					return err
				}
			} else {
				printPlan(e, plan)
			}
			if plan.Shortfall > 0 && c.Bool("strict") {
				return &problemsError{what: fmt.Sprintf("dataset plan: %s examples short", count(plan.Shortfall))}
			}
			return nil
		},
	}
}

func phaseNames(mix dataset.Mix) string {
	var names []string
	for _, p := range mix.Phases {
		names = append(names, p.Name)
	}
	return strings.Join(names, "|")
}

func writeRows(path string, rows []dataset.Row) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriter(file)
	enc := json.NewEncoder(out)
	for _, row := range rows {
		if err := enc.Encode(row); err != nil {
			return err
		}
	}
	return out.Flush()
}

func printPlan(e env, plan dataset.Plan) {
	printTargets(e, plan.Targets)
	if len(plan.Knowledge) > 0 {
		fmt.Fprintf(e.stdout, "phase %s is about: %s\n", plan.Phase, strings.Join(plan.Knowledge, ", "))
	}
	fmt.Fprintf(e.stdout, "%s of %s selected, %s short; content %.12s\n", count(plan.Selected), count(plan.Wanted), count(plan.Shortfall), plan.ContentHash)
}

func printTargets(e env, targets []dataset.TargetPlan) {
	var rows [][]string
	for _, t := range targets {
		rows = append(rows, []string{t.Target, count(t.Wanted), count(t.Available), count(t.Selected), count(t.Shortfall), count(t.Groups),
			count(t.Validation), fmt.Sprintf("%.2f", t.LeastScore), fmt.Sprintf("%.2f", t.MeanScore)})
	}
	printTable(e.stdout, []column{{name: "target"}, {name: "wanted", right: true}, {name: "available", right: true}, {name: "selected", right: true},
		{name: "short", right: true}, {name: "groups", right: true}, {name: "validation", right: true}, {name: "least score", right: true},
		{name: "mean", right: true}}, rows)
}
