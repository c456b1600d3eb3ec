package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/distill"
	"github.com/weir-lake/weir/registry"
	"github.com/weir-lake/weir/registry/bundle"
)

// serving is where a provider serves the models that it has trained, and the
// variable of its key.
func serving(provider string) (baseURL, keyName string) {
	switch provider {
	case "openai":
		return "https://api.openai.com/v1", "OPENAI_API_KEY"
	case "azure":
		return azureURL(), "AZURE_OPENAI_API_KEY"
	case "together":
		return "https://api.together.xyz/v1", "TOGETHER_API_KEY"
	case "fireworks":
		return "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"
	case "mistral":
		return "https://api.mistral.ai/v1", "MISTRAL_API_KEY"
	}
	return "", modelKeyName
}

// modelKeyName is the variable of a key for a server of one's own.
const modelKeyName = "WEIR_MODEL_KEY"

func modelPackage(e env) *cli.Command {
	return &cli.Command{
		Name:      "package",
		Usage:     "write a model as a folder that another system installs",
		ArgsUsage: "MODEL",
		Description: "Configurations that point a client at the model with the prompt that it was trained under, the distillation\n" +
			"rules, eval results, a model card in Hugging Face's form, checksums, and a test of the installation. With\n" +
			"--export the prompt is the one that most training lines have. The same registry and export give the same bytes.\n\n" +
			"Examples:\n   weir model package --lake mylake production --export training --out mymodel\n" +
			"   weir model package --lake mylake january --export training --out mymodel \\\n" +
			"       --base-url http://localhost:8000/v1 && mymodel/install_test.sh",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(),
			&cli.StringFlag{Name: "out", Usage: "new `DIR`, or that of an earlier package"},
			&cli.StringFlag{Name: "export", Usage: "`DIR` that weir export wrote, and that was trained on"},
			&cli.StringFlag{Name: "prompt", Usage: "minimal system prompt, `FILE`; without it the one that most training lines have"},
			&cli.StringFlag{Name: "base-url", Usage: "`URL` of the API that serves the model, with its version; without it the provider's"},
			&cli.StringFlag{Name: "key-name", Usage: "`VARIABLE` of the environment that holds the API's key"},
			&cli.StringFlag{Name: "alias", Usage: "`NAME` that clients call it by; without it the model's own alias"},
		},
		Action: func(c *cli.Context) error {
			name, err := oneModel(c)
			if err != nil {
				return err
			}
			if c.String("out") == "" {
				return &usageError{what: "model package: --out is required", try: "weir model package " + name + " --out DIR"}
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			m, err := registry.Find(c.Context, lk, name)
			if err != nil {
				return err
			}
			opts := bundle.Options{Model: m, Dir: c.String("out"), Export: c.String("export"), Alias: c.String("alias")}
			opts.BaseURL, opts.KeyName = serving(m.Provider)
			if base := c.String("base-url"); base != "" {
				opts.BaseURL, opts.KeyName = base, modelKeyName
			}
			if key := c.String("key-name"); key != "" {
				opts.KeyName = key
			}
			if opts.BaseURL == "" {
				return &usageError{what: fmt.Sprintf("model package: where %s's model is served is not known", m.Provider), try: "weir model package " + name + " --base-url http://localhost:8000/v1"}
			}
			if path := c.String("prompt"); path != "" {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				prompt := string(text)
				opts.Prompt = &prompt
			}
			b, err := bundle.Write(c.Context, lk, opts)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, b)
			}
			fmt.Fprintf(e.stdout, "%s: %s, %d files, prompt of %d bytes, %d eval suites\n", printable(b.Dir), printable(b.Model), len(b.Files)+1, len(b.Prompt), len(b.Evals))
			for _, note := range b.Notes {
				fmt.Fprintln(e.stderr, "note:", printable(note))
			}
			return nil
		},
	}
}

func modelCheck(e env) *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "test a packaged model where it is installed",
		ArgsUsage: "DIR",
		Description: "Sums, the prompt that is sent, and whether the endpoint answers as the model and counts no prompt beside it.\n" +
			"The key comes from the variable that config.finetuned.json names; with --base-url from " + modelKeyName + ". Exits\n" +
			"with 3 on findings. DIR/install_test.sh does the most of it without weir.\n\n" +
			"Examples:\n   weir model check mymodel --offline\n   weir model check mymodel --base-url http://localhost:8000/v1\n" +
			"   weir model check mymodel --full-prompt long.txt     # do the rules shorten it to the very prompt?",
		Flags: []cli.Flag{
			jsonFlag(),
			&cli.StringFlag{Name: "base-url", Usage: "`URL` of another endpoint than the configuration's, with its version"},
			&cli.BoolFlag{Name: "offline", Usage: "do not ask the endpoint"},
			&cli.StringFlag{Name: "full-prompt", Usage: "the prompt of before, `FILE`: the package's rules must make its prompt of it"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Len() != 1 {
				return &usageError{what: "model check: name one folder", try: "weir model check DIR"}
			}
			opts := bundle.CheckOptions{BaseURL: c.String("base-url"), Offline: c.Bool("offline"), Shorten: shortenRequest}
			if path := c.String("full-prompt"); path != "" {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				opts.FullPrompt = string(text)
			}
			if !opts.Offline {
				name := modelKeyName
				if opts.BaseURL == "" {
					var err error
					if name, err = bundle.KeyName(c.Args().First()); err != nil {
						return err
					}
				}
				if opts.Key = os.Getenv(name); opts.Key == "" {
					return &usageError{what: "model check: " + name + " is not set", try: name + "=… weir model check, or --offline"}
				}
			}
			report, err := bundle.Check(c.Context, c.Args().First(), opts)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				if err := printJSON(e.stdout, report); err != nil {
					return err
				}
			} else {
				for _, done := range report.Done {
					fmt.Fprintln(e.stdout, "ok:", printable(done))
				}
				for _, finding := range report.Findings {
					fmt.Fprintln(e.stdout, "failed:", printable(finding))
				}
			}
			if n := len(report.Findings); n > 0 {
				return &problemsError{what: fmt.Sprintf("model check: %d findings", n)}
			}
			return nil
		},
	}
}

// shortenRequest applies a package's rules to a request.
func shortenRequest(rules, request []byte) ([]byte, error) {
	set, err := distill.Parse(rules)
	if err != nil {
		return nil, err
	}
	sent, _, err := set.Request(request, distill.ChatCompletions)
	return sent, err
}
