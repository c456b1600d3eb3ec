package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/trainer"
	"github.com/weir-lake/weir/train/trainerlog"
)

func trainRecord(e env) *cli.Command {
	return &cli.Command{
		Name:      "record",
		Usage:     "record a local trainer's run: its loss curve, checkpoints and end",
		ArgsUsage: "DIR",
		Description: "DIR is the trainer's output folder: what Hugging Face's Trainer saves there (TRL, Axolotl, Unsloth), the logs\n" +
			"that LLaMA-Factory (trainer_log.jsonl) and ms-swift (logging.jsonl) write as they go, or what MLX-LM printed\n" +
			"(train.log; weir train config's run.sh keeps it). The same again, as the log grows, records what is new.\n\n" +
			"Example:\n   weir train record --lake mylake --run january --export training --trainer trl \\\n" +
			"       --model meta-llama/Llama-3.1-8B-Instruct outputs/january\n" +
			"   weir train record --lake mylake --run january --export training --trainer axolotl \\\n" +
			"       --config job/training.yaml job/output",
		Flags: []cli.Flag{
			lakeFlag(), brokersFlag(), jsonFlag(), quietFlag(),
			&cli.StringFlag{Name: "run", Usage: "`NAME` of the run, of your choice"},
			&cli.StringFlag{Name: "export", Usage: "`DIR` that weir export wrote, and that was trained on"},
			&cli.StringFlag{Name: "trainer", Usage: "`NAME` of what trains", Value: "local"},
			&cli.StringFlag{Name: "config", Usage: "training.yaml, `FILE`: what it was trained with goes on record"},
			&cli.StringFlag{Name: "model", Usage: "base `MODEL`; without it --config's"},
			&cli.StringFlag{Name: "result-model", Usage: "`MODEL` that came out, as its calls will name it"},
			&cli.StringFlag{Name: "method", Usage: "`METHOD`: sft or dpo", Value: "sft"},
			&cli.StringFlag{Name: "phase", Usage: "training `PHASE` of your plan; a label"},
			&cli.StringFlag{Name: "plan", Usage: "`NAME` of the planned run that it carries out: see train plan"},
			&cli.StringFlag{Name: "state", Usage: "`STATE` that the log does not show: failed or cancelled"},
			&cli.StringFlag{Name: "error", Usage: "why it failed, `TEXT`"},
			&cli.Float64Flag{Name: "cost", Usage: "what it has cost so far, `USD`"},
		},
		Action: func(c *cli.Context) error {
			model, config, err := trainedWith(c)
			if err != nil {
				return err
			}
			for _, name := range []string{"run", "export", "model"} {
				if c.String(name) == "" && (name != "model" || model == "") {
					return &usageError{what: "train record: --" + name + " is required", try: "weir train record --run NAME --export DIR --model MODEL DIR"}
				}
			}
			if c.Args().Len() != 1 {
				return &usageError{what: "train record: name one folder", try: "weir train record --run NAME --export DIR --model MODEL DIR"}
			}
			if state := c.String("state"); state != "" && state != train.Running && !train.IsFinal(state) {
				return &usageError{what: fmt.Sprintf("train record: state %q: want running, succeeded, failed or cancelled", state), try: "weir train record --state failed"}
			}
			log, err := trainerlog.Read(c.Args().First())
			if errors.Is(err, trainerlog.ErrNone) {
				return lake.WithHint(err, "name the trainer's output folder, once it has saved a checkpoint")
			}
			if err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			to := trainSending(c)
			if err := settleLake(c.Context, e, lk, to); err != nil {
				return err
			}
			version, err := recordExport(c.Context, e, lk, c.String("export"), to)
			if err != nil {
				return err
			}
			send := func(ctx context.Context, events ...lake.Event) error {
				return appendAndWait(ctx, e, lk, to, func(ctx context.Context, out lake.Appender) error { return out.Append(ctx, events...) })
			}
			run, err := train.RecordLog(c.Context, lk, send, train.Local{
				Run: train.Run{
					RunID: c.String("run"), Provider: c.String("trainer"), BaseModel: model, Config: config, ResultModel: c.String("result-model"),
					Dataset: version.Dataset, DatasetVersion: version.Version, DatasetHash: version.ContentHash, ExportHash: version.ExportHash, DistillHash: version.DistillHash,
					Method: c.String("method"), Phase: c.String("phase"), Plan: c.String("plan"),
				},
				State: c.String("state"), Error: c.String("error"), CostUSD: float64Of(c, "cost"),
			}, log)
			if err != nil {
				return err
			}
			return showRun(e, c, run)
		},
	}
}

// trainedWith gives the base model, and the configuration as JSON where the
// command line names one.
func trainedWith(c *cli.Context) (model, config string, err error) {
	model = c.String("model")
	path := c.String("config")
	if path == "" {
		return model, "", nil
	}
	file, err := os.Open(path)
	if err != nil {
		return "", "", err
	}
	defer file.Close()
	read, err := trainer.Read(file)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", path, err)
	}
	text, err := json.Marshal(read)
	return cmp.Or(model, read.BaseModel), string(text), err
}
