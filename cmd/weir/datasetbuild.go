package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/dataset"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/ingest"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
	"github.com/weir-lake/weir/lake/frozen"
)

func datasetBuild(e env) *cli.Command {
	return &cli.Command{
		Name:      "build",
		Usage:     "freeze a version of a dataset of the lake's datasets.yaml",
		ArgsUsage: "NAME",
		Description: "The rows that the definition selects become the table datasets.NAME, a version of it each time, and the\n" +
			"version and its members are recorded. From then on they and their groups keep their side of the split.\n" +
			"A version is named by its content: the same rows are built once, and a build that was stopped is gone on\n" +
			"with by the same command. It refuses while anything links training to validation, and while a recorded\n" +
			"version is not in the split yet; it exits with 3 where the definition's review rule is not met.\n\n" +
			"With --version the rows of a recorded version are made again where they were vacuumed, or it says what is\n" +
			"gone and exits with 3.\n\n" +
			"Examples:\n   weir dataset defaults > mylake/datasets.yaml\n" +
			"   weir dataset build agent_chat --lake mylake\n" +
			"   weir dataset build curriculum --lake mylake --phase 1\n" +
			"   weir dataset build agent_chat --lake mylake --version 3f9a0c12be44",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(), quietFlag(), memoryFlag(), threadsFlag(), brokersFlag(),
			&cli.StringFlag{Name: "phase", Usage: "scale the mixture to the size of this `PHASE`"},
			&cli.StringFlag{Name: "version", Usage: "make the rows of this recorded `VERSION` again"},
			&cli.BoolFlag{Name: "strict", Usage: "exit with 3 if a target is not met"},
		},
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			if c.NArg() != 1 {
				return &usageError{what: "dataset build: one NAME is required", try: "weir dataset build NAME; weir dataset defaults shows how one is defined"}
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			if c.IsSet("version") {
				return restoreDataset(e, c, lk, frozen.Ref{Dataset: name, Version: c.String("version")})
			}
			definition, err := definitionOf(lk, name)
			if err != nil {
				return err
			}
			built, err := buildDataset(c, e, lk, definition)
			switch {
			case errors.Is(err, dataset.ErrReview):
				return &problemsError{what: err.Error()}
			case err != nil:
				return err
			}
			if err := printFrozen(e, c, built); err != nil {
				return err
			}
			if built.Plan.Shortfall > 0 && c.Bool("strict") {
				return &problemsError{what: fmt.Sprintf("dataset build: %s examples short", count(built.Plan.Shortfall))}
			}
			return nil
		},
	}
}

// definitionOf finds a dataset in the lake's file.
func definitionOf(lk *lake.Lake, name string) (dataset.Definition, error) {
	definitions, err := dataset.ReadDefinitions(lk)
	if err != nil {
		return dataset.Definition{}, err
	}
	definition, ok := definitions[name]
	if !ok {
		names := slices.Sorted(maps.Keys(definitions))
		return definition, &usageError{what: fmt.Sprintf("dataset build: %s has no dataset %q", filepath.Join(lk.Dir(), dataset.FileName), name),
			try: "weir dataset build " + strings.Join(names, "|")}
	}
	for _, to := range definition.Exports {
		if _, err := target.Named(to.Target); err != nil {
			return definition, lake.WithHint(fmt.Errorf("%s: dataset %s: export: %w", dataset.FileName, name, err), lake.HintOf(err))
		}
	}
	return definition, nil
}

// buildDataset takes what the broker still holds into the lake, builds, and
// returns when the version is there.
func buildDataset(c *cli.Context, e env, lk *lake.Lake, definition dataset.Definition) (built dataset.Built, err error) {
	to := sendingOf(c)
	to.wait = true // the next build has to know of this version
	if err := awaitLedger(c.Context, e, lk, to); err != nil {
		return built, err
	}
	err = appendAfterDrain(c.Context, e, lk, to, func(ctx context.Context, out lake.Appender) error {
		built, err = dataset.Build(ctx, lk, definition, dataset.BuildOptions{
			Phase: c.String("phase"), Session: duckOptions(c), Now: time.Now(), Send: out.Append, Fault: faultStep,
		})
		return err
	})
	if err != nil {
		return built, err
	}
	return built, catalog.Publish(c.Context, lk, catalog.Options{})
}

// awaitLedger waits until what a cluster holds of recorded versions, and of
// configuration that decides sides, is in the lake. The embedded broker is drained.
func awaitLedger(ctx context.Context, e env, lk *lake.Lake, to sending) error {
	if len(to.brokers) == 0 {
		return nil
	}
	conn, err := ingest.Connect(ctx, lk, to.connection(e.logger()))
	if err != nil {
		return err
	}
	defer conn.Close()
	var topics []string
	for _, kind := range []string{"weir.dataset.version.v1", "weir.config.set.v1", "weir.erasure.requested.v1"} {
		if payload, ok := lake.PayloadOf(kind); ok {
			topics = append(topics, payload.Topic())
		}
	}
	ends, err := conn.Ends(ctx, topics...)
	if err != nil {
		return err
	}
	return ingest.Wait(ctx, lk, ends)
}

func printFrozen(e env, c *cli.Context, built dataset.Built) error {
	if c.Bool("json") {
		return printJSON(e.stdout, built)
	}
	printTargets(e, built.Plan.Targets)
	how := "built"
	switch {
	case !built.IsNew && built.Wrote:
		how = "exists already; its rows are the dataset's again"
	case !built.IsNew:
		how = "exists already"
	}
	fmt.Fprintf(e.stdout, "%s@%s: %s (%s rows: %s)\n", built.Dataset, built.Version, how, count(built.Plan.Selected), sidesText(built.Sides))
	for _, warning := range built.Warnings {
		fmt.Fprintln(e.stderr, "warning:", warning)
	}
	return nil
}

// sidesText is train 90, validation 10.
func sidesText(sides map[string]int64) string {
	var parts []string
	for _, side := range slices.Sorted(maps.Keys(sides)) {
		parts = append(parts, side+" "+count(sides[side]))
	}
	return strings.Join(parts, ", ")
}

func restoreDataset(e env, c *cli.Context, lk *lake.Lake, ref frozen.Ref) error {
	if err := settleLake(c.Context, e, lk, sendingOf(c)); err != nil {
		return err
	}
	restored, err := dataset.Restore(c.Context, lk, ref, duckOptions(c))
	if missing, ok := frozen.IsMissing(err); ok {
		if c.Bool("json") {
			if err := printJSON(e.stdout, missing); err != nil {
				return err
			}
		}
		return &problemsError{what: "dataset build: " + err.Error()}
	}
	if err != nil {
		return err
	}
	if restored.Wrote {
		if err := catalog.Publish(c.Context, lk, catalog.Options{}); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return printJSON(e.stdout, restored)
	}
	how := "its rows are there"
	if restored.Wrote {
		how = "its rows were made again, and are the dataset's now"
	}
	fmt.Fprintf(e.stdout, "%s: %s (%s rows, content %.12s)\n", restored.Ref, how, count(restored.Held), restored.HeldHash)
	if gone := restored.Members - restored.Held; gone > 0 {
		fmt.Fprintf(e.stdout, "%s of %s members were erased since\n", count(gone), count(restored.Members))
	}
	return nil
}
