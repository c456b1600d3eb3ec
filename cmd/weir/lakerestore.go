package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/ingest"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
	"github.com/weir-lake/weir/lake/upkeep"
)

func lakeCheckpointCommand(e env) *cli.Command {
	return &cli.Command{
		Name:      "checkpoint",
		Usage:     "write what the logs of all tables, or of some, say into one file each",
		ArgsUsage: "[TABLE…]",
		Description: "Readers then start from that file. Commits do it by themselves from time to time.\n\n" +
			"Example:\n   weir lake checkpoint --lake mylake",
		Flags:  []cli.Flag{lakeFlag(), jsonFlag()},
		Action: func(c *cli.Context) error { return lakeCheckpoint(e, c) },
	}
}

type checkpointed struct {
	Table   string `json:"table"`
	Version int64  `json:"version"`
}

func lakeCheckpoint(e env, c *cli.Context) error {
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	names, err := tableNames(c.Context, lk, c.Args().Slice()...)
	if err != nil {
		return err
	}
	done := []checkpointed{}
	for _, name := range names {
		table, err := lk.Table(name)
		if err != nil {
			return err
		}
		version, err := table.Checkpoint(c.Context)
		if err != nil {
			return err
		}
		done = append(done, checkpointed{name, version})
	}
	if c.Bool("json") {
		return printJSON(e.stdout, done)
	}
	var rows [][]string
	for _, one := range done {
		rows = append(rows, []string{one.Table, count(one.Version)})
	}
	printTable(e.stdout, []column{{name: "table"}, {name: "checkpoint at version", right: true}}, rows)
	return nil
}

func lakeRestoreCommand(e env) *cli.Command {
	return &cli.Command{
		Name:      "restore",
		Usage:     "make an earlier version of a table the current one",
		ArgsUsage: "TABLE",
		Description: "One commit makes the files of that version live again; the versions between stay in the log.\n" +
			"A version before an erasure, or with a file that vacuum has deleted, is refused.\n\n" +
			"Of an events table the Kafka offsets go back as well: the sink takes what came after that version\n" +
			"from Kafka once more. The command asks the cluster whether it still holds those records: name it\n" +
			"with --brokers unless it is the lake's own. --keep-offsets leaves the offsets as they are, and the\n" +
			"rows after that version out of the lake.\n\n" +
			"A curated or analysis table is brought back to now by the next weir transform or analyze.\n\n" +
			"Examples:\n   weir lake restore --lake mylake --version 12 curated.examples\n" +
			"   weir lake restore --lake mylake --as-of 2026-11-01T08:00:00Z events.chat_messages",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(), brokersFlag(),
			&cli.Int64Flag{Name: "version", Usage: "version `N` of the table", Value: -1},
			&cli.StringFlag{Name: "as-of", Usage: "the version that was current at `TIME` (RFC 3339, or a date in UTC)"},
			&cli.BoolFlag{Name: "keep-offsets", Usage: "of an events table: read nothing from Kafka again"},
		},
		Action: func(c *cli.Context) error { return lakeRestore(e, c) },
	}
}

type restored struct {
	Table    string `json:"table"`
	Restored int64  `json:"restored_version"`
	Version  int64  `json:"version"`
	Files    int    `json:"files"`
	Rows     int64  `json:"rows"`
}

func lakeRestore(e env, c *cli.Context) error {
	usage := func(what string) error {
		return &usageError{what: "lake restore: " + what, try: "weir lake restore --help"}
	}
	if c.Args().Len() != 1 {
		return usage("name one table")
	}
	if c.IsSet("version") == c.IsSet("as-of") {
		return usage("give --version or --as-of")
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	table, err := lk.Table(c.Args().First())
	if err != nil {
		return err
	}
	version := c.Int64("version")
	if c.IsSet("as-of") {
		at, err := parseMoment(c.String("as-of"))
		if err != nil {
			return usage("--as-of: " + err.Error())
		}
		if version, err = table.LiveAt(c.Context, at); err != nil {
			return err
		}
	}
	keep := c.Bool("keep-offsets")
	if strings.HasPrefix(table.Name(), "events.") && !keep {
		if err := checkStillHeld(c.Context, e, lk, table, version, brokerList(c)); err != nil {
			return err
		}
	}
	// Vacuum might be about to delete the files that come back.
	unlock, err := upkeep.Lock(c.Context, lk)
	if err != nil {
		return err
	}
	defer unlock()
	head, err := table.Restore(c.Context, version, lake.RestoreOptions{KeepOffsets: keep})
	if err != nil {
		return err
	}
	if err := catalog.Publish(c.Context, lk, catalog.Options{}); err != nil {
		return err
	}
	report := restored{Table: table.Name(), Restored: version, Version: head.Version, Files: len(head.Files)}
	for _, file := range head.Files {
		report.Rows += file.Rows
	}
	if c.Bool("json") {
		return printJSON(e.stdout, report)
	}
	fmt.Fprintf(e.stdout, "%s: version %s is version %s again: %s files, %s rows\n",
		report.Table, count(report.Version), count(version), count(report.Files), count(report.Rows))
	return nil
}

// parseMoment reads a time, or a date as its first moment in UTC.
func parseMoment(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q: neither a date nor an RFC 3339 time", text)
	}
	return at, nil
}

// checkStillHeld refuses to take offsets back to records that are in Kafka no more.
func checkStillHeld(ctx context.Context, e env, lk *lake.Lake, table *lake.Table, version int64, brokers []string) error {
	back, err := offsetsBack(ctx, table, version)
	if err != nil || len(back) == 0 {
		return err
	}
	const hint = "weir lake restore --keep-offsets …, which leaves the rows after that version out of the lake"
	for _, position := range back {
		if len(brokers) == 0 && position.Cluster != lk.ClusterID() {
			return &usageError{
				what: fmt.Sprintf("%s/%d was read from cluster %s: whether it still holds offset %d must be asked there", position.Topic, position.Partition, position.Cluster, position.Offset),
				try:  "weir lake restore --brokers HOST:PORT …, or --keep-offsets",
			}
		}
	}
	conn, err := ingest.Connect(ctx, lk, ingest.ConnOptions{Brokers: brokers, Logger: e.logger()})
	if err != nil {
		return err
	}
	missing, err := conn.Held(ctx, back)
	if err = errors.Join(err, conn.Close()); err != nil {
		return err
	}
	if len(missing) > 0 {
		p := missing[0]
		return lake.WithHint(fmt.Errorf("%s: restore version %d: %s/%d no longer holds offset %d (%d of %d partitions)",
			table.Name(), version, p.Topic, p.Partition, p.Offset, len(missing), len(back)), hint)
	}
	return nil
}

// offsetsBack are the positions that a restore takes a table's counters back to.
func offsetsBack(ctx context.Context, table *lake.Table, version int64) ([]lake.Position, error) {
	target, err := table.SnapshotAt(ctx, version)
	if err != nil {
		return nil, err
	}
	head, err := table.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var back []lake.Position
	for app, now := range head.Txns {
		position, ok := lake.ParseTxnAppID(app)
		position.Offset = target.Txns[app] // none: from the start
		if ok && position.Offset < now {
			back = append(back, position)
		}
	}
	return back, nil
}
