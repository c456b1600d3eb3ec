package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/augment"
	"github.com/weir-lake/weir/augment/llm"
	"github.com/weir-lake/weir/augment/method"
	"github.com/weir-lake/weir/exporters/prices"
	"github.com/weir-lake/weir/lake"
)

func augmentCommand(e env) *cli.Command {
	var docs []string
	for _, m := range method.All() {
		docs = append(docs, fmt.Sprintf("   %-16s %s", m.Name, m.Doc))
	}
	return &cli.Command{
		Name:  "augment",
		Usage: "make variations of training examples, and examples from documents, as events",
		Description: "Methods (the last four ask a language model):\n" + strings.Join(docs, "\n") + "\n\n" + modelHelp +
			"What is in the lake is not made again: a run that was stopped goes on where it was. Failed ones are\n" +
			"tried again by the next run. Afterwards: weir transform.\n\n" +
			"Examples:\n   weir augment --lake mylake\n" +
			"   weir augment --lake mylake --method paraphrase --model gpt-4o-mini --dry-run\n" +
			"   weir augment --lake mylake --method paraphrase,evolve --model gpt-4o-mini --max-usd 5\n" +
			"   weir augment --lake mylake --method behaviour --model gpt-4o-mini --terms 'our code' --max-usd 5",
		Flags: append(modelFlags(),
			&cli.StringFlag{Name: "method", Usage: "`NAME,…`; rules: all that need no model", Value: "rules"},
			&cli.Int64Flag{Name: "seed", Usage: "another `N` makes other variations", Value: 1},
			&cli.IntFlag{Name: "per-root", Usage: "at most `N` variations of one example or section, old ones included", Value: augment.PerRoot},
			&cli.Float64Flag{Name: "max-share", Usage: "at most this `SHARE` of the training set is generated", Value: augment.MaxShare},
			&cli.Int64Flag{Name: "limit", Usage: "make at most `N`; 0: no limit"},
			&cli.StringFlag{Name: "terms", Usage: "`NAME,…` that examples from documents must not use, beside titles and headings"},
		),
		Action: func(c *cli.Context) error { return runAugment(e, c) },
	}
}

const modelHelp = "The model is any OpenAI-compatible endpoint: WEIR_LLM_URL is its base URL with the version\n" +
	"(https://api.example.com/v1), WEIR_LLM_KEY its key. --dry-run shows the plan and what it costs at most.\n" +
	"A budget is one run's; calls that were repeated count.\n\n"

// modelFlags are on the commands that ask a language model.
func modelFlags() []cli.Flag {
	return []cli.Flag{
		lakeFlag(), brokersFlag(), waitFlag(), jsonFlag(), quietFlag(), memoryFlag(), threadsFlag(),
		&cli.StringFlag{Name: "model", Usage: "`NAME` of the model, as the endpoint calls it"},
		&cli.Int64Flag{Name: "max-calls", Usage: "send at most `N` requests"},
		&cli.Int64Flag{Name: "max-tokens", Usage: "read and write at most `N` tokens"},
		&cli.Float64Flag{Name: "max-usd", Usage: "spend at most `USD`"},
		&cli.Float64Flag{Name: "price-in", Usage: "`USD` a million tokens read; without it the built-in table's"},
		&cli.Float64Flag{Name: "price-out", Usage: "`USD` a million tokens written"},
		&cli.IntFlag{Name: "per-minute", Usage: "send at most `N` requests a minute"},
		&cli.IntFlag{Name: "workers", Usage: "`N` requests side by side", Value: 4},
		&cli.DurationFlag{Name: "timeout", Usage: "of one request"},
		&cli.BoolFlag{Name: "dry-run", Usage: "show what would be done; send and write nothing"},
	}
}

// priceOf is what the flags or the built-in table say; nil: not known.
func priceOf(c *cli.Context) (*llm.Price, error) {
	if c.IsSet("price-in") || c.IsSet("price-out") {
		if !c.IsSet("price-in") || !c.IsSet("price-out") {
			return nil, &usageError{what: c.Command.Name + ": --price-in and --price-out go together", try: "weir " + c.Command.Name + " --help"}
		}
		return &llm.Price{Input: c.Float64("price-in"), Output: c.Float64("price-out")}, nil
	}
	table, err := prices.Default()
	if err != nil {
		return nil, err
	}
	price, ok := table.Calls("openai", c.String("model"))
	if !ok || price.Input == nil || price.Output == nil {
		return nil, nil
	}
	return &llm.Price{Input: *price.Input, Output: *price.Output}, nil
}

// modelClient is nil where no model is named, or in a dry run.
func modelClient(e env, c *cli.Context, price *llm.Price) (*llm.Client, error) {
	if c.String("model") == "" || c.Bool("dry-run") {
		return nil, nil
	}
	base := os.Getenv("WEIR_LLM_URL")
	if base == "" {
		return nil, &usageError{what: c.Command.Name + ": WEIR_LLM_URL is not set", try: "WEIR_LLM_URL=https://api.example.com/v1 WEIR_LLM_KEY=… weir " + c.Command.Name}
	}
	client, err := llm.New(llm.Options{
		BaseURL: base, Key: os.Getenv("WEIR_LLM_KEY"), Model: c.String("model"), Timeout: c.Duration("timeout"),
		PerMinute: c.Int("per-minute"), Price: price, Purpose: c.Command.Name, Logger: e.logger(), Temperature: temperature(c),
		Budget: llm.Budget{Calls: c.Int64("max-calls"), Tokens: c.Int64("max-tokens"), USD: c.Float64("max-usd")},
	})
	if errors.Is(err, llm.ErrNoPrice) {
		return nil, &usageError{what: err.Error(), try: "--price-in USD --price-out USD"}
	}
	return client, err
}

// temperature: a judge is to be as steady as it can, a writer is not.
func temperature(c *cli.Context) float64 {
	if c.Command.Name == "judge" {
		return 0
	}
	return 0.7
}

// list splits a flag at commas.
func list(text string) []string {
	var out []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// appendAfterDrain is appendAndWait for work that looks for what earlier runs
// appended: what the embedded broker still holds goes into the lake first.
func appendAfterDrain(ctx context.Context, e env, lk *lake.Lake, to sending, work func(context.Context, lake.Appender) error) error {
	if len(to.brokers) == 0 {
		nothing := func(context.Context, lake.Appender) error { return nil }
		if err := appendAndWait(ctx, e, lk, to, nothing); err != nil {
			return err
		}
	}
	return appendAndWait(ctx, e, lk, to, work)
}

func runAugment(e env, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	methods, err := method.Named(list(c.String("method"))...)
	if err != nil {
		return &usageError{what: "augment: " + err.Error(), try: "weir augment --help"}
	}
	price, err := priceOf(c)
	if err != nil {
		return err
	}
	client, err := modelClient(e, c, price)
	if err != nil {
		return err
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	bar := e.progress("augment", c.Bool("quiet"))
	defer bar.done()
	opts := augment.Options{
		Methods: methods, Seed: c.Int64("seed"), PerRoot: c.Int("per-root"), MaxShare: c.Float64("max-share"), Limit: c.Int64("limit"),
		Terms: list(c.String("terms")), Client: client, Workers: c.Int("workers"), DryRun: c.Bool("dry-run"), Price: price,
		Redact: redactEvent(lk), Progress: bar.set, Session: duckOptions(c),
	}
	to := sending{brokers: brokerList(c), wait: c.Bool("wait"), quiet: c.Bool("quiet")}
	var report augment.Report
	err = appendAfterDrain(c.Context, e, lk, to, func(ctx context.Context, out lake.Appender) (err error) {
		report, err = augment.Run(ctx, lk, out, opts)
		return err
	})
	if errors.Is(err, augment.ErrNoModel) {
		return &usageError{what: err.Error(), try: "weir augment --model NAME"}
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(e.stdout, report)
	}
	printAugment(e, report, opts.DryRun)
	return nil
}

func printAugment(e env, report augment.Report, dry bool) {
	made := "made"
	if dry {
		made = "planned"
	}
	var rows [][]string
	for _, m := range report.Methods {
		var failed int64
		for _, n := range m.Failed {
			failed += n
		}
		rows = append(rows, []string{m.Method, count(m.Made), count(m.AlreadyThere), count(m.NotApplicable), count(failed)})
	}
	printTable(e.stdout, []column{{name: "method"}, {name: made, right: true}, {name: "already there", right: true},
		{name: "not applicable", right: true}, {name: "failed", right: true}}, rows)
	for _, m := range report.Methods {
		for _, reason := range slices.Sorted(maps.Keys(m.Failed)) {
			fmt.Fprintf(e.stdout, "%s failed: %s (%s)\n", m.Method, printable(reason), count(m.Failed[reason]))
		}
	}
	printSpent(e, report.Spent, dry)
	if report.Stopped != "" {
		fmt.Fprintln(e.stderr, "stopped:", report.Stopped)
	}
}

func printSpent(e env, spent llm.Spent, dry bool) {
	if spent.Calls == 0 {
		return
	}
	most := ""
	if dry {
		most = "at most "
	}
	fmt.Fprintf(e.stdout, "%s%s calls, %s tokens read, %s written, $%.4f\n", most, count(spent.Calls), count(spent.InputTokens), count(spent.OutputTokens), spent.USD)
}
