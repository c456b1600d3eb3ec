package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/evalsql"
	"github.com/weir-lake/weir/evalsql/report"
	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/ingest"
	"github.com/weir-lake/weir/ingest/files"
	"github.com/weir-lake/weir/ingest/synth"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/transforms"
)

// demoMark is in a folder that weir demo made, so that it may make it again.
const demoMark = ".weir-demo"

// What the made-up fleet holds; its truth.jsonl says the same.
const (
	demoSeed       = 5
	demoEvents     = 600
	demoExperiment = "prompt-distillation"
	demoErased     = "h.sato"
)

func demoCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "demo",
		Usage:       "the whole loop on a made-up fleet: logs in, training files out, evals back",
		Description: "Example:\n   weir demo --out demo",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "new or earlier demo `DIR`", Value: "demo"},
			brokersFlag(), quietFlag(),
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			return runDemo(c.Context, e, c.String("out"), sendingOf(c))
		},
	}
}

// demo is one run: a lake and the fleet that is taken through it.
type demo struct {
	env
	dir     string
	lk      *lake.Lake
	to      sending
	started time.Time
}

func runDemo(ctx context.Context, e env, dir string, to sending) error {
	if err := prepareDemo(dir); err != nil {
		return err
	}
	lk, err := lake.Init(filepath.Join(dir, "lake"), lake.Options{})
	if err != nil {
		return err
	}
	d := &demo{env: e, dir: dir, lk: lk, to: to, started: time.Now()}
	if _, err := synth.Write(ctx, d.fleet(""), synth.Options{Seed: demoSeed, Events: demoEvents}); err != nil {
		return err
	}
	if err := d.takeIn(ctx); err != nil {
		return err
	}
	manifests, err := d.derive(ctx)
	if err != nil {
		return err
	}
	r, err := report.Read(ctx, lk)
	if err != nil {
		return err
	}
	d.summary(r, manifests)
	return nil
}

func (d *demo) fleet(part string) string { return filepath.Join(d.dir, "fleet", part) }

// prepareDemo makes the folder, or empties one that an earlier demo made.
func prepareDemo(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("demo: %w", err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, demoMark)); err != nil {
			return lake.WithHint(fmt.Errorf("demo: %s is not empty, and no demo made it", dir), "weir demo --out another-folder")
		}
		for _, part := range []string{"fleet", "lake", "exports"} {
			if err := os.RemoveAll(filepath.Join(dir, part)); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, demoMark), nil, 0o644)
}

// takeIn sends logs, broken records and eval results through Kafka, and a
// request to forget somebody.
func (d *demo) takeIn(ctx context.Context) error {
	opts := files.Options{Paths: []string{d.fleet("logs"), d.fleet("broken")}}
	if _, err := runIngest(ctx, d.env, d.lk, true, d.to, opts); err != nil {
		return err
	}
	err := appendAndWait(ctx, d.env, d.lk, d.to, func(ctx context.Context, out lake.Appender) error {
		for _, name := range []string{"rules.promptfoo.json", "handoff.jsonl"} {
			if _, err := importFile(ctx, out, d.fleet("evals/"+name), evalsql.ImportOptions{Experiment: demoExperiment, Redact: redactEvent(d.lk)}); err != nil {
				return err
			}
		}
		return out.Append(ctx, erasureEvent(d.lk, "person", demoErased, "asked to be forgotten", "demo"))
	})
	if err != nil || len(d.to.brokers) == 0 {
		return err
	}
	_, err = runSink(ctx, d.env, d.lk, d.to, ingest.SinkOptions{Once: true})
	return err
}

// derive builds the tables of both layers and writes the exports.
func (d *demo) derive(ctx context.Context) ([]exporters.Manifest, error) {
	tables, err := transforms.Tables(d.lk.ErasureKey())
	if err != nil {
		return nil, err
	}
	analyses, err := evalsql.Tables()
	if err != nil {
		return nil, err
	}
	for _, layer := range [][]*derive.Table{tables, analyses} {
		if _, err := buildTables(ctx, d.env, d.lk, layer, duck.Options{}, derive.Options{}, d.to.quiet); err != nil {
			return nil, err
		}
	}
	var manifests []exporters.Manifest
	for _, target := range []string{"openai", "together"} {
		outcome, err := runExport(ctx, d.env, d.lk, exporters.Options{Target: target, Dir: filepath.Join(d.dir, "exports", target)}, d.to.quiet)
		if err != nil {
			return nil, err
		}
		manifests = append(manifests, outcome.Manifest)
	}
	return manifests, nil
}

func (d *demo) summary(r report.Report, manifests []exporters.Manifest) {
	printReport(d.env, r)
	printVerdicts(d.env, r.Goals)
	fmt.Fprintln(d.stdout, "\nfiles written")
	var rows [][]string
	for _, manifest := range manifests {
		rows = append(rows, exportRows(filepath.Join(d.dir, "exports", manifest.Target), manifest)...)
	}
	printTable(d.stdout, exportColumns, rows)
	lakeDir := filepath.Join(d.dir, "lake")
	fmt.Fprintf(d.stdout, "\nthe whole loop took %.1fs; now try\n", time.Since(d.started).Seconds())
	fmt.Fprintln(d.stdout, strings.Join([]string{
		"  duckdb -readonly " + filepath.Join(lakeDir, "catalog.duckdb"),
		"  weir query --lake " + lakeDir + " exclusions",
		"  python -c \"import polars; print(polars.read_parquet('" + lakeDir + "/current/curated/funnel/*.parquet'))\"",
	}, "\n"))
}
