package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/transforms"
)

// freeze appends, before a transform, what comparisons go by from then on: the
// list of boilerplate where it is asked for, and the order of shingles where
// the lake has grown enough. The report is of the tables that it brought up to
// date for that.
func freeze(e env, c *cli.Context, lk *lake.Lake, tables []*derive.Table) (derive.Report, error) {
	asked := c.Bool("freeze-boilerplate")
	if asked && len(c.StringSlice("as-of")) > 0 {
		return nil, &usageError{what: "transform: --freeze-boilerplate goes on from now, not from --as-of", try: "weir transform --freeze-boilerplate"}
	}
	if !asked {
		// The order only saves time, so it is not worth to wait for a sink.
		if len(c.StringSlice("as-of"))+len(c.StringSlice("only"))+len(brokerList(c)) > 0 {
			return nil, nil
		}
		if grown, err := outgrown(c, lk); err != nil || !grown {
			return nil, err
		}
	}
	only := derive.Options{Only: []string{"curated.example_sketches"}}
	report, err := buildTables(c.Context, e, lk, tables, duckOptions(c), only, c.Bool("quiet"))
	if err != nil {
		return nil, err
	}
	events, err := frozenNow(e, c, lk, asked)
	if err != nil || len(events) == 0 {
		return report, err
	}
	to := sending{brokers: brokerList(c), wait: true, quiet: c.Bool("quiet")}
	err = appendAndWait(c.Context, e, lk, to, func(ctx context.Context, out lake.Appender) error { return out.Append(ctx, events...) })
	if err != nil && !asked && c.Context.Err() == nil {
		fmt.Fprintf(e.stderr, "warning: the order of shingles is not frozen, so that the next transform takes longer: %v\n", err)
		return report, nil
	}
	return report, err
}

// outgrown tells whether the order of shingles is to be frozen, or frozen
// anew, as far as it can be told without building anything.
func outgrown(c *cli.Context, lk *lake.Lake) (bool, error) {
	names, err := lk.Tables(c.Context, "events")
	if err != nil {
		return false, err
	}
	var events int64
	for _, name := range names {
		snapshot, err := duck.Moment{}.Snapshot(c.Context, lk, name)
		if err != nil {
			return false, err
		}
		for _, file := range snapshot.Files {
			events += file.Rows
		}
	}
	if events < transforms.ShinglesLeast {
		return false, nil
	}
	session, pinned, err := duck.OpenLakeAt(c.Context, lk, duck.Moment{}, duckOptions(c))
	if err != nil {
		return false, err
	}
	defer session.Close()
	for _, name := range []string{"curated.example_sketches", "curated.shingle_levels"} {
		if _, ok := pinned.Versions[name]; !ok {
			return true, nil
		}
	}
	var grown bool
	err = session.Get(c.Context, `select count(*) >= coalesce((select 2 * any_value(example_count) from curated.shingle_levels where is_frozen), 0)
		from curated.example_sketches`, &grown)
	return grown, err
}

// frozenNow makes the events from the sketches of now.
func frozenNow(e env, c *cli.Context, lk *lake.Lake, boilerplate bool) (events []lake.Event, err error) {
	session, _, err := duck.OpenLakeAt(c.Context, lk, duck.Moment{}, duckOptions(c))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	now := time.Now().UTC()
	if boilerplate {
		event, n, err := transforms.Boilerplate(c.Context, session, now)
		if err != nil {
			return nil, err
		}
		if !c.Bool("json") {
			fmt.Fprintf(e.stdout, "boilerplate: %s shingles frozen\n", count(int64(n)))
		}
		if event != nil {
			events = append(events, *event)
		}
	}
	event, err := transforms.ShingleLevels(c.Context, session, now)
	if event != nil {
		events = append(events, *event)
	}
	return events, err
}
