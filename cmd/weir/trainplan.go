package main

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/registry"
)

func trainPlan(e env) *cli.Command {
	return &cli.Command{
		Name:  "plan",
		Usage: "put planned runs on record, and show plan and reality side by side",
		Description: "runs.yaml lists them: model, examples, hours, cost (or GPUs and hours). What is on record is not sent again;\n" +
			"what the file no longer has is withdrawn. A run that carries one out names it: train submit --plan NAME,\n" +
			"train record --plan NAME.\n\n" +
			"Examples:\n   weir train plan --example > runs.yaml\n   weir train plan --lake mylake --runs runs.yaml\n   weir train plan --lake mylake",
		Flags: []cli.Flag{
			lakeFlag(), brokersFlag(), jsonFlag(), quietFlag(),
			&cli.StringFlag{Name: "runs", Usage: "YAML `FILE` of planned runs; without it only what is on record is shown"},
			pricesFlag(),
			&cli.BoolFlag{Name: "example", Usage: "print a runs.yaml to begin with"},
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			if c.Bool("example") {
				_, err := e.stdout.Write(registry.ExampleRuns())
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			if path := c.String("runs"); path != "" {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				table, err := priceTable(lk, c.StringSlice("prices"))
				if err != nil {
					return err
				}
				runs, err := registry.ParseRuns(text, func(provider, gpu string) (float64, bool) {
					price, ok := table.GPU(provider, gpu)
					return price.USDHour, ok
				})
				if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				if err := settleLake(c.Context, e, lk, trainSending(c)); err != nil {
					return err
				}
				changes, err := registry.PlanRuns(c.Context, lk, modelSend(e, c, lk), runs, time.Now())
				if err != nil {
					return err
				}
				for _, change := range changes {
					if change.What != "unchanged" && !c.Bool("quiet") {
						fmt.Fprintf(e.stderr, "%s: %s\n", change.What, printable(change.Name))
					}
				}
			}
			session, err := registry.Open(c.Context, lk)
			if err != nil {
				return err
			}
			defer session.Close()
			sql, err := querySQL("runs_plan_actual")
			if err != nil {
				return err
			}
			result, err := session.Text(c.Context, sql, 0)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printResult(e, result, "json")
			}
			return printResult(e, result, "table")
		},
	}
}
