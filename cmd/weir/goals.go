package main

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/evalsql"
	"github.com/weir-lake/weir/lake"
)

func goalsCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "goals",
		Usage:       "what the metrics are held to",
		Subcommands: []*cli.Command{goalsDefaults(e), goalsSet(e)},
	}
}

func goalsDefaults(e env) *cli.Command {
	return &cli.Command{
		Name:        "defaults",
		Usage:       "print the goals that weir brings as YAML",
		Description: "Example:\n   weir goals defaults > goals.yaml",
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			_, err := e.stdout.Write(evalsql.DefaultGoals())
			return err
		},
	}
}

func goalsSet(e env) *cli.Command {
	return &cli.Command{
		Name:        "set",
		Usage:       "put goals on record, in place of all before",
		ArgsUsage:   "FILE",
		Description: "Example:\n   weir goals set --lake mylake goals.yaml && weir transform --lake mylake && weir analyze --lake mylake",
		Flags:       []cli.Flag{lakeFlag(), quietFlag(), brokersFlag(), waitFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Len() != 1 {
				return &usageError{what: "goals set: one file is required", try: "weir goals set goals.yaml"}
			}
			text, err := os.ReadFile(c.Args().First())
			if err != nil {
				return err
			}
			goals, err := evalsql.ParseGoals(text)
			if err != nil {
				return fmt.Errorf("%s: %w", c.Args().First(), err)
			}
			event, err := evalsql.GoalsEvent(goals, time.Now())
			if err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			if err := sendEvents(c, e, lk, []lake.Event{event}); err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "%d goals set; weir transform and weir analyze hold the metrics to them\n", len(goals))
			return nil
		},
	}
}
