package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/evalsql"
	"github.com/weir-lake/weir/ingest"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/frozen"
	"github.com/weir-lake/weir/lake/rebuild"
	"github.com/weir-lake/weir/transforms"
)

func lakeRebuildCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "rebuild",
		Usage: "make every table anew from the topics or the events, compare, and replace what differs",
		Description: "A new generation is made below the lake, with all erasures applied, and compared table by table by\n" +
			"logical hash. Tables of events that differ are replaced in one commit each, derived ones computed whole,\n" +
			"and the catalog then shows all of it at once. With --dry-run it exits with 3 where something differs.\n\n" +
			"Examples:\n   weir lake rebuild --lake mylake --from events --dry-run\n" +
			"   weir lake rebuild --lake mylake --from topics --brokers kafka-1:9092",
		Flags: []cli.Flag{
			lakeFlag(), brokersFlag(), jsonFlag(), quietFlag(),
			&cli.StringFlag{Name: "from", Usage: "`SOURCE`: topics, read again from their beginnings, or events, as the lake has them"},
			&cli.BoolFlag{Name: "dry-run", Usage: "compare, and change nothing"},
		},
		Action: func(c *cli.Context) error { return lakeRebuild(e, c) },
	}
}

func lakeRebuild(e env, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	from := c.String("from")
	if from != "topics" && from != "events" {
		return &usageError{what: fmt.Sprintf("lake rebuild: --from %q is neither topics nor events", from), try: "weir lake rebuild --from events --dry-run"}
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	to := sendingOf(c)
	opts := rebuild.Options{
		DryRun: c.Bool("dry-run"), Fault: faultStep,
		Fill: func(ctx context.Context, generation *lake.Lake) error {
			if from == "events" {
				return rebuild.FromEvents(ctx, lk, generation)
			}
			return fillFromTopics(ctx, e, lk, generation, to)
		},
		Derive: func(ctx context.Context, of *lake.Lake, whole bool) error {
			if err := deriveLayers(ctx, e, lk, of, derive.Options{Full: whole}, to.quiet); err != nil {
				return err
			}
			return frozen.Recover(ctx, lk, of, duck.Options{})
		},
	}
	tables, err := rebuild.Run(c.Context, lk, opts)
	if err != nil {
		return err
	}
	if !opts.DryRun {
		if err := catalog.Publish(c.Context, lk, catalog.Options{}); err != nil {
			return err
		}
	}
	return printRebuilt(e, c, tables, opts.DryRun)
}

// fillFromTopics reads the topics from their beginnings into a generation.
func fillFromTopics(ctx context.Context, e env, lk, generation *lake.Lake, to sending) error {
	options := to.connection(e.logger())
	options.KeepRecords = true
	conn, err := ingest.Connect(ctx, lk, options)
	if err != nil {
		return err
	}
	defer conn.Close()
	beginnings, err := firstPositions(ctx, lk)
	if err != nil {
		return err
	}
	missing, err := conn.Held(ctx, beginnings)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		p := missing[0]
		return lake.WithHint(fmt.Errorf("rebuild from topics: %s/%d no longer begins at offset 0", p.Topic, p.Partition),
			"the embedded broker keeps only what is not in the lake yet: weir lake rebuild --from events")
	}
	_, err = ingest.Sink(ctx, generation, conn, ingest.SinkOptions{Once: true, Redact: redactEvent(lk), Logger: e.logger()})
	return err
}

// firstPositions are the beginnings of all partitions that the lake has read.
func firstPositions(ctx context.Context, lk *lake.Lake) ([]lake.Position, error) {
	names, err := lk.Tables(ctx, "events")
	if err != nil {
		return nil, err
	}
	var positions []lake.Position
	for _, name := range names {
		table, err := lk.Table(name)
		if err != nil {
			return nil, err
		}
		head, err := table.Snapshot(ctx)
		if err != nil {
			continue // its log is broken: others tell of the same partitions, or it is read anyhow
		}
		for app := range head.Txns {
			if beginning, ok := lake.ParseTxnAppID(app); ok {
				positions = append(positions, beginning)
			}
		}
	}
	return positions, nil
}

// deriveLayers builds those layers of derived tables in a lake that another, or
// the same, has.
func deriveLayers(ctx context.Context, e env, like, of *lake.Lake, opts derive.Options, quiet bool) error {
	curated, err := transforms.Tables(of.ErasureKey())
	if err != nil {
		return err
	}
	analyses, err := evalsql.Tables()
	if err != nil {
		return err
	}
	for _, layer := range []struct {
		name   string
		tables []*derive.Table
	}{{"curated", curated}, {"analysis", analyses}} {
		existing, err := like.Tables(ctx, layer.name)
		if err != nil || len(existing) == 0 {
			return err
		}
		if _, err := buildTables(ctx, e, of, layer.tables, duck.Options{}, opts, quiet); err != nil {
			return err
		}
	}
	return nil
}

func printRebuilt(e env, c *cli.Context, tables []rebuild.Compared, dry bool) error {
	counts := map[rebuild.State]int{}
	var rows [][]string
	for _, t := range tables {
		counts[t.State]++
		if t.State == rebuild.Equal {
			continue
		}
		done := ""
		if t.Replaced {
			done = "replaced"
		}
		rows = append(rows, []string{t.Table, string(t.State), count(t.Rows), count(t.NewRows), done})
	}
	if c.Bool("json") {
		if err := printJSON(e.stdout, tables); err != nil {
			return err
		}
	} else {
		if len(rows) > 0 {
			printTable(e.stdout, []column{{name: "table"}, {name: "state"}, {name: "rows", right: true}, {name: "made anew", right: true}, {name: "done"}}, rows)
		}
		fmt.Fprintf(e.stdout, "%d tables: %d equal by logical hash, %d different\n", len(tables), counts[rebuild.Equal], len(tables)-counts[rebuild.Equal])
	}
	if differ := len(rows) - counts[rebuild.Frozen]; dry && differ > 0 {
		return &problemsError{what: fmt.Sprintf("lake rebuild: %d tables differ", differ)}
	}
	if counts[rebuild.Alone] > 0 {
		return &problemsError{what: fmt.Sprintf("lake rebuild: %d tables have nothing that they could be made from, and stay", counts[rebuild.Alone])}
	}
	return nil
}
