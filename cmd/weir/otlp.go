package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/ingest"
	"github.com/weir-lake/weir/ingest/metrics"
	"github.com/weir-lake/weir/ingest/otlp"
	"github.com/weir-lake/weir/lake"
)

func listenFlag() cli.Flag {
	return &cli.StringFlag{Name: "listen-otlp", Usage: "take OpenTelemetry's spans and logs at `HOST:PORT` (OTLP over HTTP) until stopped"}
}

// listenOTLP runs the receiver until the command is stopped. With the embedded
// broker a sink runs beside it, so that what comes is in the lake soon and not
// only at the end.
func listenOTLP(e env, c *cli.Context) error {
	if c.Args().Present() || c.IsSet("format") || c.Bool("complete") {
		return &usageError{what: "ingest: --listen-otlp takes neither files nor --format nor --complete", try: "weir ingest --lake DIR --listen-otlp 127.0.0.1:4318"}
	}
	address, err := listenAddress(c.String("listen-otlp"))
	if err != nil {
		return err
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	conn, err := ingest.Connect(c.Context, lk, sendingOf(c).connection(e.logger()))
	if err != nil {
		return err
	}
	defer conn.Close()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return lake.WithHint(fmt.Errorf("ingest: %w", err), "name another port with --listen-otlp")
	}
	receiver := otlp.New(otlp.Options{
		Open:     func(ctx context.Context) (lake.Appender, error) { return ingest.NewProducer(ctx, conn) },
		Redactor: redactorOf(lk),
		Logger:   e.logger(),
	})
	var sink ingest.SinkOptions
	if address := c.String("metrics"); address != "" {
		server, err := serveReceiver(address, lk, receiver, &sink, brokerList(c) == nil)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		defer server.Close()
		fmt.Fprintf(e.stderr, "metrics on http://%s/metrics\n", server.Addr())
	}
	fmt.Fprintf(e.stderr, "listening on http://%s\n", listener.Addr())
	if brokerList(c) == nil {
		err = serveAndDrain(c, e, lk, conn, receiver, listener, sink)
	} else {
		err = receiver.Serve(c.Context, listener)
	}
	stats := receiver.Stats()
	if c.Bool("json") {
		err = errors.Join(err, printJSON(e.stdout, stats))
	} else {
		fmt.Fprintf(e.stdout, "%s requests, %s events, %s dead letters, %s requests refused\n",
			count(stats.Requests), count(stats.Events), count(stats.DeadLetters), count(stats.Refused))
	}
	if err == nil && stats.DeadLetters > 0 && c.Bool("strict") {
		err = &problemsError{what: fmt.Sprintf("ingest: %s dead letters", count(stats.DeadLetters))}
	}
	return err
}

// serveReceiver serves the receiver's metrics, with those of the sink that is to
// run beside it.
func serveReceiver(address string, lk *lake.Lake, receiver *otlp.Receiver, sink *ingest.SinkOptions, withSink bool) (*metrics.Server, error) {
	var m *metrics.Metrics
	if withSink {
		m = metrics.New(metrics.Options{})
		sink.Observer, sink.Redact = m, countRedactions(lk, m)
	}
	return metrics.Serve(address, metrics.NewReceiver(receiver, m, metrics.Options{}))
}

// serveAndDrain stops the receiver also when the sink fails: nobody would take
// what it acknowledges.
func serveAndDrain(c *cli.Context, e env, lk *lake.Lake, conn *ingest.Conn, receiver *otlp.Receiver, listener net.Listener, sink ingest.SinkOptions) error {
	serving, stopServing := context.WithCancel(c.Context)
	defer stopServing()
	// The sink outlives the stop: the last requests are still to be taken in.
	sinking, stopSinking := context.WithCancel(context.WithoutCancel(c.Context))
	defer stopSinking()
	sunk := make(chan error, 1)
	go func() {
		_, err := drain(sinking, e, lk, conn, sink, true)
		stopServing()
		sunk <- err
	}()
	err := receiver.Serve(serving, listener)
	stopSinking()
	if failed := <-sunk; failed != nil && !errors.Is(failed, context.Canceled) {
		return errors.Join(err, failed)
	}
	_, last := drain(context.WithoutCancel(c.Context), e, lk, conn, ingest.SinkOptions{Once: true}, c.Bool("quiet"))
	return errors.Join(err, last)
}

// listenAddress is where to listen: on this machine unless another address is
// named, since whoever reaches the port may write into the lake.
func listenAddress(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", &usageError{what: "ingest: --listen-otlp: " + err.Error(), try: "--listen-otlp 127.0.0.1:4318"}
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}
