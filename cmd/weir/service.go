package main

import (
	"fmt"
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/ingest/metrics"
	"github.com/weir-lake/weir/lake"
)

// Flags of commands that run for months.

func metricsFlag() cli.Flag {
	return &cli.StringFlag{Name: "metrics", Usage: "serve /metrics, /healthz and /readyz on `HOST:PORT`, such as 127.0.0.1:9464", EnvVars: []string{"WEIR_METRICS"}}
}

func logLevelFlag() cli.Flag {
	return &cli.StringFlag{Name: "log-level", Usage: "`LEVEL` of what goes to stderr: debug, info, warn or error", Value: "warn", EnvVars: []string{"WEIR_LOG_LEVEL"}}
}

func logFormatFlag() cli.Flag {
	return &cli.StringFlag{Name: "log-format", Usage: "`FORMAT`: text or json", Value: "text", EnvVars: []string{"WEIR_LOG_FORMAT"}}
}

// serviceLogger is what those flags ask for.
func serviceLogger(e env, c *cli.Context) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return nil, &usageError{what: fmt.Sprintf("%s: unknown log level %q", c.Command.FullName(), c.String("log-level")), try: "--log-level info"}
	}
	opts := &slog.HandlerOptions{Level: level}
	switch format := c.String("log-format"); format {
	case "text":
		return slog.New(slog.NewTextHandler(e.stderr, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(e.stderr, opts)), nil
	default:
		return nil, &usageError{what: fmt.Sprintf("%s: unknown log format %q", c.Command.FullName(), format), try: "--log-format json"}
	}
}

// countRedactions is redactEvent for a sink with metrics.
func countRedactions(lk *lake.Lake, m *metrics.Metrics) func(*lake.Event) {
	redactor := redactorOf(lk)
	return func(event *lake.Event) {
		for kind, n := range redactor.Event(event) {
			m.Redacted(kind, int64(n))
		}
	}
}
