package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/ingest/metrics"
)

func brokerCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "broker",
		Usage: "run the lake's embedded Kafka broker as a process of its own",
		Description: "While it runs, ingest and sink of the same lake use it. Any Kafka client on this machine may.\n\n" +
			"Example:\n   weir broker --lake mylake --listen 127.0.0.1:9092",
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.StringFlag{Name: "listen", Usage: "loopback `HOST:PORT`", Value: "127.0.0.1:9092"},
			&cli.IntFlag{Name: "partitions", Usage: "`N` partitions for topics that do not exist yet", Value: broker.DefaultPartitions},
			metricsFlag(),
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			b, err := broker.Open(c.Context, lk, broker.Options{
				Listen: c.String("listen"), Partitions: c.Int("partitions"), Advertise: true, Logger: e.logger(),
			})
			if err != nil {
				return err
			}
			closeMetrics := func() error { return nil }
			if address := c.String("metrics"); address != "" {
				server, err := metrics.Serve(address, metrics.NewBroker(b, lk, metrics.Options{}))
				if err != nil {
					return errors.Join(err, b.Close())
				}
				closeMetrics = server.Close
				fmt.Fprintf(e.stdout, "metrics on http://%s/metrics\n", server.Addr())
			}
			fmt.Fprintf(e.stdout, "listening on %s\n", b.Addr())
			<-c.Context.Done()
			err = closeMetrics() // first: it asks the broker
			return errors.Join(err, b.Close())
		},
	}
}
