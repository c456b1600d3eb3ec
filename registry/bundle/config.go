package bundle

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/exporters"
)

//go:embed install_test.sh
var installTest []byte

// Config is config.finetuned.json: what a client overrides to use the model.
type Config struct {
	API API `json:"api"`
}

// API is where the model is served, and under which prompt.
type API struct {
	URL          string `json:"url"` // of chat completions
	Model        string `json:"model"`
	SystemPrompt string `json:"system_prompt"` // as it was trained; empty: none
	KeyName      string `json:"api_key_env"`   // variable that holds the key
}

// request is a chat completion.
type request struct {
	Model    string    `json:"model"`
	Messages []message `json:"messages"`
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// testQuestion is what the install test asks.
const testQuestion = "Reply with one short sentence."

// request is what a client that follows the configuration sends.
func (c Config) request(question string) request {
	r := request{Model: c.API.Model}
	if c.API.SystemPrompt != "" {
		r.Messages = append(r.Messages, message{Role: "system", Content: c.API.SystemPrompt})
	}
	r.Messages = append(r.Messages, message{Role: "user", Content: question})
	return r
}

// litellm is a configuration of LiteLLM's proxy, to be included in one's own.
type litellm struct {
	Models []litellmModel `yaml:"model_list"`
}

type litellmModel struct {
	Name   string        `yaml:"model_name"`
	Params litellmParams `yaml:"litellm_params"`
	Info   litellmInfo   `yaml:"model_info"`
}

type litellmParams struct {
	Model   string `yaml:"model"`
	APIBase string `yaml:"api_base"`
	APIKey  string `yaml:"api_key"`
}

type litellmInfo struct {
	ID        string `yaml:"id"`
	Mode      string `yaml:"mode"`
	BaseModel string `yaml:"base_model,omitempty"`
}

// files are all files of the bundle but the sums.
func (c *content) files(base string) ([]file, error) {
	config, err := jsonText(c.config)
	if err != nil {
		return nil, err
	}
	model, err := jsonText(c.model)
	if err != nil {
		return nil, err
	}
	evals, err := jsonText(c.Evals)
	if err != nil {
		return nil, err
	}
	ask, err := json.Marshal(c.config.request(testQuestion))
	if err != nil {
		return nil, err
	}
	proxy, err := yaml.Marshal(litellm{Models: []litellmModel{{
		Name:   c.alias,
		Params: litellmParams{Model: "openai/" + c.Model, APIBase: base, APIKey: "os.environ/" + c.keyName},
		Info:   litellmInfo{ID: c.model.RunID, Mode: "chat", BaseModel: c.model.BaseModel},
	}}})
	if err != nil {
		return nil, err
	}
	card, err := c.card()
	if err != nil {
		return nil, err
	}
	env := fmt.Sprintf("# For clients that read OpenAI's variables. The key is not here: set OPENAI_API_KEY from %s.\nOPENAI_BASE_URL=%s\nOPENAI_MODEL=%s\n",
		c.keyName, quoteEnv(base), quoteEnv(c.Model))
	files := []file{
		{CardFile, card, 0o644},
		{ConfigFile, config, 0o644},
		{EvalsFile, evals, 0o644},
		{TestFile, installTest, 0o755},
		{LiteLLMFile, append([]byte("# A model_list entry for LiteLLM's proxy: litellm --config litellm.yaml\n"), proxy...), 0o644},
		{EnvFile, []byte(env), 0o644},
		{ModelFile, model, 0o644},
		{RequestFile, append(ask, '\n'), 0o644},
		{PromptFile, []byte(c.Prompt), 0o644},
	}
	if c.rules != nil {
		files = append(files, file{exporters.DistillFile, c.rules, 0o644})
	}
	return files, nil
}

// quoteEnv quotes a value for sh and for those who read such files, where it has
// anything but what both take as it is.
func quoteEnv(value string) string {
	plain := strings.IndexFunc(value, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-_./:@+,", r))
	}) < 0
	if plain {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
