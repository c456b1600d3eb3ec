// Package bundle writes a model of the registry as a folder that another system
// installs: configurations that point its client at the model with the prompt
// that it was trained under, the distillation rules, eval results, a model card,
// checksums, and a test of the installation. It also is that test, for those who
// have weir (Check). It calls no model but in Check. Start at Write.
package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/registry"
)

// Names of a bundle's files.
const (
	CardFile    = "README.md"
	ModelFile   = "model.json"
	ConfigFile  = "config.finetuned.json"
	RequestFile = "request.json"
	PromptFile  = "system_prompt.txt"
	EvalsFile   = "evals.json"
	LiteLLMFile = "litellm.yaml"
	EnvFile     = "model.env"
	TestFile    = "install_test.sh"
	SumsFile    = "SHA256SUMS"
)

// Options of Write.
type Options struct {
	Model   registry.Model
	Dir     string  // new, empty, or an earlier bundle
	Export  string  // folder that was trained on; empty: prompt and rules are not known from it
	Prompt  *string // the minimal system prompt; nil: the one that most lines of the export have
	BaseURL string  // of the API that serves the model, with its version
	KeyName string  // variable of the environment that holds the API's key
	Alias   string  // name that clients use; empty: the model's first alias, else production
}

// Bundle is what Write wrote.
type Bundle struct {
	Dir    string   `json:"dir"`
	Model  string   `json:"model"`
	Prompt string   `json:"system_prompt"`
	Share  float64  `json:"prompt_share"` // of the training lines that open with the prompt, 0 to 1; 0: not known
	Evals  []Eval   `json:"evals"`
	Files  []string `json:"files"`
	Notes  []string `json:"notes"` // what whoever installs it should know
}

// variable is a name that the install test may ask the shell for.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Errors of Write.
var (
	ErrNoModel     = errors.New("its run made no model that can be installed")
	ErrOtherExport = errors.New("the export is not what the model was trained on")
	ErrForeignDir  = errors.New("folder holds something else")
)

// Write writes the bundle. It appears whole or not at all, and the same registry
// and export give the same bytes.
func Write(ctx context.Context, lk *lake.Lake, opts Options) (Bundle, error) {
	b, err := write(ctx, lk, opts)
	if err != nil {
		return b, fmt.Errorf("model package: %s: %w", opts.Model.Name(), err)
	}
	return b, nil
}

// content is a bundle before it is written.
type content struct {
	Bundle
	model    registry.Model
	config   Config
	alias    string
	keyName  string
	rules    []byte // distill.yaml; nil: there are none
	manifest *exporters.Manifest
	sources  []source
}

func write(ctx context.Context, lk *lake.Lake, opts Options) (Bundle, error) {
	m := opts.Model
	if m.Status != "succeeded" || m.ResultModel == "" {
		return Bundle{}, lake.WithHint(fmt.Errorf("%w: it is %s", ErrNoModel, m.Status), "weir train record --result-model NAME names what a local run made")
	}
	if !variable.MatchString(opts.KeyName) {
		return Bundle{}, fmt.Errorf("%q is no name of a variable of the environment", opts.KeyName)
	}
	if base, err := url.Parse(opts.BaseURL); err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" {
		return Bundle{}, lake.WithHint(fmt.Errorf("base URL %q: want http(s)://HOST/VERSION", opts.BaseURL), "--base-url http://localhost:8000/v1")
	}
	c := content{Bundle: Bundle{Dir: opts.Dir, Model: m.ResultModel, Evals: []Eval{}, Notes: []string{}}, model: m, keyName: opts.KeyName, alias: opts.Alias}
	if c.alias == "" {
		c.alias = registry.DefaultAlias
		if len(m.Aliases) > 0 {
			c.alias = m.Aliases[0]
		}
	}
	if err := c.readExport(opts); err != nil {
		return c.Bundle, err
	}
	if err := c.readLake(ctx, lk); err != nil {
		return c.Bundle, err
	}
	if len(m.Taints) > 0 {
		c.note("the model is tainted: %s (weir query tainted_models)", strings.Join(m.Taints, ", "))
	}
	if len(m.Aliases) == 0 {
		c.note("the model is not promoted: it is a %s", m.Standing)
	}
	if len(c.Evals) == 0 {
		c.note("no eval result of the model is in the lake")
	}
	c.config = Config{API: API{URL: strings.TrimRight(opts.BaseURL, "/") + "/chat/completions", Model: m.ResultModel, SystemPrompt: c.Prompt, KeyName: c.keyName}}
	files, err := c.files(strings.TrimRight(opts.BaseURL, "/"))
	if err != nil {
		return c.Bundle, err
	}
	for _, file := range files {
		c.Files = append(c.Files, file.name)
	}
	return c.Bundle, put(opts.Dir, files)
}

func (c *content) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// readExport takes the prompt and the rules from what was trained on.
func (c *content) readExport(opts Options) error {
	if opts.Export == "" {
		if opts.Prompt != nil {
			c.Prompt = *opts.Prompt
			return nil
		}
		c.note("no export was given: the prompt that the model was trained under is not known, and none is set")
		return nil
	}
	manifest, err := exporters.ReadManifest(opts.Export)
	if err != nil {
		return err
	}
	c.manifest = &manifest
	switch {
	case c.model.ExportHash == "":
		c.note("the run does not say which files it trained on: that it was %s is taken on trust", opts.Export)
	case c.model.ExportHash != manifest.ContentHash:
		return lake.WithHint(fmt.Errorf("%w: its files are %.16s…, the run trained on %.16s…", ErrOtherExport, manifest.ContentHash, c.model.ExportHash), "--export the folder that the run was given")
	}
	prompts, err := exporters.Prompts(opts.Export)
	if err != nil {
		return err
	}
	if err := c.choosePrompt(opts.Prompt, prompts); err != nil {
		return err
	}
	c.rules, err = os.ReadFile(filepath.Join(opts.Export, exporters.DistillFile))
	if errors.Is(err, fs.ErrNotExist) {
		c.rules, err = nil, nil
	}
	return err
}

// choosePrompt takes what most of the lines have, and says how many that are.
func (c *content) choosePrompt(given *string, prompts []exporters.Prompt) error {
	var lines, chosen int64
	if given != nil {
		c.Prompt = *given
	} else if len(prompts) > 0 {
		c.Prompt = prompts[0].Text
	}
	for _, p := range prompts {
		lines += p.Lines
		if p.Text == c.Prompt {
			chosen = p.Lines
		}
	}
	if lines > 0 {
		c.Share = float64(chosen) / float64(lines)
	}
	switch {
	case lines == 0:
		c.note("the export has no training line")
	case chosen == 0:
		c.note("no training line has the prompt that was given")
	case chosen < lines:
		c.note("%d of %d training lines have the prompt, others one of %d more", chosen, lines, len(prompts)-1)
	}
	return nil
}

// file is a file of the bundle.
type file struct {
	name string
	text []byte
	mode fs.FileMode
}

// jsonText is indented, and shows <, > and & as they are.
func jsonText(v any) ([]byte, error) {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return []byte(text.String()), err
}
