package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/evalsql/experiment"
	"github.com/weir-lake/weir/lake"
)

func experimentCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "experiment",
		Usage:       "set up A/B tests and assign units to their arms",
		Subcommands: []*cli.Command{experimentSet(e), experimentAssign(e)},
	}
}

func experimentSet(e env) *cli.Command {
	return &cli.Command{
		Name:      "set",
		Usage:     "put A/B tests on record: arms, shares, salt, the least difference of interest",
		ArgsUsage: "FILE",
		Description: "The file is YAML; docs/experiments.md has an example. A changed salt or share deals anew: units that\n" +
			"were assigned stay where they are.\n\nExample:\n   weir experiment set --lake mylake experiments.yaml",
		Flags: []cli.Flag{lakeFlag(), jsonFlag(), quietFlag(), brokersFlag(), waitFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Len() != 1 {
				return &usageError{what: "experiment set: one file is required", try: "weir experiment set experiments.yaml"}
			}
			text, err := os.ReadFile(c.Args().First())
			if err != nil {
				return err
			}
			list, err := experiment.Parse(text)
			if err != nil {
				return fmt.Errorf("%s: %w", c.Args().First(), err)
			}
			var events []lake.Event
			for _, one := range list {
				event, err := one.Event(time.Now())
				if err != nil {
					return err
				}
				events = append(events, event)
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			if err := sendEvents(c, e, lk, events); err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, list)
			}
			for _, one := range list {
				fmt.Fprintf(e.stdout, "%s: a %s is assigned to", one.Name, one.Unit)
				for i, arm := range one.Arms {
					separator := ","
					if i == 0 {
						separator = ""
					}
					fmt.Fprintf(e.stdout, "%s %s %.4g %%", separator, arm.Name, 100*arm.Share)
				}
				fmt.Fprintf(e.stdout, "; control %s\n", one.Control)
			}
			return nil
		},
	}
}

// assigned is a unit with its arm, as --json prints it.
type assigned struct {
	Experiment string  `json:"experiment"`
	Unit       string  `json:"unit"`
	Arm        string  `json:"arm"`
	Hash       float64 `json:"hash"`
}

func experimentAssign(e env) *cli.Command {
	return &cli.Command{
		Name:      "assign",
		Usage:     "tell the arm of units: the same one for ever",
		ArgsUsage: "EXPERIMENT UNIT…",
		Description: "With --record the assignments enter the lake, each once, also those of units that never call.\n\n" +
			"Examples:\n   weir experiment assign --lake mylake short-prompt conversation-1042\n" +
			"   weir experiment assign --lake mylake --record short-prompt conversation-1042",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(), quietFlag(), brokersFlag(), waitFlag(),
			&cli.BoolFlag{Name: "record", Usage: "record the assignments through Kafka"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Len() < 2 {
				return &usageError{what: "experiment assign: an experiment and a unit are required", try: "weir experiment assign NAME UNIT"}
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			one, err := experiment.Read(c.Context, lk, c.Args().First())
			if err != nil {
				return err
			}
			units := []assigned{}
			var events []lake.Event
			for _, unit := range c.Args().Slice()[1:] {
				units = append(units, assigned{one.Name, unit, one.Arm(unit), one.Hash(unit)})
				events = append(events, one.Assigned(unit, time.Now()))
			}
			if c.Bool("record") {
				if err := sendEvents(c, e, lk, events); err != nil {
					return err
				}
			}
			if c.Bool("json") {
				return printJSON(e.stdout, units)
			}
			for _, unit := range units {
				fmt.Fprintf(e.stdout, "%s %s\n", printable(unit.Unit), unit.Arm)
			}
			return nil
		},
	}
}

func sendEvents(c *cli.Context, e env, lk *lake.Lake, events []lake.Event) error {
	return appendAndWait(c.Context, e, lk, sendingOf(c), func(ctx context.Context, out lake.Appender) error {
		return out.Append(ctx, events...)
	})
}
