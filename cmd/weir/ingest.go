package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/ingest"
	"github.com/weir-lake/weir/ingest/files"
	"github.com/weir-lake/weir/ingest/redact"
	"github.com/weir-lake/weir/ingest/source/formats"
	"github.com/weir-lake/weir/lake"
)

func ingestCommand(e env) *cli.Command {
	var names []string
	for _, format := range formats.All() {
		names = append(names, format.Name)
	}
	return &cli.Command{
		Name:      "ingest",
		Usage:     "read native logs and send them through Kafka into the lake",
		ArgsUsage: "FILE|DIR|URL|-…",
		Description: "Formats are found by content: " + strings.Join(names, ", ") + ".\n" +
			"Compressed files (gzip, zstd) are read. The same file twice is the same events. What cannot be\n" +
			"understood lands in events.dead_letters with file, line and reason.\n\n" +
			"Without --brokers the embedded broker is drained into the lake before the command returns. With it, a\n" +
			"weir sink has to run; --wait waits for it.\n\n" +
			"A URL postgres://USER@HOST/DATABASE is the database of LangGraph's Postgres checkpointer; it is only read.\n" +
			"The password is best in PGPASSWORD or ~/.pgpass.\n\n" +
			"With --retry-dead-letters it reads the records of events.dead_letters again, as after a fix of a parser: in\n" +
			"their files where those are still there, else from the letters' copies. What the lake has is not sent again.\n\n" +
			"With --listen-otlp it takes OpenTelemetry's spans and logs instead, until it is stopped.\n\n" +
			"Examples:\n   weir ingest --lake mylake ~/.claude/projects gateway.jsonl.gz\n   weir ingest --lake mylake --listen-otlp 127.0.0.1:4318\n" +
			"   weir ingest --lake mylake --brokers kafka-1:9092 --wait logs/",
		Flags: []cli.Flag{
			lakeFlag(), brokersFlag(), waitFlag(), jsonFlag(), quietFlag(), listenFlag(), metricsFlag(), retryFlag(),
			&cli.StringFlag{Name: "format", Usage: "read every file as this `FORMAT`"},
			&cli.BoolFlag{Name: "complete", Usage: "nothing more will come of these conversations: do not wait a day before they count"},
			&cli.BoolFlag{Name: "strict", Usage: "exit with 3 if there was a dead letter"},
		},
		Action: func(c *cli.Context) error { return ingestFiles(e, c) },
	}
}

func waitFlag() cli.Flag {
	return &cli.BoolFlag{Name: "wait", Usage: "with --brokers: return when a sink has taken it into the lake"}
}

func ingestFiles(e env, c *cli.Context) error {
	if c.IsSet("listen-otlp") {
		return listenOTLP(e, c)
	}
	if c.Bool("retry-dead-letters") {
		return retryLetters(e, c, sendingOf(c))
	}
	if !c.Args().Present() {
		return &usageError{what: "ingest: no file named", try: "weir ingest --lake DIR FILE"}
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	paths, remotes, err := inputsOf(c.Args().Slice())
	if err != nil {
		return err
	}
	opts := files.Options{Paths: paths, Remotes: remotes, Format: c.String("format"), Stdin: e.stdin}
	summary, err := runIngest(c.Context, e, lk, c.Bool("complete"), sendingOf(c), opts)
	if err != nil && !errors.Is(err, files.ErrUnreadable) {
		return err
	}
	if c.Bool("json") {
		if err := printJSON(e.stdout, summary); err != nil {
			return err
		}
	} else {
		printIngest(e, summary)
	}
	if err != nil {
		return err
	}
	if n := summary.Total.DeadLetterCount(); n > 0 && c.Bool("strict") {
		return &problemsError{what: fmt.Sprintf("ingest: %s dead letters", count(n))}
	}
	return nil
}

func runIngest(ctx context.Context, e env, lk *lake.Lake, complete bool, to sending, opts files.Options) (files.Summary, error) {
	opts.Formats = formats.All()
	opts.Redactor = redactorOf(lk)
	var summary files.Summary
	var unreadable error
	err := appendAndWait(ctx, e, lk, to, func(ctx context.Context, out lake.Appender) error {
		list, err := files.List(opts.Paths)
		if err != nil {
			return err
		}
		var read, total int64
		for _, file := range list {
			total += file.Bytes
		}
		bar := e.progress("ingest", to.quiet)
		defer bar.done()
		opts.Progress = func(n int64) {
			read += n
			bar.set(read, total)
		}
		summary, err = files.Ingest(ctx, out, opts)
		if errors.Is(err, files.ErrUnreadable) {
			unreadable, err = err, nil // what could be read still goes into the lake
		}
		if err != nil || !complete {
			return err
		}
		return out.Append(ctx, completeEvent(time.Now().UTC()))
	})
	if err == nil {
		err = unreadable
	}
	return summary, err
}

// completeEvent says that what was sent before it has ended: see
// curated.watermark.
func completeEvent(now time.Time) lake.Event {
	return lake.Event{
		ID: lake.StableID("config", "complete", now.Format(time.RFC3339Nano)), Source: "weir://ingest", Type: "weir.config.set.v1",
		Subject: "config:complete", Time: now, Data: &lake.Config{Kind: "complete"},
	}
}

func printIngest(e env, summary files.Summary) {
	row := func(name string, c files.Counts) []string {
		return []string{name, count(c.Files), count(c.Records), count(c.EventCount()), count(c.DeadLetterCount()), bytesText(c.Bytes)}
	}
	var rows [][]string
	for _, c := range summary.Formats {
		name := c.Format
		if name == "" {
			name = "(none)"
		}
		rows = append(rows, row(name, c))
	}
	if len(rows) > 1 {
		rows = append(rows, row("total", summary.Total))
	}
	printTable(e.stdout, []column{{name: "format"}, {name: "files", right: true}, {name: "records", right: true},
		{name: "events", right: true}, {name: "dead letters", right: true}, {name: "size", right: true}}, rows)
	printReasons(e, "dead letters", summary.Total.DeadLetters)
	printReasons(e, "secrets replaced", summary.Total.Secrets)
	for _, file := range summary.Files {
		if file.Error != "" {
			fmt.Fprintf(e.stderr, "%s: %s\n", file.Name, file.Error)
		}
	}
}

func printReasons(e env, what string, reasons map[string]int64) {
	if len(reasons) == 0 {
		return
	}
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		parts = append(parts, reason+" "+count(reasons[reason]))
	}
	printWrapped(e, what+":", parts)
}

// sending is how events get into the lake.
type sending struct {
	brokers  []string // none: the embedded broker, drained at once
	security ingest.Security
	wait     bool // for the sink of a real cluster
	quiet    bool
}

// sendingOf reads the flags.
func sendingOf(c *cli.Context) sending {
	return sending{brokers: brokerList(c), security: kafkaSecurity(c), wait: c.Bool("wait"), quiet: c.Bool("quiet")}
}

// connection is how to connect to the brokers.
func (s sending) connection(logger *slog.Logger) ingest.ConnOptions {
	return ingest.ConnOptions{Brokers: s.brokers, Security: s.security, Logger: logger}
}

// appendAndWait gives work an appender and returns when what it appended is
// where it should be: in the lake, or acknowledged by the cluster.
func appendAndWait(ctx context.Context, e env, lk *lake.Lake, to sending, work func(context.Context, lake.Appender) error) error {
	conn, err := ingest.Connect(ctx, lk, to.connection(e.logger()))
	if err != nil {
		return err
	}
	defer conn.Close()
	producer, err := ingest.NewProducer(ctx, conn)
	if err != nil {
		return err
	}
	if err := work(ctx, producer); err != nil {
		return err
	}
	positions, err := producer.Flush(ctx)
	if err != nil {
		return err
	}
	switch {
	case len(to.brokers) == 0:
		_, err = drain(ctx, e, lk, conn, ingest.SinkOptions{Once: true}, to.quiet)
	case to.wait:
		err = ingest.Wait(ctx, lk, positions)
	}
	return err
}

// redactorOf replaces what the lake keeps out.
func redactorOf(lk *lake.Lake) *redact.Redactor {
	return redact.New(redact.Options{Personal: lk.Personal()})
}

// redactEvent takes secrets out of events that do not come from files.
func redactEvent(lk *lake.Lake) func(*lake.Event) {
	redactor := redactorOf(lk)
	return func(event *lake.Event) { redactor.Event(event) }
}
