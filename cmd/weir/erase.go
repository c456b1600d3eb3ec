package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
)

func eraseCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "erase",
		Usage: "leave a subject or a person out of every curated table from the next transform on",
		Description: "The request is an event that holds a keyed hash of whom to forget, never the name. The events themselves\n" +
			"stay in events.* and in the topics: removing them there is not built yet.\n\n" +
			"Example:\n   weir erase --lake mylake --person ada@example.com --reason 'her request of 3 March'",
		Flags: []cli.Flag{
			lakeFlag(), brokersFlag(), waitFlag(), quietFlag(),
			&cli.StringFlag{Name: "subject", Usage: "conversation, task or request `ID`"},
			&cli.StringFlag{Name: "person", Usage: "person `ID`"},
			&cli.StringFlag{Name: "reason", Usage: "why; kept with the request"},
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			kind, id := "subject", c.String("subject")
			if person := c.String("person"); person != "" {
				if id != "" {
					return &usageError{what: "erase: --subject or --person, not both", try: "weir erase --help"}
				}
				kind, id = "person", person
			}
			if id == "" || c.String("reason") == "" {
				return &usageError{what: "erase: whom, and --reason, are required", try: "weir erase --person ID --reason TEXT"}
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			request := uuid.NewString()
			to := sendingOf(c)
			err = appendAndWait(c.Context, e, lk, to, func(ctx context.Context, out lake.Appender) error {
				return out.Append(ctx, erasureEvent(lk, kind, id, c.String("reason"), request))
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "recorded request %s; now run: weir transform --lake %s\n", request, c.String("lake"))
			return nil
		},
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
