package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/registry"
)

func modelCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "model",
		Usage: "the models that training runs made: list, decide, package, check",
		Description: "A model is named by an alias that it bears (production), its own name, or its run's or job's id.\n" +
			"With --brokers a weir sink has to run: what is in the lake is what is decided on.",
		Subcommands: []*cli.Command{modelList(e), modelShow(e), modelPromote(e), modelRetire(e), modelWeights(e), modelPackage(e), modelCheck(e)},
	}
}

func modelList(e env) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list the models: from what, how good, at what price, and what was decided",
		Description: "Without --all only runs that made a model. weir query models asks the same of the tables as last built.\n\n" +
			"Example:\n   weir model list --lake mylake",
		Flags: []cli.Flag{lakeFlag(), jsonFlag(), &cli.BoolFlag{Name: "all", Usage: "runs that made none as well"}},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			all, err := registry.Models(c.Context, lk)
			if err != nil {
				return err
			}
			shown := []registry.Model{}
			for _, m := range all {
				if c.Bool("all") || m.Standing != "none" {
					shown = append(shown, m)
				}
			}
			if c.Bool("json") {
				return printJSON(e.stdout, shown)
			}
			printModels(e, shown)
			if more := len(all) - len(shown); more > 0 {
				fmt.Fprintf(e.stderr, "and %s that made no model: --all\n", runCount(more))
			}
			return nil
		},
	}
}

func runCount(n int) string {
	if n == 1 {
		return "1 run"
	}
	return count(n) + " runs"
}

func printModels(e env, models []registry.Model) {
	var rows [][]string
	for _, m := range models {
		evals := "-"
		if m.EvalResults > 0 {
			evals = fmt.Sprintf("%s/%s", count(m.EvalPassed), count(m.EvalResults))
		}
		standing := m.Standing
		switch {
		case len(m.Aliases) > 0:
			standing = strings.Join(m.Aliases, ", ")
		case standing == "none":
			standing = m.Status
		}
		rows = append(rows, []string{
			m.Name(), m.BaseModel, datasetName(m.Dataset, m.DatasetVersion), standing, numberText(m.BestEvalLoss, "%.3f"), evals,
			numberText(m.CostUSD, "$%.2f"), strings.Join(m.Taints, ", "),
		})
	}
	printTable(e.stdout, []column{
		{name: "model"}, {name: "base"}, {name: "dataset"}, {name: "standing"}, {name: "eval loss", right: true}, {name: "evals", right: true},
		{name: "cost", right: true}, {name: "tainted"},
	}, rows)
}

// datasetName is a version as people name it.
func datasetName(dataset, version string) string {
	if dataset == "" {
		return ""
	}
	return dataset + "@" + version[:min(len(version), 8)]
}

func numberText(x *float64, format string) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf(format, *x)
}

func modelShow(e env) *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       "show all that is on record of a model",
		ArgsUsage:   "MODEL",
		Description: "Example:\n   weir model show --lake mylake production",
		Flags:       []cli.Flag{lakeFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			name, err := oneModel(c)
			if err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			m, err := registry.Find(c.Context, lk, name)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, m)
			}
			printModel(e, m)
			return nil
		},
	}
}

func oneModel(c *cli.Context) (string, error) {
	if c.Args().Len() != 1 {
		return "", &usageError{what: c.Command.FullName() + ": name one model", try: "weir " + c.Command.FullName() + " MODEL, one of weir model list"}
	}
	return c.Args().First(), nil
}

// printModel prints what is known, a line each.
func printModel(e env, m registry.Model) {
	var rows [][]string
	say := func(name, text string) {
		if text != "" && text != "-" {
			rows = append(rows, []string{name, text})
		}
	}
	say("model", m.ResultModel)
	say("standing", strings.TrimSpace(m.Standing+" "+strings.Join(m.Aliases, ", ")))
	if m.DecidedAt != nil {
		say("decided", fmt.Sprintf("%s by %s: %s", m.DecidedAt.Format(time.DateOnly), m.DecidedBy, m.Reason))
	}
	say("tainted", strings.Join(m.Taints, ", "))
	say("base", m.BaseModel)
	say("run", m.RunID)
	say("job", strings.TrimSpace(m.Provider+" "+m.JobID))
	say("status", m.Status)
	say("error", m.Error)
	if m.Dataset != "" {
		say("dataset", m.Dataset+"@"+m.DatasetVersion)
	}
	if m.Examples != nil {
		say("examples", count(*m.Examples))
	}
	say("dataset hash", m.DatasetHash)
	say("export hash", m.ExportHash)
	say("distillation", m.DistillHash)
	say("method", strings.TrimSpace(m.Method+" "+m.Phase))
	say("plan", m.Plan)
	say("config", string(m.Config))
	say("final loss", numberText(m.FinalLoss, "%.4f"))
	say("best eval loss", numberText(m.BestEvalLoss, "%.4f"))
	if m.EvalResults > 0 {
		say("evals", fmt.Sprintf("%s of %s passed", count(m.EvalPassed), count(m.EvalResults)))
	}
	if m.TrainedTokens != nil {
		say("tokens", count(*m.TrainedTokens))
	}
	say("cost", numberText(m.CostUSD, "$%.2f"))
	if m.DurationS != nil {
		say("took", (time.Duration(*m.DurationS) * time.Second).String())
	}
	for _, moment := range []struct {
		name string
		at   *time.Time
	}{{"planned", m.PlannedAt}, {"started", m.StartedAt}, {"finished", m.FinishedAt}} {
		if moment.at != nil {
			say(moment.name, moment.at.Format(time.RFC3339))
		}
	}
	if m.Checkpoints > 0 {
		say("checkpoints", fmt.Sprintf("%s, the last: %s", count(m.Checkpoints), m.LastCheckpoint))
	}
	say("weights", m.Weights)
	say("weights hash", m.WeightsHash)
	if m.KeepUntil != nil {
		say("keep until", m.KeepUntil.Format(time.DateOnly))
	}
	for _, row := range rows {
		fmt.Fprintf(e.stdout, "%-14s  %s\n", row[0], fit(printable(row[1]), maxWidth-16))
	}
}

// decisionFlags are on the commands that decide.
func decisionFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		lakeFlag(), brokersFlag(), jsonFlag(), quietFlag(),
		&cli.StringFlag{Name: "reason", Usage: "why; required"},
		&cli.StringFlag{Name: "by", Usage: "who decides", EnvVars: []string{"WEIR_USER", "USER"}},
	}, more...)
}

func modelPromote(e env) *cli.Command {
	return &cli.Command{
		Name:      "promote",
		Usage:     "let an alias name a model; the one that bore it is superseded",
		ArgsUsage: "MODEL",
		Description: "The decision is an event, with its reason: nothing is changed in place, and the one before can be promoted\n" +
			"again. Only a model whose run has succeeded can be promoted; a tainted one needs --force.\n\n" +
			"Example:\n   weir model promote --lake mylake ft:gpt-4o-mini:weir:weir-0f3c --reason 'passed all gates of suite coordination'",
		Flags: decisionFlags(
			&cli.StringFlag{Name: "alias", Usage: "the `NAME` that clients use", Value: registry.DefaultAlias},
			&cli.BoolFlag{Name: "force", Usage: "although it is tainted"},
		),
		Action: func(c *cli.Context) error {
			lk, d, err := decision(e, c)
			if err != nil {
				return err
			}
			d.Alias, d.Force = c.String("alias"), c.Bool("force")
			m, before, err := registry.Promote(c.Context, lk, modelSend(e, c, lk), d)
			if err := said(e, err); err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, m)
			}
			if err == nil {
				fmt.Fprintf(e.stdout, "%s is %s now", d.Alias, printable(m.Name()))
				if before.RunID != "" {
					fmt.Fprintf(e.stdout, "; it was %s", printable(before.Name()))
				}
				fmt.Fprintln(e.stdout)
			}
			return nil
		},
	}
}

func modelRetire(e env) *cli.Command {
	return &cli.Command{
		Name:        "retire",
		Usage:       "take a model out of use: no alias names it any more",
		ArgsUsage:   "MODEL",
		Description: "Example:\n   weir model retire --lake mylake production --reason 'rude to customers: ticket 4711'",
		Flags:       decisionFlags(),
		Action: func(c *cli.Context) error {
			lk, d, err := decision(e, c)
			if err != nil {
				return err
			}
			m, err := registry.Retire(c.Context, lk, modelSend(e, c, lk), d)
			if err := said(e, err); err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, m)
			}
			if err == nil {
				fmt.Fprintf(e.stdout, "%s is retired\n", printable(m.Name()))
			}
			return nil
		},
	}
}

// said lets pass what is so already, for a command that is given twice.
func said(e env, err error) error {
	if errors.Is(err, registry.ErrDecided) {
		fmt.Fprintln(e.stderr, err)
		return nil
	}
	return err
}

// decision reads what both commands take, once the lake holds what was sent.
func decision(e env, c *cli.Context) (*lake.Lake, registry.Decision, error) {
	name, err := oneModel(c)
	if err != nil {
		return nil, registry.Decision{}, err
	}
	for _, flag := range []string{"reason", "by"} {
		if strings.TrimSpace(c.String(flag)) == "" {
			return nil, registry.Decision{}, &usageError{
				what: c.Command.FullName() + ": --" + flag + " is required", try: "weir " + c.Command.FullName() + " " + name + " --reason TEXT --by NAME",
			}
		}
	}
	lk, err := openLake(c)
	if err != nil {
		return nil, registry.Decision{}, err
	}
	if err := settleLake(c.Context, e, lk, trainSending(c)); err != nil {
		return nil, registry.Decision{}, err
	}
	return lk, registry.Decision{Model: name, Reason: c.String("reason"), By: c.String("by"), At: time.Now()}, nil
}

// modelSend sends events and returns when they are in the lake.
func modelSend(e env, c *cli.Context, lk *lake.Lake) registry.Send {
	redact := redactEvent(lk)
	return func(ctx context.Context, events ...lake.Event) error {
		for i := range events {
			redact(&events[i])
		}
		return appendAndWait(ctx, e, lk, trainSending(c), func(ctx context.Context, out lake.Appender) error { return out.Append(ctx, events...) })
	}
}
