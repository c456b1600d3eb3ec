package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/ingest/files"
	"github.com/weir-lake/weir/ingest/retry"
	"github.com/weir-lake/weir/ingest/source/formats"
	"github.com/weir-lake/weir/lake"
)

func retryFlag() cli.Flag {
	return &cli.BoolFlag{Name: "retry-dead-letters", Usage: "read the records of dead letters again, with --format only its own"}
}

// retryLetters reads the lake's dead letters again.
func retryLetters(e env, c *cli.Context, to sending) error {
	if c.Args().Present() {
		return &usageError{what: "ingest: --retry-dead-letters takes no files: it reads those that the letters name", try: "weir ingest --lake DIR --retry-dead-letters"}
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	var summary files.RetrySummary
	err = appendAndWait(c.Context, e, lk, to, func(ctx context.Context, out lake.Appender) (err error) {
		summary, err = retry.Run(ctx, lk, out, retry.Options{Formats: formats.All(), Format: c.String("format"), Redactor: redactorOf(lk)})
		return err
	})
	if err != nil {
		return err
	}
	left := summary.Letters - summary.Recovered
	if c.Bool("json") {
		if err := printJSON(e.stdout, summary); err != nil {
			return err
		}
	} else {
		var events int64
		for _, n := range summary.Events {
			events += n
		}
		printTable(e.stdout, []column{{name: "dead letters", right: true}, {name: "recovered", right: true}, {name: "failing", right: true},
			{name: "gone", right: true}, {name: "new events", right: true}},
			[][]string{{count(summary.Letters), count(summary.Recovered), count(left - summary.Gone), count(summary.Gone), count(events)}})
		printReasons(e, "still failing", summary.Failing)
		printReasons(e, "secrets replaced", summary.Secrets)
	}
	if left > 0 && c.Bool("strict") {
		return &problemsError{what: fmt.Sprintf("ingest: %s dead letters cannot be read", count(left))}
	}
	return nil
}
