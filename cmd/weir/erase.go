package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/ingest"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/erasure"
)

func eraseCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "erase",
		Usage: "forget a subject or a person, everywhere in the lake",
		Description: "Records the request, takes the rows out of events and out of everything derived from them, deletes\n" +
			"older versions, log entries and readers' copies, and empties the embedded broker. The request holds a\n" +
			"keyed hash, never the name, and is carried out again after a rebuild. What others hold is listed:\n" +
			"datasets that were published, runs that trained on them, and topics of another Kafka.\n\n" +
			"A run that was stopped goes on with --apply. weir lake verify --erased looks for what is left.\n\n" +
			"Examples:\n   weir erase --lake mylake --person ada@example.com --reason 'her request of 3 March'\n" +
			"   weir erase --lake mylake --apply",
		Flags: []cli.Flag{
			lakeFlag(), brokersFlag(), jsonFlag(), quietFlag(),
			&cli.StringFlag{Name: "subject", Usage: "conversation, task or request `ID`"},
			&cli.StringFlag{Name: "person", Usage: "person `ID`"},
			&cli.StringFlag{Name: "reason", Usage: "why; kept with the request"},
			&cli.BoolFlag{Name: "apply", Usage: "record nothing new: carry out what was asked for so far"},
		},
		Action: func(c *cli.Context) error { return erase(e, c) },
	}
}

func erase(e env, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	kind, id, err := whom(c)
	if err != nil {
		return err
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	to := sendingOf(c)
	to.wait = true // the ledger has to be in the lake
	var names []string
	if id != "" {
		names = append(names, id)
		err := appendAndWait(c.Context, e, lk, to, func(ctx context.Context, out lake.Appender) error {
			return out.Append(ctx, erasureEvent(lk, kind, id, c.String("reason"), uuid.NewString()))
		})
		if err != nil {
			return err
		}
	}
	report, err := erasure.Apply(c.Context, lk, erasure.Options{
		Names: names, Fault: faultStep,
		Derive: func(ctx context.Context) error { return deriveLayers(ctx, e, lk, lk, derive.Options{}, to.quiet) },
	})
	if err != nil {
		return err
	}
	emptied, err := emptyBroker(c.Context, e, lk, to)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(e.stdout, report)
	}
	printErased(e, report, emptied, c.String("brokers"))
	return nil
}

// whom reads the flags: nobody with --apply.
func whom(c *cli.Context) (kind, id string, err error) {
	subject, person := c.String("subject"), c.String("person")
	usage := func(what string) (string, string, error) {
		return "", "", &usageError{what: "erase: " + what, try: "weir erase --person ID --reason TEXT"}
	}
	switch {
	case subject != "" && person != "":
		return usage("--subject or --person, not both")
	case c.Bool("apply"):
		if subject+person != "" {
			return usage("--apply names nobody")
		}
		return "", "", nil
	case subject+person == "" || c.String("reason") == "":
		return usage("whom, and --reason, are required")
	case person != "":
		return "person", person, nil
	}
	return "subject", subject, nil
}

// emptyBroker lets the embedded broker forget what is in the lake. It says
// whether there is one; another Kafka is not ours to empty.
func emptyBroker(ctx context.Context, e env, lk *lake.Lake, to sending) (bool, error) {
	conn, err := ingest.Connect(ctx, lk, to.connection(e.logger()))
	if err != nil {
		return false, err
	}
	defer conn.Close()
	embedded, err := conn.Roll(ctx)
	if err != nil || !embedded {
		return false, err
	}
	_, err = drain(ctx, e, lk, conn, ingest.SinkOptions{Once: true}, to.quiet)
	return true, err
}

func printErased(e env, report erasure.Report, emptied bool, brokers string) {
	var rows [][]string
	for _, t := range report.Tables {
		rows = append(rows, []string{t.Table, count(t.Rows), count(int64(t.Files))})
	}
	if len(rows) > 0 {
		printTable(e.stdout, []column{{name: "table"}, {name: "rows taken out", right: true}, {name: "files written again", right: true}}, rows)
	}
	fmt.Fprintf(e.stdout, "%d requests carried out; %s files of older versions deleted\n", report.Requests, count(int64(report.Purged)))
	if report.Shared > 0 {
		fmt.Fprintf(e.stdout, "%s pieces of text stay, because events of others hold the same words\n", count(int64(report.Shared)))
	}
	for _, d := range report.Datasets {
		fmt.Fprintf(e.stdout, "published before: dataset %s, version %s held %s examples of them\n", d.Dataset, d.Version, count(d.Members))
	}
	for _, run := range report.Runs {
		fmt.Fprintf(e.stdout, "trained before: run %s\n", run)
	}
	if !emptied {
		fmt.Fprintf(e.stdout, "the topics at %s still hold the records: see \"Another Kafka\" in docs/erasure.md\n", brokers)
	}
}

// erasureEvent asks to forget somebody. It holds a keyed hash, never the name.
func erasureEvent(lk *lake.Lake, kind, id, reason, request string) lake.Event {
	hash := lake.KeyedHash(lk.ErasureKey(), kind, id)
	return lake.Event{
		ID: lake.StableID("erasure", request), Source: "weir://erase", Type: "weir.erasure.requested.v1",
		Subject: hash, Time: time.Now().UTC(),
		Data: &lake.Erasure{RequestID: request, Kind: kind, KeyedHash: hash, Reason: reason},
	}
}

// verifyErased looks for what is left of the erased.
func verifyErased(e env, c *cli.Context, lk *lake.Lake) error {
	var names []string
	for _, name := range []string{c.String("subject"), c.String("person")} {
		if name != "" {
			names = append(names, name)
		}
	}
	bar := e.progress("scan", c.Bool("quiet"))
	defer bar.done()
	var read int64
	report, err := erasure.Scan(c.Context, lk, names, func(n int64) {
		read += n
		bar.set(read, 0)
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		if err := printJSON(e.stdout, report); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for _, f := range report.Findings {
			at := ""
			if f.Offset >= 0 {
				at = count(f.Offset)
			}
			rows = append(rows, []string{f.File, f.Where, at, count(int64(f.Count))})
		}
		if len(rows) > 0 {
			printTable(e.stdout, []column{{name: "file"}, {name: "where"}, {name: "at byte", right: true}, {name: "pieces", right: true}}, rows)
		}
		fmt.Fprintf(e.stdout, "%s files, %s, %s decoded: %s pieces looked for, found in %d places\n",
			count(int64(report.Files)), bytesText(report.Bytes), bytesText(report.Decoded), count(int64(report.Prints)), len(report.Findings))
	}
	if report.Prints == 0 {
		return lake.WithHint(errors.New("lake verify --erased: nothing was erased from this lake"), "name whom to look for: --subject ID or --person ID")
	}
	if n := len(report.Findings); n > 0 {
		return &problemsError{what: fmt.Sprintf("lake verify --erased: found in %d places", n)}
	}
	return nil
}
