package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/dataset"
	"github.com/weir-lake/weir/distill"
	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/lake"
)

func distillCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "distill",
		Usage: "take constant text out of prompts by frozen rules, in training and in live requests",
		Subcommands: []*cli.Command{
			distillSuggest(e), distillFreeze(e), distillReport(e), distillCheck(e), distillApply(e),
		},
	}
}

func rulesFlag() cli.Flag {
	return &cli.StringFlag{Name: "rules", Usage: "distillation rules, YAML `FILE`"}
}

// loadRules reads the rules of --rules, or of the flag that is named.
func loadRules(c *cli.Context, flag string) (*distill.Rules, error) {
	path := c.String(flag)
	if path == "" {
		return nil, &usageError{what: fmt.Sprintf("%s: --%s is required", c.Command.FullName(), flag), try: "weir distill suggest --phase 2 --out rules.yaml"}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rules, err := distill.Parse(text)
	if errors.Is(err, distill.ErrNotFrozen) {
		return nil, lake.WithHint(fmt.Errorf("%s: %w", path, err), "weir distill freeze --rules "+path+", which raises its version")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rules, nil
}

func distillSuggest(e env) *cli.Command {
	return &cli.Command{
		Name:  "suggest",
		Usage: "draft rules from what agents are told",
		Description: "Takes the sections of system prompts and the tools that curated.knowledge has, of the kinds that the\n" +
			"phase of the mixture names: exactly what the model shall have learnt by then. Sections go, tools keep\n" +
			"their name and the bare types of their parameters. Texts that fewer conversations were sent than\n" +
			"--min-conversations are left alone.\n\n" +
			"Examples:\n   weir distill suggest --lake mylake --phase 2 --out rules.yaml\n" +
			"   weir distill suggest --lake mylake --kind methodology --kind tools --out -",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(), memoryFlag(), threadsFlag(),
			&cli.StringFlag{Name: "phase", Usage: "take the kinds of this `PHASE` of the mixture"},
			&cli.StringFlag{Name: "mix", Usage: "mixture, YAML `FILE`; without it the plan's"},
			&cli.StringSliceFlag{Name: "kind", Usage: "take this `KIND` of " + strings.Join(knowledgeKinds, ", ") + "; may be repeated"},
			&cli.StringFlag{Name: "name", Usage: "`NAME` of the rules; without it that of the phase"},
			&cli.Int64Flag{Name: "min-conversations", Usage: "take what at least `N` conversations were sent", Value: distill.MinConversations},
			&cli.StringFlag{Name: "out", Usage: "`FILE` to write; -: print"},
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			if c.String("out") == "" {
				return &usageError{what: "distill suggest: --out is required", try: "weir distill suggest --phase 2 --out rules.yaml"}
			}
			opts, err := suggestOptions(c)
			if err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			s, err := distill.Suggest(c.Context, lk, opts)
			if err != nil {
				return err
			}
			if c.String("out") == "-" {
				_, err := e.stdout.Write(s.File)
				return err
			}
			if err := os.WriteFile(c.String("out"), s.File, 0o644); err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, s)
			}
			var rows [][]string
			for _, r := range s.Rules {
				rows = append(rows, []string{r.ID, r.Title, count(r.TokenEstimate), count(r.SeenCount), count(r.Conversations)})
			}
			printTable(e.stdout, []column{
				{name: "rule"}, {name: "title"}, {name: "tokens", right: true}, {name: "sent", right: true}, {name: "conversations", right: true},
			}, rows)
			fmt.Fprintf(e.stdout, "\n%s rules in %s\n", count(len(s.Rules)), c.String("out"))
			return nil
		},
	}
}

// suggestOptions are the kinds that a phase or the flags name.
func suggestOptions(c *cli.Context) (distill.SuggestOptions, error) {
	opts := distill.SuggestOptions{
		Name: c.String("name"), Phase: c.String("phase"), Kinds: c.StringSlice("kind"),
		MinConversations: c.Int64("min-conversations"), Session: duckOptions(c),
	}
	for _, kind := range opts.Kinds {
		if !slices.Contains(knowledgeKinds, kind) {
			return opts, &usageError{what: fmt.Sprintf("distill suggest: there is no kind %q", kind), try: "--kind " + knowledgeKinds[0]}
		}
	}
	if opts.MinConversations < 1 {
		return opts, &usageError{what: "distill suggest: --min-conversations must be at least 1", try: "--min-conversations 2"}
	}
	if (opts.Phase == "") == (len(opts.Kinds) == 0) {
		return opts, &usageError{what: "distill suggest: one of --phase and --kind is needed", try: "weir distill suggest --phase 2 --out rules.yaml"}
	}
	if opts.Phase != "" {
		mix, err := readMix(c.String("mix"))
		if err != nil {
			return opts, err
		}
		phase, ok := mix.Phase(opts.Phase)
		if !ok {
			return opts, &usageError{what: fmt.Sprintf("distill suggest: no phase %q", opts.Phase), try: "--phase " + phaseNames(mix)}
		}
		if opts.Name == "" {
			opts.Name = mix.Name + "-phase-" + phase.Name
		}
		if !slices.Contains(phase.Knowledge, dataset.AllKnowledge) {
			opts.Kinds = phase.Knowledge
		}
	}
	if opts.Name == "" {
		opts.Name = strings.Join(opts.Kinds, "-")
	}
	return opts, nil
}

// readMix reads a mixture; without a path the plan's.
func readMix(path string) (dataset.Mix, error) {
	if path == "" {
		return dataset.DefaultMix()
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return dataset.Mix{}, err
	}
	mix, err := dataset.ParseMix(text)
	if err != nil {
		return mix, fmt.Errorf("%s: %w", path, err)
	}
	return mix, nil
}

func distillFreeze(e env) *cli.Command {
	return &cli.Command{
		Name:  "freeze",
		Usage: "give rules that were written or changed their hash and version",
		Description: "A rule's hash covers all else in it. Rules whose hash does not fit are used nowhere, so that a model is\n" +
			"never served by other rules than those it was trained with.\n\n" +
			"Example:\n   weir distill freeze --rules rules.yaml",
		Flags: []cli.Flag{rulesFlag()},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			path := c.String("rules")
			if path == "" {
				return &usageError{what: "distill freeze: --rules is required", try: "weir distill freeze --rules rules.yaml"}
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			frozen, changed, err := distill.Freeze(text)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if len(changed) == 0 {
				fmt.Fprintln(e.stdout, "all rules are frozen already")
				return nil
			}
			if err := replaceFile(path, frozen); err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "frozen: %s\n", printable(strings.Join(changed, ", ")))
			return nil
		},
	}
}

// replaceFile writes beside the file and renames, so that nobody reads half of it.
func replaceFile(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".weir-rules-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // what is left of a failure
	_, err = file.Write(text)
	if err := errors.Join(err, file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// sourceFlags say which examples are looked at, as weir export does.
func sourceFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		lakeFlag(), jsonFlag(), memoryFlag(), threadsFlag(), rulesFlag(),
		&cli.StringFlag{Name: "dataset", Usage: "a frozen version, `NAME[@VERSION]`; without it the training set as it stands now"},
	}, more...)
}

// openSource opens the lake and says which examples the flags name.
func openSource(c *cli.Context) (*lake.Lake, exporters.Options, error) {
	opts := exporters.Options{Session: duckOptions(c)}
	var err error
	if opts.Dataset, err = datasetRef(c, opts.At); err != nil {
		return nil, opts, err
	}
	lk, err := openLake(c)
	return lk, opts, err
}

func distillCheck(e env) *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "find answers that name what the rules remove, and rules whose method no answer shows",
		Description: "Named: a rule's names, that there are rules or instructions, or eight words in a row of a removed\n" +
			"methodology or rule. Shown: one of the rule's markers (shows), or the word of a judge who judged the\n" +
			"example by the rubric shows_method. Exits with 3 and the examples if anything is found.\n\n" +
			"Example:\n   weir distill check --lake mylake --rules rules.yaml",
		Flags: sourceFlags(),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			rules, err := loadRules(c, "rules")
			if err != nil {
				return err
			}
			lk, opts, err := openSource(c)
			if err != nil {
				return err
			}
			findings := []distill.Finding{}
			checked, err := distill.Check(c.Context, lk, rules, opts, func(f distill.Finding) { findings = append(findings, f) })
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = printJSON(e.stdout, struct {
					Rules    []distill.Checked `json:"rules"`
					Findings []distill.Finding `json:"findings"`
				}{checked, findings})
			} else {
				printChecked(e.stdout, checked, findings)
			}
			if err == nil && len(findings) > 0 {
				return &problemsError{what: fmt.Sprintf("distill check: %s findings", count(len(findings)))}
			}
			return err
		},
	}
}

func printChecked(w io.Writer, checked []distill.Checked, findings []distill.Finding) {
	var rows [][]string
	for _, r := range checked {
		shown, judged := "no markers", "-"
		if r.Shown != nil {
			shown = count(*r.Shown)
		}
		if r.Judged > 0 {
			judged = count(r.Passed) + " of " + count(r.Judged)
		}
		rows = append(rows, []string{r.Rule, count(r.Examples), count(r.Named), shown, judged})
	}
	printTable(w, []column{{name: "rule"}, {name: "examples", right: true}, {name: "named", right: true}, {name: "shown", right: true}, {name: "judged", right: true}}, rows)
	if len(findings) > 0 {
		fmt.Fprintln(w)
	}
	for _, f := range findings {
		fmt.Fprintln(w, printable(f.String()))
	}
}

func distillApply(e env) *cli.Command {
	return &cli.Command{
		Name:  "apply",
		Usage: "shorten live requests as the examples were that the model was trained on",
		Description: "Reads requests of OpenAI's chat completions or Responses, or of Anthropic's Messages, as JSON from\n" +
			"standard input, one or one after another, and prints each shortened, a line each. What no rule touches\n" +
			"is printed as it came. The rules are those of the export: its folder has a copy, distill.yaml.\n\n" +
			"Example:\n   weir distill apply --rules training/distill.yaml < request.json",
		Flags: []cli.Flag{
			rulesFlag(),
			&cli.StringFlag{Name: "format", Usage: "`FORMAT` of the requests: " + strings.Join(distill.Forms(), ", ") + "; without it told by each"},
			&cli.BoolFlag{Name: "strict", Usage: "exit with 3 if no rule fires on a request: its prompt is not the one that was trained away"},
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			if form := c.String("format"); form != "" && !slices.Contains(distill.Forms(), form) {
				return &usageError{what: fmt.Sprintf("distill apply: there is no format %q", form), try: "--format " + strings.Join(distill.Forms(), " or --format ")}
			}
			rules, err := loadRules(c, "rules")
			if err != nil {
				return err
			}
			return applyRules(c.Context, e, rules, c.String("format"), c.Bool("strict"))
		},
	}
}

func applyRules(ctx context.Context, e env, rules *distill.Rules, form string, strict bool) error {
	out := bufio.NewWriter(e.stdout)
	untouched := 0
	dec := json.NewDecoder(bufio.NewReaderSize(e.stdin, 1<<20))
	for n := 1; ; n++ {
		var request json.RawMessage
		if err := dec.Decode(&request); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return errors.Join(out.Flush(), fmt.Errorf("distill apply: request %d: %w", n, err))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		short, fired, err := rules.Request(request, form)
		if err != nil {
			return errors.Join(out.Flush(), fmt.Errorf("distill apply: request %d: %w", n, err))
		}
		if len(fired) == 0 {
			untouched++
			fmt.Fprintf(e.stderr, "warning: request %d: no rule fired; it goes out as it came\n", n)
		}
		out.Write(short)
		out.WriteByte('\n')
		if err := out.Flush(); err != nil { // whoever feeds requests one by one waits for each
			return err
		}
	}
	if strict && untouched > 0 {
		return &problemsError{what: fmt.Sprintf("distill apply: no rule fired on %s requests", count(untouched))}
	}
	return nil
}

// modelFor is the model of --model, or the target's own.
func modelFor(c *cli.Context) (t *target.Target, model string, err error) {
	if t, err = target.Named(c.String("target")); err != nil {
		return nil, "", &usageError{what: err.Error(), try: lake.HintOf(err)}
	}
	if model = c.String("model"); model == "" {
		model = t.Model
	}
	return t, model, nil
}
