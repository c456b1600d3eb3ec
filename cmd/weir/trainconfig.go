package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/exporters/prices"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/train"
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
			"   weir train config --trainer trl --platform modal --max-cost 50 --data training --out job training.yaml",
		Flags: []cli.Flag{
			jsonFlag(),
			&cli.StringFlag{Name: "trainer", Usage: "`NAME`: " + trainers},
			&cli.StringFlag{Name: "platform", Usage: "`NAME`: " + platforms + "; without it the folder is for this machine"},
			&cli.StringFlag{Name: "data", Usage: "`DIR` that weir export wrote, for the trainer's target"},
			&cli.StringFlag{Name: "out", Usage: "`DIR` to write; must not exist, or be empty"},
			&cli.Float64Flag{Name: "max-cost", Usage: "refuse what may cost more than `USD`: platform.hours of platform.gpus; needs a price"},
			&cli.StringSliceFlag{Name: "prices", Usage: "price table, JSON `FILE`, over the built-in one; may be repeated"},
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
			rent, err := rentOf(c, config.Platform)
			if err != nil {
				return err
			}
			written, err := trainer.Write(c.String("out"), c.String("trainer"), c.String("platform"), config.Export, config)
			if errors.Is(err, trainer.ErrUnknown) {
				return &usageError{what: err.Error(), try: try}
			}
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, struct {
					trainer.Written
					MaxUSD *float64 `json:"max_usd,omitempty"`
				}{written, rent.usd})
			}
			fmt.Fprintf(e.stdout, "%s: %s for %s lines, content hash %s\n", written.Dir, written.Trainer, count(written.Lines), written.Hash)
			for _, name := range written.Files {
				fmt.Fprintf(e.stdout, "  %s\n", name)
			}
			for _, note := range written.Notes {
				fmt.Fprintf(e.stdout, "note: %s\n", note)
			}
			if rent.says != "" {
				fmt.Fprintln(e.stdout, rent.says)
			}
			fmt.Fprintf(e.stdout, "start it there: %s\n", written.Command)
			return nil
		},
	}
}

// rent is the most that a rented machine can cost: it is stopped when its hours
// are over.
type rent struct {
	usd  *float64 // nil: nothing is rented, or no price is known
	says string
}

func rentOf(c *cli.Context, m trainer.Machine) (rent, error) {
	platform, most := c.String("platform"), c.Float64("max-cost")
	if platform == "" {
		if c.IsSet("max-cost") {
			return rent{}, &usageError{what: "train config: --max-cost is of what is rented, and --platform names nothing", try: "weir train config --platform modal --max-cost 50"}
		}
		return rent{}, nil
	}
	table, err := prices.Default()
	if err == nil {
		table, err = withPrices(table, c.StringSlice("prices"))
	}
	if err != nil {
		return rent{}, err
	}
	what := fmt.Sprintf("%g h of %d x %s at %s", m.Hours, m.GPUs, m.GPU, platform)
	price, known := table.GPU(platform, m.GPU)
	if !known {
		if c.IsSet("max-cost") {
			return rent{}, lake.WithHint(fmt.Errorf("train config: %s: %w", what, train.ErrNoEstimate), "--prices FILE with the GPU's price an hour")
		}
		return rent{says: "what " + what + " costs is not in the price table"}, nil
	}
	usd := m.Hours * float64(m.GPUs) * price.USDHour
	if c.IsSet("max-cost") && usd > most {
		return rent{}, lake.WithHint(fmt.Errorf("train config: %w: %s is up to $%.2f, the limit is $%.2f", train.ErrTooDear, what, usd, most), "fewer platform.hours in training.yaml")
	}
	return rent{usd: &usd, says: fmt.Sprintf("at most $%.2f: %s, $%.2f an hour (%s)", usd, what, price.USDHour, price.AsOf)}, nil
}
