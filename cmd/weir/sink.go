package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/ingest"
	"github.com/weir-lake/weir/ingest/metrics"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
)

func sinkCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "sink",
		Usage: "take what waits in Kafka into the lake, each record exactly once",
		Description: "Runs until it is stopped; with --once it drains the topics and exits. Any number of sinks may run on\n" +
			"one lake: they share the partitions out as a consumer group. See docs/operations.md.\n\n" +
			"Examples:\n   weir sink --lake mylake --once\n   weir sink --lake mylake --brokers kafka-1:9092,kafka-2:9092",
		Flags: []cli.Flag{
			lakeFlag(), brokersFlag(), jsonFlag(), quietFlag(),
			&cli.BoolFlag{Name: "once", Usage: "drain and exit"},
			&cli.StringFlag{Name: "group", Usage: "consumer group `NAME`; without it one of the lake's own"},
			&cli.StringSliceFlag{Name: "accept-gap", Usage: "go past lost records, `TOPIC/PARTITION:FROM-TO`, and record the loss"},
			&cli.DurationFlag{Name: "flush-every", Usage: "commit at least this often", Value: ingest.DefaultFlushEvery},
			metricsFlag(), logLevelFlag(), logFormatFlag(),
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			opts := ingest.SinkOptions{Once: c.Bool("once"), FlushEvery: c.Duration("flush-every"), Group: c.String("group")}
			if opts.Group == "" {
				opts.Group = "weir-" + lk.ID()
			}
			for _, text := range c.StringSlice("accept-gap") {
				gap, err := ingest.ParseGap(text)
				if err != nil {
					return &usageError{what: "sink: " + err.Error(), try: "weir sink --accept-gap weir.chat/2:100-199, as the error names it"}
				}
				opts.AcceptGaps = append(opts.AcceptGaps, gap)
			}
			if opts.Logger, err = serviceLogger(e, c); err != nil {
				return err
			}
			if address := c.String("metrics"); address != "" {
				m := metrics.New(metrics.Options{})
				opts.Observer, opts.Redact = m, countRedactions(lk, m)
				server, err := metrics.Serve(address, m)
				if err != nil {
					return err
				}
				defer server.Close()
				opts.Logger.Info("metrics are served", "address", server.Addr())
			}
			report, err := runSink(c.Context, e, lk, sendingOf(c), opts)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, report)
			}
			printSink(e, report)
			return nil
		},
	}
}

// runSink connects, drains or runs, and publishes the catalog: after the drain,
// and every half minute while it runs.
func runSink(ctx context.Context, e env, lk *lake.Lake, to sending, opts ingest.SinkOptions) (ingest.SinkReport, error) {
	if opts.Logger == nil {
		opts.Logger = e.logger()
	}
	conn, err := ingest.Connect(ctx, lk, to.connection(opts.Logger))
	if err != nil {
		return ingest.SinkReport{}, err
	}
	defer conn.Close()
	return drain(ctx, e, lk, conn, opts, to.quiet)
}

const (
	// streamMemory bounds Go's heap while records stream through: the collector
	// would otherwise let garbage grow to as much again. GOMEMLIMIT overrides it.
	streamMemory = 320 << 20
	// publishEvery is how old what readers see may be, give or take a half.
	publishEvery = 30 * time.Second
	// publishWithin bounds the last publication of a sink that was stopped.
	publishWithin = 20 * time.Second
)

func drain(ctx context.Context, e env, lk *lake.Lake, conn *ingest.Conn, opts ingest.SinkOptions, quiet bool) (ingest.SinkReport, error) {
	if os.Getenv("GOMEMLIMIT") == "" {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(streamMemory))
	}
	bar := e.progress("sink", quiet)
	defer bar.done()
	if opts.Logger == nil {
		opts.Logger = e.logger()
	}
	if opts.Redact == nil {
		opts.Redact = redactEvent(lk)
	}
	opts.Progress = bar.set
	opts.Fault = faultStep
	published := func(error) {}
	if m, ok := opts.Observer.(*metrics.Metrics); ok {
		published = m.Published
	}
	if !opts.Once {
		defer catalog.Every(ctx, lk, catalog.EveryOptions{
			Interval: publishEvery, Logger: opts.Logger,
			Before: func() { faultStep("catalog.before-publish") },
			After: func(err error) {
				faultStep("catalog.after-publish")
				published(err)
			},
		})()
	}
	report, err := ingest.Sink(ctx, lk, conn, opts)
	if err != nil {
		return report, err
	}
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if ctx.Err() != nil {
		last, cancel = context.WithTimeout(last, publishWithin)
		defer cancel()
	}
	faultStep("catalog.before-publish")
	err = catalog.Publish(last, lk, catalog.Options{})
	faultStep("catalog.after-publish")
	published(err)
	return report, err
}

func printSink(e env, report ingest.SinkReport) {
	var rows [][]string
	for _, table := range slices.Sorted(maps.Keys(report.Rows)) {
		rows = append(rows, []string{table, count(report.Rows[table])})
	}
	if len(rows) > 0 {
		printTable(e.stdout, []column{{name: "table"}, {name: "rows", right: true}}, rows)
	}
	fmt.Fprintf(e.stdout, "%s records into the lake in %s commits\n", count(report.Records), count(report.Commits))
	for _, reason := range slices.Sorted(maps.Keys(report.DeadLetters)) {
		fmt.Fprintf(e.stdout, "dead letters: %s (%s)\n", count(report.DeadLetters[reason]), reason)
	}
}
