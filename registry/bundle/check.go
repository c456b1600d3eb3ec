package bundle

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/weir-lake/weir/exporters/tokens"
	"github.com/weir-lake/weir/lake"
)

// CheckOptions of Check.
type CheckOptions struct {
	BaseURL string       // another endpoint than the configuration's; empty: that one
	Key     string       // the API's key
	HTTP    *http.Client // nil: http.DefaultClient
	Offline bool         // do not ask the endpoint
	// FullPrompt is the long prompt of before, and Shorten the bundle's rules
	// (distill.Rules.Request): together they must give the bundle's prompt.
	FullPrompt string
	Shorten    func(rules, request []byte) ([]byte, error)
}

// Report is what Check found.
type Report struct {
	Dir          string   `json:"dir"`
	Model        string   `json:"model"`
	URL          string   `json:"url"`
	Files        int      `json:"files"` // whose sums are right
	Answered     string   `json:"answered_as,omitempty"`
	PromptTokens int64    `json:"prompt_tokens,omitempty"` // as the endpoint counts them
	Expected     int64    `json:"expected_tokens,omitempty"`
	Done         []string `json:"done"`     // what was checked, and is right
	Findings     []string `json:"findings"` // what is not
}

const (
	maxReply = 1 << 20
	// What an endpoint counts beside the texts (its template), and how far another
	// vocabulary may be off, before it looks as if somebody added a prompt.
	templateTokens = 64
	tokenFactor    = 2
)

// Check tests an installed bundle: its sums, that a client which follows the
// configuration sends the very prompt that the model was trained under, and that
// the endpoint answers as the model, having counted no prompt beside it.
func Check(ctx context.Context, dir string, opts CheckOptions) (Report, error) {
	r := Report{Dir: dir, Done: []string{}, Findings: []string{}}
	if err := r.check(ctx, opts); err != nil {
		return r, fmt.Errorf("model check: %s: %w", dir, err)
	}
	return r, nil
}

func (r *Report) check(ctx context.Context, opts CheckOptions) error {
	if err := r.sums(); err != nil {
		return err
	}
	var config Config
	if err := readJSON(filepath.Join(r.Dir, ConfigFile), &config); err != nil {
		return err
	}
	r.Model, r.URL = config.API.Model, config.API.URL
	if opts.BaseURL != "" {
		r.URL = strings.TrimRight(opts.BaseURL, "/") + "/chat/completions"
	}
	prompt, err := os.ReadFile(filepath.Join(r.Dir, PromptFile))
	if err != nil {
		return err
	}
	sent, err := json.Marshal(config.request(testQuestion))
	if err != nil {
		return err
	}
	packed, err := os.ReadFile(filepath.Join(r.Dir, RequestFile))
	if err != nil {
		return err
	}
	for _, side := range []struct {
		what string
		text []byte
	}{{"the configuration sends", sent}, {RequestFile + " sends", packed}} {
		r.prompt(side.what, side.text, string(prompt))
	}
	if err := r.rules(config, string(prompt), opts); err != nil {
		return err
	}
	if opts.Offline {
		return nil
	}
	return r.ask(ctx, sent, string(prompt), opts)
}

func (r *Report) done(format string, args ...any) {
	r.Done = append(r.Done, fmt.Sprintf(format, args...))
}

func (r *Report) find(format string, args ...any) {
	r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
}

// sums compares every file with SHA256SUMS.
func (r *Report) sums() error {
	list, err := os.Open(filepath.Join(r.Dir, SumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return lake.WithHint(errors.New("it is no packaged model: there is no "+SumsFile), "weir model package MODEL --out DIR")
	}
	if err != nil {
		return err
	}
	defer list.Close()
	before := len(r.Findings)
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		want, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok || !filepath.IsLocal(name) {
			return fmt.Errorf("%s: line %q is none of sha256sum", SumsFile, lines.Text())
		}
		text, err := os.ReadFile(filepath.Join(r.Dir, name))
		sum := sha256.Sum256(text)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.find("%s is missing", name)
		case err != nil:
			return err
		case hex.EncodeToString(sum[:]) != want:
			r.find("%s was changed", name)
		default:
			r.Files++
		}
	}
	if len(r.Findings) == before {
		r.done("%d files are those of the package", r.Files)
	}
	return lines.Err()
}

// prompt looks at the system prompt of a request.
func (r *Report) prompt(who string, text []byte, want string) {
	var asked request
	if err := json.Unmarshal(text, &asked); err != nil {
		r.find("%s no request: %v", who, err)
		return
	}
	got, systems := "", 0
	for _, m := range asked.Messages {
		if m.Role == "system" || m.Role == "developer" {
			got, systems = m.Content, systems+1
		}
	}
	switch {
	case systems > 1:
		r.find("%s %d system prompts", who, systems)
	case got != want:
		r.find("%s another system prompt than %s: %q", who, PromptFile, short(got))
	case asked.Model != r.Model:
		r.find("%s model %q, not %q", who, asked.Model, r.Model)
	default:
		r.done("%s the prompt that the model was trained under (%d bytes)", who, len(want))
	}
}

// rules shortens the long prompt by the bundle's rules.
func (r *Report) rules(config Config, want string, opts CheckOptions) error {
	if opts.FullPrompt == "" || opts.Shorten == nil {
		return nil
	}
	rules, err := os.ReadFile(filepath.Join(r.Dir, "distill.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("it has no distillation rules that could shorten a prompt")
	}
	if err != nil {
		return err
	}
	config.API.SystemPrompt = opts.FullPrompt
	long, err := json.Marshal(config.request(testQuestion))
	if err != nil {
		return err
	}
	sent, err := opts.Shorten(rules, long)
	if err != nil {
		return err
	}
	r.prompt("the rules make of the full prompt", sent, want)
	return nil
}

// ask asks the endpoint once.
func (r *Report) ask(ctx context.Context, body []byte, prompt string, opts CheckOptions) error {
	asked, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	asked.Header.Set("Content-Type", "application/json")
	if opts.Key != "" {
		asked.Header.Set("Authorization", "Bearer "+opts.Key)
	}
	client := opts.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(asked)
	if err != nil {
		return lake.WithHint(err, "is it the right --base-url, and is the server up?")
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		r.find("%s answers with status %d: %s", r.URL, response.StatusCode, short(string(text)))
		return nil
	}
	var reply struct {
		Model   string `json:"model"`
		Choices []struct {
			Message message `json:"message"`
		} `json:"choices"`
		Usage struct {
			PromptTokens int64 `json:"prompt_tokens"`
		} `json:"usage"`
	}
	if err := json.Unmarshal(text, &reply); err != nil || len(reply.Choices) == 0 {
		r.find("%s answers with what is no chat completion: %s", r.URL, short(string(text)))
		return nil
	}
	r.Answered, r.PromptTokens = reply.Model, reply.Usage.PromptTokens
	if reply.Model != r.Model {
		r.find("%s answers as %q, not as %q", r.URL, reply.Model, r.Model)
	} else {
		r.done("%s answers as %s", r.URL, r.Model)
	}
	return r.counted(prompt)
}

// counted compares what the endpoint counted with what was sent: a proxy that
// adds a prompt of its own shows there.
func (r *Report) counted(prompt string) error {
	encoding, _ := tokens.ForModel(r.Model)
	counter, err := tokens.NewCounter(encoding)
	if err != nil {
		return err
	}
	r.Expected = int64(counter.Text(prompt) + counter.Text(testQuestion))
	switch most := tokenFactor*r.Expected + templateTokens; {
	case r.PromptTokens == 0:
		r.done("the endpoint does not say how many prompt tokens it counted")
	case r.PromptTokens > most:
		r.find("the endpoint counted %d prompt tokens, what was sent has about %d: something on the way adds to the prompt", r.PromptTokens, r.Expected)
	default:
		r.done("the endpoint counted %d prompt tokens, what was sent has about %d", r.PromptTokens, r.Expected)
	}
	return nil
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return nil
}

// short is the beginning of a text for a message.
func short(text string) string {
	runes := []rune(text)
	if len(runes) > 200 {
		return string(runes[:200]) + "…"
	}
	return text
}

// KeyName is the variable of the environment that a bundle's configuration
// names for the API's key.
func KeyName(dir string) (string, error) {
	var config Config
	if err := readJSON(filepath.Join(dir, ConfigFile), &config); err != nil {
		return "", fmt.Errorf("model check: %w", err)
	}
	return config.API.KeyName, nil
}
