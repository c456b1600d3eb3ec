package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/train"
)

func trainCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "train",
		Usage:       "have models trained, and keep on record what became of it",
		Description: "With --brokers a weir sink has to run: what is in the lake decides what may be sent.",
		Subcommands: []*cli.Command{trainSubmit(e), trainWatch(e), trainCancel(e), trainList(e), trainRecord(e), trainPlan(e), trainConfig(e)},
	}
}

const trainKeyHelp = "The key comes from the environment: OPENAI_API_KEY, TOGETHER_API_KEY, MISTRAL_API_KEY, AZURE_OPENAI_API_KEY (and\n" +
	"AZURE_OPENAI_ENDPOINT), FIREWORKS_API_KEY (and FIREWORKS_ACCOUNT_ID). With a base URL of your own (--base-url or\n" +
	"WEIR_TRAIN_URL, with the version; at Fireworks with /accounts/ACCOUNT) it is WEIR_TRAIN_KEY, and the others are\n" +
	"not sent there.\n\n"

// trainFlags are on the commands that talk to a provider.
func trainFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		lakeFlag(), brokersFlag(), jsonFlag(), quietFlag(),
		&cli.StringFlag{Name: "base-url", Usage: "`URL` of the job API, with its version", EnvVars: []string{"WEIR_TRAIN_URL"}},
		pricesFlag(),
		&cli.DurationFlag{Name: "poll", Usage: "look this often", Value: 20 * time.Second},
	}, more...)
}

func trainSubmit(e env) *cli.Command {
	return &cli.Command{
		Name:  "submit",
		Usage: "send an export to a provider and order a job",
		Description: "The export is recorded as a dataset version (as weir export --record does) and the run as planned before\n" +
			"anything is sent. A submission that was cut short is gone on with by the same command: files and job are\n" +
			"looked for first. The same once more needs --again.\n\n" + trainKeyHelp +
			"Examples:\n   weir train submit --lake mylake --export training --provider openai --model gpt-4o-mini-2024-07-18\n" +
			"   weir train submit --lake mylake --export training --provider openai --model gpt-4o-mini-2024-07-18 \\\n" +
			"       --epochs 2 --max-cost 20 --watch",
		Flags: trainFlags(
			&cli.StringFlag{Name: "export", Usage: "`DIR` that weir export wrote"},
			&cli.StringFlag{Name: "provider", Usage: "`NAME`: " + jobAPINames(), Value: "openai"},
			&cli.StringFlag{Name: "model", Usage: "base `MODEL`, as the provider calls it"},
			&cli.StringFlag{Name: "method", Usage: "`METHOD`: sft or dpo", Value: "sft"},
			&cli.StringFlag{Name: "phase", Usage: "training `PHASE` of your plan; a label"},
			&cli.StringFlag{Name: "plan", Usage: "`NAME` of the planned run that it carries out: see train plan"},
			&cli.StringFlag{Name: "suffix", Usage: "`TEXT` for the resulting model's name"},
			&cli.Int64Flag{Name: "epochs", Usage: "`N`; without it the provider decides"},
			&cli.Int64Flag{Name: "batch-size", Usage: "`N`; without it the provider decides"},
			&cli.Float64Flag{Name: "learning-rate", Usage: "`RATE`; OpenAI and Azure: a multiplier of their own"},
			&cli.Int64Flag{Name: "lora-rank", Usage: "`N`, where the provider has it"},
			&cli.Int64Flag{Name: "seed", Usage: "`N`; without it the provider decides"},
			&cli.Float64Flag{Name: "max-cost", Usage: "refuse what may cost more than `USD`; needs --epochs and a price"},
			&cli.BoolFlag{Name: "again", Usage: "order what was ordered before once more"},
			&cli.BoolFlag{Name: "watch", Usage: "stay until it has ended"},
		),
		Action: func(c *cli.Context) error { return runTrainSubmit(e, c) },
	}
}

func runTrainSubmit(e env, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	for _, name := range []string{"export", "model"} {
		if c.String(name) == "" {
			return &usageError{what: "train submit: --" + name + " is required", try: "weir train submit --export DIR --model MODEL"}
		}
	}
	if c.IsSet("max-cost") && c.Float64("max-cost") <= 0 {
		return &usageError{what: "train submit: --max-cost: want more than 0", try: "weir train submit --max-cost 20"}
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	trainer, err := trainerOf(e, c, lk, c.String("provider"), c.String("model"))
	if err != nil {
		return err
	}
	// What earlier commands sent must be in the lake before it is asked.
	if err := settleLake(c.Context, e, lk, trainSending(c)); err != nil {
		return err
	}
	version, err := recordExport(c.Context, e, lk, c.String("export"), trainSending(c))
	if err != nil {
		return err
	}
	run, err := trainer.Submit(c.Context, train.Plan{
		Export: c.String("export"), Dataset: version.Dataset, DatasetVersion: version.Version, DatasetHash: version.ContentHash,
		Model: c.String("model"), Method: c.String("method"), Phase: c.String("phase"), Suffix: c.String("suffix"), Planned: c.String("plan"),
		Hyper: train.Hyper{
			Epochs: int64Of(c, "epochs"), BatchSize: int64Of(c, "batch-size"), LearningRate: float64Of(c, "learning-rate"),
			LoRARank: int64Of(c, "lora-rank"), Seed: int64Of(c, "seed"),
		},
		MaxUSD: c.Float64("max-cost"), Again: c.Bool("again"),
	})
	switch {
	case errors.Is(err, train.ErrNoEstimate):
		return lake.WithHint(err, "--epochs N, and --prices FILE where the built-in table has no price")
	case err != nil:
		return err
	case c.Bool("watch"):
		return watchRun(e, c, trainer, run, false)
	}
	return showRun(e, c, run)
}

func trainWatch(e env) *cli.Command {
	return &cli.Command{
		Name:      "watch",
		Usage:     "record a run's states, events, checkpoints, metrics and cost until it has ended",
		ArgsUsage: "RUN|JOB",
		Description: "May be stopped and begun again at any time: what is on record is not recorded twice. Exits with 3 if the\n" +
			"run failed or was cancelled.\n\n" + trainKeyHelp + "Example:\n   weir train watch --lake mylake 0f3c…",
		Flags: trainFlags(&cli.BoolFlag{Name: "once", Usage: "look once and return"}),
		Action: func(c *cli.Context) error {
			trainer, run, err := runNamed(e, c)
			if err != nil {
				return err
			}
			return watchRun(e, c, trainer, run, c.Bool("once"))
		},
	}
}

func trainCancel(e env) *cli.Command {
	return &cli.Command{
		Name:        "cancel",
		Usage:       "ask the provider to stop a run, and record what is so then",
		ArgsUsage:   "RUN|JOB",
		Description: trainKeyHelp + "Example:\n   weir train cancel --lake mylake 0f3c…",
		Flags:       trainFlags(),
		Action: func(c *cli.Context) error {
			trainer, run, err := runNamed(e, c)
			if err != nil {
				return err
			}
			if run, err = trainer.Cancel(c.Context, run); err != nil {
				return err
			}
			return showRun(e, c, run)
		},
	}
}

func trainList(e env) *cli.Command {
	return &cli.Command{
		Name:        "list",
		Usage:       "list the training runs that the lake has on record",
		Description: "Example:\n   weir train list --lake mylake",
		Flags:       []cli.Flag{lakeFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			runs, err := train.Runs(c.Context, lk)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, runs)
			}
			printRuns(e, runs)
			return nil
		},
	}
}

// watchRun stays with a run; one that did not succeed is a problem found.
func watchRun(e env, c *cli.Context, trainer *train.Trainer, run train.Run, once bool) error {
	run, err := trainer.Watch(c.Context, run, once)
	if err != nil {
		return err
	}
	if err := showRun(e, c, run); err != nil {
		return err
	}
	if run.State == train.Failed || run.State == train.Cancelled {
		what := fmt.Sprintf("train: run %s has %s", run.RunID, run.State)
		if run.State == train.Cancelled {
			what = fmt.Sprintf("train: run %s was cancelled", run.RunID)
		}
		if run.Error != "" {
			what += ": " + printable(run.Error)
		}
		return &problemsError{what: what}
	}
	return nil
}

// runNamed is the run that the command line names, and a trainer of its
// provider.
func runNamed(e env, c *cli.Context) (*train.Trainer, train.Run, error) {
	if c.Args().Len() != 1 {
		name := c.Command.Name
		return nil, train.Run{}, &usageError{what: "train " + name + ": name one run", try: "weir train " + name + " RUN"}
	}
	lk, err := openLake(c)
	if err != nil {
		return nil, train.Run{}, err
	}
	if err := settleLake(c.Context, e, lk, trainSending(c)); err != nil {
		return nil, train.Run{}, err
	}
	run, err := train.Find(c.Context, lk, c.Args().First())
	if err != nil {
		return nil, run, err
	}
	trainer, err := trainerOf(e, c, lk, run.Provider, run.BaseModel)
	return trainer, run, err
}

// trainSending waits: what is on record decides what may be sent.
func trainSending(c *cli.Context) sending {
	to := sendingOf(c)
	to.wait = true
	return to
}

// settleLake takes what the embedded broker still holds into the lake.
func settleLake(ctx context.Context, e env, lk *lake.Lake, to sending) error {
	if len(to.brokers) > 0 {
		return nil
	}
	return appendAndWait(ctx, e, lk, to, func(context.Context, lake.Appender) error { return nil })
}

func int64Of(c *cli.Context, name string) *int64 {
	if !c.IsSet(name) {
		return nil
	}
	n := c.Int64(name)
	return &n
}

func float64Of(c *cli.Context, name string) *float64 {
	if !c.IsSet(name) {
		return nil
	}
	x := c.Float64(name)
	return &x
}

func showRun(e env, c *cli.Context, run train.Run) error {
	if c.Bool("json") {
		return printJSON(e.stdout, run)
	}
	printRuns(e, []train.Run{run})
	return nil
}

func printRuns(e env, runs []train.Run) {
	var rows [][]string
	for _, r := range runs {
		cost, tokens, model := "-", "-", r.BaseModel
		if r.CostUSD != nil {
			cost = fmt.Sprintf("$%.2f", *r.CostUSD)
		} else if r.PlannedUSD != nil {
			cost = fmt.Sprintf("~$%.2f", *r.PlannedUSD)
		}
		if r.TrainedTokens != nil {
			tokens = count(*r.TrainedTokens)
		}
		if r.ResultModel != "" {
			model = r.ResultModel
		}
		rows = append(rows, []string{r.RunID, r.JobID, r.State, model, tokens, cost})
	}
	printTable(e.stdout, []column{{name: "run"}, {name: "job"}, {name: "state"}, {name: "model"}, {name: "tokens", right: true}, {name: "cost", right: true}}, rows)
}
