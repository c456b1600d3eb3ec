package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/dataset"
	"github.com/weir-lake/weir/lake/frozen"
)

func datasetList(e env) *cli.Command {
	return &cli.Command{
		Name:      "list",
		Usage:     "list the versions that were built",
		ArgsUsage: "[NAME]",
		Description: "Rows are current (datasets.NAME shows them), kept (time travel reaches them) or gone (weir dataset build\n" +
			"NAME --version V makes them again).\n\nExamples:\n   weir dataset list --lake mylake\n   weir dataset list agent_chat --json",
		Flags: []cli.Flag{lakeFlag(), jsonFlag(), memoryFlag(), threadsFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return &usageError{what: "dataset list: one NAME at most", try: "weir dataset list NAME"}
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			list, err := dataset.List(c.Context, lk, c.Args().First(), duckOptions(c))
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, list)
			}
			if len(list) == 0 {
				fmt.Fprintln(e.stderr, "no version was built: weir dataset build NAME")
				return nil
			}
			printVersions(e, list)
			return nil
		},
	}
}

func printVersions(e env, list []dataset.Listed) {
	var rows [][]string
	for _, v := range list {
		held := count(v.Held)
		if v.Held != v.Members {
			held += " of " + count(v.Members)
		}
		var exports []string
		for _, to := range v.Exports {
			exports = append(exports, to.Target)
		}
		rows = append(rows, []string{v.Dataset, v.Version, v.RecordedAt, held, count(v.Manifest.Sides["train"]), count(v.Manifest.Sides["validation"]),
			string(v.Rows), strings.Join(exports, ", ")})
	}
	printTable(e.stdout, []column{{name: "dataset"}, {name: "version"}, {name: "built"}, {name: "members", right: true}, {name: "train", right: true},
		{name: "validation", right: true}, {name: "rows"}, {name: "exports"}}, rows)
}

// refOf reads NAME[@VERSION] from an argument.
func refOf(command, text string) (frozen.Ref, error) {
	ref, err := frozen.ParseRef(text)
	if err != nil {
		return ref, &usageError{what: command + ": " + err.Error(), try: "weir dataset list"}
	}
	return ref, nil
}

func datasetShow(e env) *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       "show how a version came about, and where it went",
		ArgsUsage:   "NAME[@VERSION]",
		Description: "A version may be given by its first characters.\n\nExamples:\n   weir dataset show agent_chat --lake mylake\n   weir dataset show agent_chat@3f9a --json",
		Flags:       []cli.Flag{lakeFlag(), jsonFlag(), memoryFlag(), threadsFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return &usageError{what: "dataset show: one NAME[@VERSION] is required", try: "weir dataset list"}
			}
			ref, err := refOf("dataset show", c.Args().First())
			if err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			v, err := dataset.Show(c.Context, lk, ref, duckOptions(c))
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, v)
			}
			return printVersion(e, v)
		},
	}
}

func printVersion(e env, v dataset.Listed) error {
	m := v.Manifest
	var targets []dataset.TargetPlan
	if err := json.Unmarshal(m.Targets, &targets); err != nil {
		return fmt.Errorf("dataset show: %w", err)
	}
	var definition dataset.Definition
	if err := json.Unmarshal(m.Definition, &definition); err != nil {
		return fmt.Errorf("dataset show: %w", err)
	}
	fmt.Fprintf(e.stdout, "%s, built %s, rows %s\n", v.Ref, v.RecordedAt, v.Rows)
	if definition.About != "" {
		fmt.Fprintln(e.stdout, printable(definition.About))
	}
	fmt.Fprintf(e.stdout, "content     %s\ndefinition  %s\n", m.ContentHash, m.DefinitionHash)
	if m.Phase != "" {
		fmt.Fprintf(e.stdout, "phase       %s\n", printable(m.Phase))
	}
	fmt.Fprintf(e.stdout, "members     %s (%s)\n", count(v.Members), sidesText(m.Sides))
	if gone := v.Members - v.Held; gone > 0 {
		fmt.Fprintf(e.stdout, "erased      %s of them since\n", count(gone))
	}
	fmt.Fprintf(e.stdout, "leaks       %s\n\n", count(m.Leaks.Total))
	printTargets(e, targets)
	fmt.Fprintf(e.stdout, "\nof the %s examples of the lake\n", count(m.Examples))
	var rows [][]string
	for _, fate := range m.Fates {
		rows = append(rows, []string{fate.Fate, fate.Reason, count(fate.Examples)})
	}
	printTable(e.stdout, []column{{name: "fate"}, {name: "reason"}, {name: "examples", right: true}}, rows)
	if len(v.Exports) > 0 {
		fmt.Fprintln(e.stdout, "\nexported")
		rows = nil
		for _, to := range v.Exports {
			rows = append(rows, []string{to.Target, to.Version, to.ContentHash[:min(12, len(to.ContentHash))], to.RecordedAt})
		}
		printTable(e.stdout, []column{{name: "target"}, {name: "recorded as"}, {name: "files"}, {name: "when"}}, rows)
	}
	for _, warning := range m.Warnings {
		fmt.Fprintln(e.stderr, "warning:", warning)
	}
	return nil
}

func datasetDiff(e env) *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "what differs between two versions, and why",
		ArgsUsage: "A B",
		Description: "A and B are NAME@VERSION, or NAME for what its table shows. Why a member is not in a version is read from\n" +
			"the tables that the version was selected from, else, where those were vacuumed, from those of now.\n" +
			"With --json every member that differs.\n\nExamples:\n   weir dataset diff agent_chat@3f9a0c12be44 agent_chat --lake mylake",
		Flags: []cli.Flag{lakeFlag(), jsonFlag(), memoryFlag(), threadsFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return &usageError{what: "dataset diff: two of NAME[@VERSION] are required", try: "weir dataset list"}
			}
			var refs [2]frozen.Ref
			for i := range refs {
				var err error
				if refs[i], err = refOf("dataset diff", c.Args().Get(i)); err != nil {
					return err
				}
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			diff, err := dataset.MakeDiff(c.Context, lk, refs[0], refs[1], duckOptions(c))
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, diff)
			}
			printDiff(e, diff)
			return nil
		},
	}
}

func printDiff(e env, d dataset.Diff) {
	var rows [][]string
	for _, why := range d.Whys {
		rows = append(rows, []string{string(why.Kind), count(why.Count), why.Why})
	}
	if len(rows) > 0 {
		printTable(e.stdout, []column{{name: "change"}, {name: "members", right: true}, {name: "why"}}, rows)
	}
	fmt.Fprintf(e.stdout, "%s to %s: %s added, %s removed, %s changed, %s moved, %s the same\n", d.A, d.B,
		count(d.Counts[dataset.Added]), count(d.Counts[dataset.Removed]), count(d.Counts[dataset.Changed]), count(d.Counts[dataset.Moved]), count(d.Same))
	for _, erased := range []struct {
		ref frozen.Ref
		n   int64
	}{{d.A, d.ErasedA}, {d.B, d.ErasedB}} {
		if erased.n > 0 {
			fmt.Fprintf(e.stdout, "%s members of %s were erased since, and are in no count\n", count(erased.n), erased.ref)
		}
	}
}

func datasetCard(e env) *cli.Command {
	return &cli.Command{
		Name:      "card",
		Usage:     "write a version's dataset card, in the form of the Hugging Face Hub",
		ArgsUsage: "NAME[@VERSION]",
		Description: "README.md, and its figures as SVG. Every export has one of its own, with tokens, files and losses.\n\n" +
			"Examples:\n   weir dataset card agent_chat --lake mylake\n   weir dataset card agent_chat --lake mylake --out card",
		Flags: []cli.Flag{lakeFlag(), memoryFlag(), threadsFlag(), &cli.StringFlag{Name: "out", Usage: "write README.md and figures into `DIR`; without it, the text to stdout"}},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return &usageError{what: "dataset card: one NAME[@VERSION] is required", try: "weir dataset list"}
			}
			ref, err := refOf("dataset card", c.Args().First())
			if err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			made, err := dataset.MakeCard(c.Context, lk, ref, duckOptions(c))
			if err != nil {
				return err
			}
			if dir := c.String("out"); dir != "" {
				return made.Write(dir)
			}
			files, err := made.Render()
			if err != nil {
				return err
			}
			_, err = e.stdout.Write(files[0].Text)
			return err
		},
	}
}
