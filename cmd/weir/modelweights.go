package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/registry"
)

func modelWeights(e env) *cli.Command {
	return &cli.Command{
		Name:      "weights",
		Usage:     "say where checkpoints and weights lie, and what of them may be deleted",
		ArgsUsage: "[MODEL]",
		Description: "With --at it records where a model's weights lie: of a local folder or file, its hash and size too. Nothing\n" +
			"is ever deleted; what may go is only said. A promoted model's stays, whatever its date says.\n\n" +
			"Examples:\n   weir model weights --lake mylake\n" +
			"   weir model weights --lake mylake january --at outputs/january --keep 90\n" +
			"   weir model weights --lake mylake january --at s3://models/january --sha256 9f86… --keep 365",
		Flags: []cli.Flag{
			lakeFlag(), brokersFlag(), jsonFlag(), quietFlag(),
			&cli.StringFlag{Name: "at", Usage: "record that they lie at this `DIR|FILE|URI`"},
			&cli.StringFlag{Name: "sha256", Usage: "their `HASH`; of what is local it is read"},
			&cli.IntFlag{Name: "keep", Usage: "not to be deleted for `DAYS`"},
			&cli.BoolFlag{Name: "checkpoint", Usage: "what lies there is a checkpoint, not the resulting weights"},
			&cli.Int64Flag{Name: "step", Usage: "step `N` of the checkpoint"},
			&cli.BoolFlag{Name: "may-go", Usage: "only what may be deleted"},
		},
		Action: func(c *cli.Context) error {
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			if c.String("at") != "" {
				name, err := oneModel(c)
				if err != nil {
					return err
				}
				if err := settleLake(c.Context, e, lk, trainSending(c)); err != nil {
					return err
				}
				now := time.Now()
				kept := registry.Kept{Model: name, Place: c.String("at"), Hash: c.String("sha256"), Checkpoint: c.Bool("checkpoint"), Step: int64Of(c, "step")}
				if days := c.Int("keep"); days > 0 {
					until := now.UTC().AddDate(0, 0, days).Truncate(24 * time.Hour)
					kept.KeepUntil = &until
				}
				if _, err := registry.Keep(c.Context, lk, modelSend(e, c, lk), kept, now); err != nil {
					return err
				}
			}
			if c.Args().Len() > 1 {
				_, err := oneModel(c)
				return err
			}
			list, err := registry.Artifacts(c.Context, lk, time.Now())
			if err != nil {
				return err
			}
			shown := []registry.Artifact{}
			run := ""
			if c.Args().Present() {
				m, err := registry.Find(c.Context, lk, c.Args().First())
				if err != nil {
					return err
				}
				run = m.RunID
			}
			for _, a := range list {
				if (run == "" || a.RunID == run) && (a.MayGo || !c.Bool("may-go")) {
					shown = append(shown, a)
				}
			}
			if c.Bool("json") {
				return printJSON(e.stdout, shown)
			}
			printArtifacts(e, shown)
			return nil
		},
	}
}

func printArtifacts(e env, list []registry.Artifact) {
	var rows [][]string
	for _, a := range list {
		size, fate := "-", "stays"
		if a.Bytes != nil {
			size = bytesText(*a.Bytes)
		}
		if a.MayGo {
			fate = "may go"
		}
		kind := a.Kind
		if a.Step != nil {
			kind = fmt.Sprintf("%s %d", a.Kind, *a.Step)
		}
		rows = append(rows, []string{a.RunID, kind, ending(a.Place, 32), size, a.Hash[:min(len(a.Hash), 12)], fate, a.Why})
	}
	printTable(e.stdout, []column{
		{name: "run"}, {name: "kind"}, {name: "lies at"}, {name: "size", right: true}, {name: "sha256"}, {name: "fate"}, {name: "why"},
	}, rows)
}

// ending is the end of a long path or URI, which tells more than its beginning.
func ending(path string, width int) string {
	runes := []rune(path)
	if len(runes) <= width {
		return path
	}
	return "…" + string(runes[len(runes)-width+1:])
}
