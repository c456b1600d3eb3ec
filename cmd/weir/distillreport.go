package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/distill"
	"github.com/weir-lake/weir/lake"
)

func distillReport(e env) *cli.Command {
	return &cli.Command{
		Name:  "report",
		Usage: "tokens before and after, and after how many calls the training has paid",
		Description: "A call is a trained reply: what stands before it in its example was read for it. The break-even weighs\n" +
			"the training against what a call of the tuned model with the short prompt costs less than one of the\n" +
			"base model with the long one, at the full price and with the prompt at the cached price. Each --prices\n" +
			"is a table of its own here, put over the built-in one; without any, it is the built-in one and the lake's.\n\n" +
			"Examples:\n   weir distill report --lake mylake --rules rules.yaml\n" +
			"   weir distill report --lake mylake --rules rules.yaml --base gpt-4.1 --prices list.json --prices ours.json",
		Flags: sourceFlags(
			&cli.StringFlag{Name: "target", Usage: "provider's `FORMAT` that is trained with: " + targetNames(), Value: "openai"},
			&cli.StringFlag{Name: "model", Usage: "`MODEL` that is tuned; without it the target's own"},
			&cli.StringFlag{Name: "base", Usage: "`MODEL` that is called with the long prompt today; without it the same"},
			&cli.Float64Flag{Name: "epochs", Usage: "`N` epochs of training", Value: 3},
			tokenizerFlag(), pricesFlag(),
			&cli.StringFlag{Name: "out", Usage: "write what was done to each example to `FILE`, a JSON object a line"},
		),
		Action: func(c *cli.Context) error { return runDistillReport(e, c) },
	}
}

// distillReported is what --json shows.
type distillReported struct {
	distill.Report
	BreakEven []distill.BreakEven `json:"break_even"`
}

func runDistillReport(e env, c *cli.Context) (err error) {
	if err := noArgs(c); err != nil {
		return err
	}
	if c.Float64("epochs") <= 0 {
		return &usageError{what: "distill report: --epochs must be above 0", try: "--epochs 3"}
	}
	rules, err := loadRules(c, "rules")
	if err != nil {
		return err
	}
	t, model, err := modelFor(c)
	if err != nil {
		return err
	}
	lk, opts, err := openSource(c)
	if err != nil {
		return err
	}
	if opts.Tokenizer, err = loadTokenizer(c); err != nil {
		return err
	}
	var visit func(distill.Line) error
	if path := c.String("out"); path != "" {
		file, err2 := os.Create(path)
		if err2 != nil {
			return err2
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		enc := json.NewEncoder(file)
		visit = func(line distill.Line) error { return enc.Encode(line) }
	}
	report, err := distill.Measure(c.Context, lk, rules, model, opts, visit)
	if err != nil {
		return err
	}
	shown := distillReported{Report: report}
	plan := distill.Plan{Provider: t.Provider, Model: model, Base: c.String("base"), Epochs: c.Float64("epochs")}
	if shown.BreakEven, err = breakEvens(lk, report, plan, c.StringSlice("prices")); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(e.stdout, shown)
	}
	printDistillReport(e.stdout, shown)
	return nil
}

// breakEvens reckons with each table.
func breakEvens(lk *lake.Lake, report distill.Report, plan distill.Plan, paths []string) ([]distill.BreakEven, error) {
	if len(paths) == 0 {
		table, err := priceTable(lk, nil)
		name := "built-in"
		if _, err := os.Stat(filepath.Join(lk.Dir(), lakePrices)); err == nil {
			name = "the lake's"
		}
		return report.BreakEven(name, table, plan), err
	}
	var all []distill.BreakEven
	for _, path := range paths {
		table, err := priceTable(lk, []string{path})
		if err != nil {
			return nil, err
		}
		all = append(all, report.BreakEven(path, table, plan)...)
	}
	return all, nil
}

func printDistillReport(w io.Writer, r distillReported) {
	var rows [][]string
	for _, rule := range r.ByRule {
		rows = append(rows, []string{rule.ID, rule.Title, count(rule.Examples), count(rule.Times)})
	}
	printTable(w, []column{{name: "rule"}, {name: "title"}, {name: "examples", right: true}, {name: "times", right: true}}, rows)
	how := ""
	if !r.IsExact {
		how = ", an estimate: the model has another vocabulary"
	}
	fmt.Fprintf(w, "\ntokens (%s%s)\n", r.Encoding, how)
	line := func(what, of string, before, after float64) []string {
		share := "-"
		if before > 0 {
			share = fmt.Sprintf("%.1f %%", 100*(1-after/before))
		}
		return []string{what, of, count(int64(before + .5)), count(int64(after + .5)), share}
	}
	printTable(w, []column{{name: "in"}, {name: "of"}, {name: "before", right: true}, {name: "after", right: true}, {name: "saved", right: true}}, [][]string{
		line("all examples", count(r.Examples)+", "+count(r.Changed)+" changed", float64(r.TokensBefore), float64(r.TokensAfter)),
		line("a call's input, mean", count(r.Calls.Count)+" calls", r.Calls.InputBefore, r.Calls.InputAfter),
		line("… of it, its prompt", "system and tools", r.Calls.PromptBefore, r.Calls.PromptAfter),
	})
	printBreakEven(w, r.BreakEven)
}

func printBreakEven(w io.Writer, all []distill.BreakEven) {
	fmt.Fprintf(w, "\nbreak-even: today %s with the long prompt, then %s, tuned, with the short\n", all[0].Base, all[0].Model)
	var rows [][]string
	var whys []string
	for _, b := range all {
		calls := "not known"
		switch {
		case b.Calls != nil:
			calls = count(*b.Calls)
		case b.AfterUSD != nil && b.BeforeUSD != nil && b.TrainUSD != nil:
			calls = "never"
		}
		if b.Why != "" && !slices.Contains(whys, b.Why) {
			whys = append(whys, b.Why)
		}
		rows = append(rows, []string{b.Prices, b.Caching, usd(b.TrainUSD, 1), usd(b.BeforeUSD, 1000), usd(b.AfterUSD, 1000), calls})
	}
	printTable(w, []column{
		{name: "prices"}, {name: "cached"}, {name: "training $", right: true}, {name: "1,000 calls $", right: true}, {name: "then $", right: true},
		{name: "pays after calls", right: true},
	}, rows)
	for _, why := range whys {
		fmt.Fprintln(w, why)
	}
}

// usd prints money times a number; - where it is not known.
func usd(amount *float64, times float64) string {
	if amount == nil {
		return "-"
	}
	return fmt.Sprintf("%.4g", *amount*times)
}
