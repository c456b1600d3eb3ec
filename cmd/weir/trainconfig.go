package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/train/trainer"
)

func trainConfig(e env) *cli.Command {
	trainers, platforms := strings.Join(trainer.Names(), ", "), strings.Join(trainer.Platforms(), ", ")
	return &cli.Command{
		Name:      "config",
		Usage:     "write what an open trainer, or a rented machine, starts from",
		ArgsUsage: "TRAINING.YAML",
		Description: "The folder has the trainer's own configuration, the export's data, run.sh and requirements.txt; with --platform\n" +
			"also what sends it to Modal or RunPod, runs it there and fetches log and adapter. What a trainer cannot do is\n" +
			"said. Nothing is trained and nothing is sent.\n\n" +
			"Examples:\n   weir train config --example > training.yaml\n" +
			"   weir train config --trainer axolotl --data training --out job training.yaml\n" +
			"   weir train config --trainer trl --platform modal --data training --out job training.yaml",
		Flags: []cli.Flag{
			jsonFlag(),
			&cli.StringFlag{Name: "trainer", Usage: "`NAME`: " + trainers},
			&cli.StringFlag{Name: "platform", Usage: "`NAME`: " + platforms + "; without it the folder is for this machine"},
			&cli.StringFlag{Name: "data", Usage: "`DIR` that weir export wrote, for the trainer's target"},
			&cli.StringFlag{Name: "out", Usage: "`DIR` to write; must not exist, or be empty"},
			&cli.BoolFlag{Name: "example", Usage: "print a training.yaml with every key, and do nothing else"},
		},
		Action: func(c *cli.Context) error {
			if c.Bool("example") {
				_, err := fmt.Fprint(e.stdout, trainer.Example)
				return err
			}
			const try = "weir train config --trainer NAME --data DIR --out DIR training.yaml"
			switch {
			case c.Args().Len() != 1:
				return &usageError{what: "train config: name one training.yaml", try: "weir train config --example > training.yaml"}
			case c.String("trainer") == "":
				return &usageError{what: "train config: --trainer is required: one of " + trainers, try: try}
			case c.String("out") == "":
				return &usageError{what: "train config: --out is required", try: try}
			}
			file, err := os.Open(c.Args().First())
			if err != nil {
				return lake.WithHint(err, "weir train config --example > "+c.Args().First())
			}
			defer file.Close()
			config, err := trainer.Read(file)
			if err != nil {
				return err
			}
			if c.String("data") != "" {
				config.Export = c.String("data")
			}
			if config.Export == "" {
				return &usageError{what: "train config: --data, or export in training.yaml, is required", try: try}
			}
			written, err := trainer.Write(c.String("out"), c.String("trainer"), c.String("platform"), config.Export, config)
			if errors.Is(err, trainer.ErrUnknown) {
				return &usageError{what: err.Error(), try: try}
			}
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, written)
			}
			fmt.Fprintf(e.stdout, "%s: %s for %s lines, content hash %s\n", written.Dir, written.Trainer, count(written.Lines), written.Hash)
			for _, name := range written.Files {
				fmt.Fprintf(e.stdout, "  %s\n", name)
			}
			for _, note := range written.Notes {
				fmt.Fprintf(e.stdout, "note: %s\n", note)
			}
			fmt.Fprintf(e.stdout, "start it there: %s\n", written.Command)
			return nil
		},
	}
}
