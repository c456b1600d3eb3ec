package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake/catalog"
	"github.com/weir-lake/weir/lake/erasure"
	"github.com/weir-lake/weir/lake/retention"
	"github.com/weir-lake/weir/lake/upkeep"
)

func lakeCompactCommand(e env) *cli.Command {
	return &cli.Command{
		Name:      "compact",
		Usage:     "merge small files of all tables, or of some, into larger ones",
		ArgsUsage: "[TABLE…]",
		Description: "Changes no row, and is safe beside a running sink, transforms and readers. Eight files of about one\n" +
			"size make a merge, so that each row is written again a few times only; nothing to merge is fine.\n" +
			"The files that were merged stay until weir lake vacuum.\n\n" +
			"Examples:\n   weir lake compact --lake mylake\n   weir lake compact --lake mylake --target-size 256MiB events.chat_messages",
		Flags:  append(compactFlags(), lakeFlag(), jsonFlag(), quietFlag()),
		Action: func(c *cli.Context) error { return lakeCompact(e, c) },
	}
}

func compactFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "max-files", Usage: "files of events become larger than the target where there would be more than `N`", Value: upkeep.DefaultMaxFiles},
		&cli.StringFlag{Name: "target-size", Usage: "largest `SIZE` of a file of events; derived tables have sizes of their own", Value: "128MiB"},
		memoryFlag(), threadsFlag(),
	}
}

func compactOptions(c *cli.Context, bar *progress) (upkeep.Options, error) {
	target, err := parseSize(c.String("target-size"))
	if err != nil {
		return upkeep.Options{}, &usageError{what: fmt.Sprintf("lake %s: --target-size: %v", c.Command.Name, err), try: "weir lake compact --target-size 128MiB"}
	}
	if c.Int("max-files") < 1 {
		return upkeep.Options{}, &usageError{what: "lake " + c.Command.Name + ": --max-files must be at least 1", try: "weir lake compact --max-files 1000"}
	}
	return upkeep.Options{
		MaxFiles: c.Int("max-files"), TargetBytes: target, Session: duckOptions(c), Progress: bar.step, Fault: faultStep,
	}, nil
}

// parseSize reads a size such as 128MiB, 64MB or 1048576.
func parseSize(text string) (int64, error) {
	units := []struct {
		suffix string
		bytes  int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}
	for _, unit := range units {
		digits, ok := strings.CutSuffix(text, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 1 || n > 1<<62/unit.bytes {
			break
		}
		return n * unit.bytes, nil
	}
	return 0, fmt.Errorf("%q is no size such as 128MiB", text)
}

func lakeCompact(e env, c *cli.Context) error {
	bar := e.progress("compact", c.Bool("quiet"))
	defer bar.done()
	opts, err := compactOptions(c, bar)
	if err != nil {
		return err
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	names, err := tableNames(c.Context, lk, c.Args().Slice()...)
	if err != nil {
		return err
	}
	done := []upkeep.Result{}
	for _, name := range names {
		result, err := upkeep.Compact(c.Context, lk, name, opts)
		if err != nil {
			return err
		}
		done = append(done, result)
	}
	if err := catalog.Publish(c.Context, lk, catalog.Options{}); err != nil {
		return err
	}
	bar.done()
	if c.Bool("json") {
		return printJSON(e.stdout, done)
	}
	var rows [][]string
	for _, result := range done {
		if result.Merges > 0 || result.Conflicts > 0 {
			rows = append(rows, compactRow(result))
		}
	}
	if len(rows) > 0 {
		printTable(e.stdout, compactColumns, rows)
	}
	fmt.Fprintf(e.stdout, "%d tables looked at, %d with small files to merge\n", len(done), len(rows))
	return nil
}

var compactColumns = []column{{name: "table"}, {name: "files", right: true}, {name: "now", right: true}, {name: "merges", right: true}, {name: "rows written", right: true}}

func compactRow(r upkeep.Result) []string {
	return []string{r.Table, count(r.FilesBefore), count(r.FilesAfter), count(r.Merges), count(r.RowsWritten)}
}

func lakeVacuumCommand(e env) *cli.Command {
	return &cli.Command{
		Name:      "vacuum",
		Usage:     "delete files that no reader can want any more",
		ArgsUsage: "[TABLE…]",
		Description: "Files that were removed from their table longer ago than the horizon, files and half-written files\n" +
			"that nobody names, and log entries that no version within the horizon needs. Time travel goes back\n" +
			"no further than the horizon; readers that opened the lake within it are not disturbed.\n\n" +
			"Examples:\n   weir lake vacuum --lake mylake --dry-run\n   weir lake vacuum --lake mylake --horizon 720h",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(), horizonFlag(),
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would be deleted, and delete nothing"},
		},
		Action: func(c *cli.Context) error { return lakeVacuum(e, c) },
	}
}

func horizonFlag() cli.Flag {
	return &cli.DurationFlag{Name: "horizon", Usage: "keep what was current within this `TIME`", Value: upkeep.DefaultHorizon}
}

func vacuumOptions(c *cli.Context) (upkeep.VacuumOptions, error) {
	horizon := c.Duration("horizon")
	switch {
	case horizon < 0:
		return upkeep.VacuumOptions{}, &usageError{what: "lake " + c.Command.Name + ": --horizon must not be negative", try: "weir lake vacuum --horizon 168h"}
	case horizon == 0:
		horizon = -1 // none, which the package's zero value is not
	}
	return upkeep.VacuumOptions{Horizon: horizon, Now: time.Now(), DryRun: c.Bool("dry-run"), Tables: c.Args().Slice(), Fault: faultStep}, nil
}

func lakeVacuum(e env, c *cli.Context) error {
	opts, err := vacuumOptions(c)
	if err != nil {
		return err
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	deleted, err := upkeep.Vacuum(c.Context, lk, opts)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(e.stdout, deleted)
	}
	var rows [][]string
	var bytes int64
	for _, deletion := range deleted {
		bytes += deletion.Bytes
		if opts.DryRun {
			rows = append(rows, []string{deletion.Kind, deletion.Path, bytesText(deletion.Bytes)})
		}
	}
	if len(rows) > 0 {
		printTable(e.stdout, []column{{name: "kind"}, {name: "file"}, {name: "size", right: true}}, rows)
	}
	verb := "deleted"
	if opts.DryRun {
		verb = "would be deleted"
	}
	fmt.Fprintf(e.stdout, "%s files %s, %s\n", count(len(deleted)), verb, bytesText(bytes))
	return nil
}

func lakeMaintainCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "maintain",
		Usage: "forget, expire, compact, checkpoint, publish and vacuum: the upkeep of a lake in one command",
		Description: "For cron or a systemd timer, every hour or every day. Run again it finds nothing to do; of two at once\n" +
			"the second waits for the first. Where something has come of somebody who was erased, or a run of\n" +
			"weir erase was stopped, weir erase --apply is done first. Then go rows that are older than the lake's\n" +
			"retention.yaml allows, as by weir lake expire.\n\nExample:\n   weir lake maintain --lake mylake",
		Flags:  append(compactFlags(), lakeFlag(), brokersFlag(), jsonFlag(), quietFlag(), horizonFlag(), nowFlag()),
		Action: func(c *cli.Context) error { return lakeMaintain(e, c) },
	}
}

func lakeMaintain(e env, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	bar := e.progress("maintain", c.Bool("quiet"))
	defer bar.done()
	var opts upkeep.MaintainOptions
	var err error
	if opts.Compact, err = compactOptions(c, bar); err != nil {
		return err
	}
	if opts.Vacuum, err = vacuumOptions(c); err != nil {
		return err
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	// What cannot be carried out does not keep the lake from its upkeep.
	forgotten, eraseErr := eraseLate(c.Context, e, lk, sendingOf(c), opts.Compact.Session)
	expired, expireErr := expireByPolicy(e, c, lk)
	if c.Context.Err() != nil {
		return c.Context.Err()
	}
	done, err := upkeep.Maintain(c.Context, lk, opts)
	bar.done()
	if err := errors.Join(eraseErr, expireErr, err); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(e.stdout, maintained{done, forgotten, expired})
	}
	if len(forgotten.Tables) > 0 || forgotten.Purged > 0 {
		printErased(e, forgotten)
	}
	if went(expired) {
		printExpired(e, expired, false)
	}
	printUpkeep(e, done)
	return nil
}

// maintained is what lake maintain did.
type maintained struct {
	upkeep.Upkeep
	Erased  erasure.Report     `json:"erased"`
	Expired []retention.Result `json:"expired"`
}

func printUpkeep(e env, done upkeep.Upkeep) {
	rows := make([][]string, len(done.Tables))
	for i, t := range done.Tables {
		rows[i] = append(compactRow(t.Result), count(t.Checkpoint), count(t.Deleted), bytesText(t.BytesDeleted))
	}
	if len(rows) > 0 {
		columns := append(compactColumns[:len(compactColumns):len(compactColumns)],
			column{name: "checkpoint", right: true}, column{name: "deleted", right: true}, column{name: "freed", right: true})
		printTable(e.stdout, columns, rows)
	}
	fmt.Fprintf(e.stdout, "%d tables kept up, %s leftovers deleted\n", len(done.Tables), count(done.Leftovers))
}
