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
	"github.com/weir-lake/weir/lake/duck"
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
		// First: the request does not hold it, and this run may be killed.
		if err := erasure.Remember(c.Context, lk, id); err != nil {
			return err
		}
		err := appendAndWait(c.Context, e, lk, to, func(ctx context.Context, out lake.Appender) error {
			return out.Append(ctx, erasureEvent(lk, kind, id, c.String("reason"), uuid.NewString()))
		})
		if err != nil {
			return err
		}
	}
	opts := erasureOptions(e, lk, to)
	opts.Names = names
	report, err := erasure.Apply(c.Context, lk, opts)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(e.stdout, report)
	}
	printErased(e, report)
	return nil
}

// erasureOptions are how a lake's erasures are carried out.
func erasureOptions(e env, lk *lake.Lake, to sending) erasure.Options {
	to.wait = true // hashes have to be in the lake before rows go
	return erasure.Options{
		Fault:  faultStep,
		Derive: func(ctx context.Context) error { return deriveLayers(ctx, e, lk, lk, derive.Options{}, to.quiet) },
		Drain:  func(ctx context.Context) error { return emptyBroker(ctx, e, lk, to) },
		Record: func(ctx context.Context, events []lake.Event) error {
			return appendAndWait(ctx, e, lk, to, func(ctx context.Context, out lake.Appender) error { return out.Append(ctx, events...) })
		},
	}
}

// eraseLate carries out the requests again where something of the erased has come
// since, or a run was stopped.
func eraseLate(ctx context.Context, e env, lk *lake.Lake, to sending, session duck.Options) (erasure.Report, error) {
	opts := erasureOptions(e, lk, to)
	opts.Session, opts.IfNeeded = session, true
	return erasure.Apply(ctx, lk, opts)
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

// emptyBroker lets the embedded broker forget what is in the lake; another Kafka
// is not ours to empty.
func emptyBroker(ctx context.Context, e env, lk *lake.Lake, to sending) error {
	conn, err := ingest.Connect(ctx, lk, to.connection(e.logger()))
	if err != nil {
		return err
	}
	defer conn.Close()
	embedded, err := conn.Roll(ctx)
	if err != nil || !embedded {
		return err
	}
	_, err = drain(ctx, e, lk, conn, ingest.SinkOptions{Once: true}, to.quiet)
	return err
}

// recordLines is how many ranges of records are printed; --json has all.
const recordLines = 20

func printErased(e env, report erasure.Report) {
	var rows [][]string
	for _, t := range report.Tables {
		rows = append(rows, []string{t.Table, count(t.Rows), count(int64(t.Files))})
	}
	if len(rows) > 0 {
		printTable(e.stdout, []column{{name: "table"}, {name: "rows taken out", right: true}, {name: "files written again", right: true}}, rows)
	}
	fmt.Fprintf(e.stdout, "%d requests carried out; %s files of older versions deleted\n", report.Requests, count(int64(report.Purged)))
	for _, s := range report.Shared {
		fmt.Fprintf(e.stdout, "%s pieces of text stay in %s: events of others, such as %s, hold the same words\n", count(int64(s.Pieces)), s.Table, printable(s.EventID))
	}
	for _, d := range report.Datasets {
		fmt.Fprintf(e.stdout, "published before: dataset %s, version %s held %s examples of them\n", printable(d.Dataset), printable(d.Version), count(d.Members))
	}
	for _, run := range report.Runs {
		fmt.Fprintf(e.stdout, "trained before: run %s\n", printable(run))
	}
	if len(report.Records) == 0 {
		return
	}
	fmt.Fprintln(e.stdout, "another Kafka still holds these records: see \"Another Kafka\" in docs/erasure.md")
	rows = nil
	for _, r := range report.Records[:min(len(report.Records), recordLines)] {
		rows = append(rows, []string{r.Cluster, r.Topic, count(r.Partition), fmt.Sprintf("%d-%d", r.From, r.To)})
	}
	printTable(e.stdout, []column{{name: "cluster"}, {name: "topic"}, {name: "partition", right: true}, {name: "offsets", right: true}}, rows)
	if more := len(report.Records) - recordLines; more > 0 {
		fmt.Fprintf(e.stdout, "and %s more: --json\n", count(int64(more)))
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
