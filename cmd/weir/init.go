package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
)

func initCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "init",
		Usage:       "make a lake in an empty or new folder",
		Description: "Example:\n   weir init --lake mylake",
		Flags:       []cli.Flag{lakeFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			lk, err := lake.Init(c.String("lake"), lake.Options{})
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
