package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/ingest/redact"
	"github.com/weir-lake/weir/lake"
)

func initCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "init",
		Usage: "make a lake in an empty or new folder",
		Description: "Secrets never reach a lake. Personal data do, unless --redact names their kinds, which weir.json keeps\n" +
			"for every command: " + strings.Join(redact.PersonalKinds(), ", ") + ", or all.\n\n" +
			"Examples:\n   weir init --lake mylake\n   weir init --lake mylake --redact email,phone",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(),
			&cli.StringFlag{Name: "redact", Usage: "replace these `KINDS` of personal data before they are stored"},
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			var opts lake.Options
			if c.IsSet("redact") {
				kinds, err := redact.ParsePersonal(strings.Split(c.String("redact"), ","))
				if err != nil {
					return &usageError{what: err.Error(), try: "weir init --redact email,phone"}
				}
				opts.Personal = kinds
			}
			lk, err := lake.Init(c.String("lake"), opts)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, map[string]string{"lake": lk.Dir(), "lake_id": lk.ID(), "cluster_id": lk.ClusterID()})
			}
			fmt.Fprintf(e.stdout, "made a lake in %s\n", c.String("lake"))
			return nil
		},
	}
}
