package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/retry"
	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/api"
	"github.com/weir-lake/weir/train/fireworks"
	"github.com/weir-lake/weir/train/mistral"
	"github.com/weir-lake/weir/train/openai"
	"github.com/weir-lake/weir/train/together"
)

// jobAPI is a provider that trains.
type jobAPI struct {
	name     string
	baseURL  string // empty: the environment does not say which
	where    string // variable of the environment that says it, and what it may be; empty: it is one for all
	variable string // of the environment that holds the key
	header   string // that bears it; empty: Authorization
	make     func(*api.Client) train.Provider
}

func jobAPIs() []jobAPI {
	return []jobAPI{
		{name: "openai", baseURL: openai.BaseURL, variable: "OPENAI_API_KEY", make: func(c *api.Client) train.Provider { return openai.New(c) }},
		{
			name: "azure", baseURL: azureURL(), where: "AZURE_OPENAI_ENDPOINT=https://NAME.openai.azure.com", variable: "AZURE_OPENAI_API_KEY",
			header: openai.AzureKeyHeader, make: func(c *api.Client) train.Provider { return openai.NewAzure(c) },
		},
		{name: "together", baseURL: together.BaseURL, variable: "TOGETHER_API_KEY", make: func(c *api.Client) train.Provider { return together.New(c) }},
		{
			name: "fireworks", baseURL: fireworksURL(), where: "FIREWORKS_ACCOUNT_ID=ACCOUNT", variable: "FIREWORKS_API_KEY",
			make: func(c *api.Client) train.Provider { return fireworks.New(c) },
		},
		{name: "mistral", baseURL: mistral.BaseURL, variable: "MISTRAL_API_KEY", make: func(c *api.Client) train.Provider { return mistral.New(c) }},
	}
}

// azureURL is that of the resource which the environment names, as Azure's own
// tools have it; empty: none is named.
func azureURL() string {
	endpoint := strings.TrimRight(os.Getenv("AZURE_OPENAI_ENDPOINT"), "/")
	if endpoint == "" {
		return ""
	}
	return endpoint + "/openai/v1"
}

// fireworksURL is that of the account which the environment names, as Fireworks'
// own client has it; empty: none is named.
func fireworksURL() string {
	account := os.Getenv("FIREWORKS_ACCOUNT_ID")
	if account == "" {
		return ""
	}
	return fireworks.BaseURL(account)
}

func jobAPINames() string {
	var names []string
	for _, known := range jobAPIs() {
		names = append(names, known.name)
	}
	return strings.Join(names, ", ")
}

func trainerOf(e env, c *cli.Context, lk *lake.Lake, provider, model string) (*train.Trainer, error) {
	command := "weir train " + c.Command.Name
	var known *jobAPI
	for _, candidate := range jobAPIs() {
		if candidate.name == provider {
			known = &candidate
		}
	}
	if known == nil {
		return nil, &usageError{what: fmt.Sprintf("train: provider %q: want one of %s", provider, jobAPINames()), try: command + " --help"}
	}
	base, variable := c.String("base-url"), "WEIR_TRAIN_KEY"
	if base == "" {
		base, variable = known.baseURL, known.variable
		if base == "" {
			name, _, _ := strings.Cut(known.where, "=")
			return nil, &usageError{what: "train: " + name + " is not set", try: known.where + " " + command}
		}
		if os.Getenv(variable) == "" {
			return nil, &usageError{what: "train: " + variable + " is not set", try: variable + "=… " + command}
		}
	}
	client, err := api.New(api.Options{BaseURL: base, Key: os.Getenv(variable), KeyHeader: known.header, Logger: e.logger()})
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	price, err := trainPrice(c, lk, provider, model)
	if err != nil {
		return nil, err
	}
	to := trainSending(c)
	trainer := &train.Trainer{
		Lake: lk, Provider: known.make(client), Price: price, Clock: retry.System{}, Logger: e.logger(), Poll: c.Duration("poll"),
		Send: func(ctx context.Context, events ...lake.Event) error {
			return appendAndWait(ctx, e, lk, to, func(ctx context.Context, out lake.Appender) error { return out.Append(ctx, events...) })
		},
	}
	bar, current := e.progress("", to.quiet), ""
	trainer.Progress = func(file string, done, of int64) {
		if file != current {
			bar, current = e.progress("upload "+file, to.quiet), file
		}
		if bar.set(done, of); done == of {
			bar.done()
		}
	}
	return trainer, nil
}

// trainPrice is what the price table says; nil: not known.
func trainPrice(c *cli.Context, lk *lake.Lake, provider, model string) (*float64, error) {
	table, err := priceTable(lk, c.StringSlice("prices"))
	if err != nil {
		return nil, err
	}
	price, _ := table.Training(provider, model)
	return price.Train, nil
}
