package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/exporters/tokens/hf"
	"github.com/weir-lake/weir/lake"
)

// costFlags say by which rules prompts are shortened, and what tokens cost.
func costFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "distill", Usage: "shorten prompts by these frozen rules, YAML `FILE`"},
		&cli.StringFlag{Name: "context", Usage: "of examples longer than the model takes: `split, drop or truncate`", Value: string(target.ContextSplit)},
		tokenizerFlag(), pricesFlag(),
	}
}

func tokenizerFlag() cli.Flag {
	return &cli.StringFlag{Name: "tokenizer", Usage: "count by the model's own tokenizer, a tokenizer.json `FILE`"}
}

// loadTokenizer reads the file of --tokenizer; nil: none is named.
func loadTokenizer(c *cli.Context) (*hf.Tokenizer, error) {
	path := c.String("tokenizer")
	if path == "" {
		return nil, nil
	}
	tokenizer, err := hf.Load(path)
	if errors.Is(err, hf.ErrUnsupported) {
		return nil, lake.WithHint(err, "leave out --tokenizer: tokens are then estimated")
	}
	return tokenizer, err
}

// withCost adds what the flags say to the options.
func withCost(c *cli.Context, lk *lake.Lake, opts *exporters.Options) error {
	opts.Context = target.ContextPolicy(c.String("context"))
	if !slices.Contains(target.ContextPolicies(), opts.Context) {
		return &usageError{what: fmt.Sprintf("export: --context %q: want split, drop or truncate", opts.Context), try: "--context split"}
	}
	if c.String("distill") != "" {
		rules, err := loadRules(c, "distill")
		if err != nil {
			return err
		}
		opts.Distill = rules
	}
	var err error
	if opts.Tokenizer, err = loadTokenizer(c); err != nil {
		return err
	}
	table, err := priceTable(lk, c.StringSlice("prices"))
	if err != nil {
		return err
	}
	opts.Prices = &table
	return nil
}

// printCost prints what training and calls cost, and what rules took out.
func printCost(e env, manifest exporters.Manifest) {
	if d := manifest.Distill; d != nil {
		fmt.Fprintf(e.stdout, "\ndistilled by %s (%s): %s of the examples' tokens are left, %s of %s\n",
			d.Name, d.Hash[:8], percentText(float64(d.TokensAfter)/float64(max(1, d.TokensBefore))), count(d.TokensAfter), count(d.TokensBefore))
		if d.Named > 0 {
			fmt.Fprintf(e.stdout, "%s examples name what was removed (on_named: %s)\n", count(d.Named), d.OnNamed)
		}
	}
	if usd := manifest.Cost.EpochUSD; usd != nil {
		fmt.Fprintf(e.stdout, "\none epoch of %s: about $%.2f (price of %s)\n", manifest.Model, *usd, manifest.Cost.AsOf)
	}
	if calls := manifest.Cost.Calls; calls != nil && calls.TunedUSD != nil && calls.BaseUSD != nil {
		fmt.Fprintf(e.stdout, "1,000 calls like the examples: about $%.2f tuned, $%.2f base (prices of %s)\n", *calls.TunedUSD, *calls.BaseUSD, calls.AsOf)
	}
}
