package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/exporters"
)

// cardData is the front matter of a model card, in Hugging Face's form.
type cardData struct {
	License   string      `yaml:"license"`
	BaseModel string      `yaml:"base_model"`
	Relation  string      `yaml:"base_model_relation"`
	Pipeline  string      `yaml:"pipeline_tag"`
	Tags      []string    `yaml:"tags"`
	Index     []cardIndex `yaml:"model-index,omitempty"`
}

type cardIndex struct {
	Name    string       `yaml:"name"`
	Results []cardResult `yaml:"results"`
}

type cardResult struct {
	Task    cardName     `yaml:"task"`
	Dataset cardName     `yaml:"dataset"`
	Metrics []cardMetric `yaml:"metrics"`
}

type cardName struct {
	Type string `yaml:"type"`
	Name string `yaml:"name"`
}

type cardMetric struct {
	Type  string  `yaml:"type"`
	Name  string  `yaml:"name"`
	Value float64 `yaml:"value"`
}

// card is the model card. What is not known is said, not left out.
func (c *content) card() ([]byte, error) {
	data := cardData{
		License: "unknown", BaseModel: c.model.BaseModel, Relation: "finetune", Pipeline: "text-generation", Tags: []string{"weir", "fine-tuned"},
	}
	if c.model.Method != "" {
		data.Tags = append(data.Tags, c.model.Method)
	}
	results := []cardResult{}
	for _, e := range c.Evals {
		if e.Rate != nil {
			results = append(results, cardResult{
				Task: cardName{"text-generation", "Text generation"}, Dataset: cardName{e.Suite, e.Suite},
				Metrics: []cardMetric{{"pass_rate", strings.TrimSpace("pass rate " + e.Metric), *e.Rate}},
			})
		}
	}
	if len(results) > 0 {
		data.Index = []cardIndex{{Name: c.Model, Results: results}}
	}
	front, err := yaml.Marshal(data)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "---\n%s---\n\n# %s\n\n", front, inline(c.Model))
	c.cardIntro(&text)
	c.cardUse(&text)
	c.cardTraining(&text)
	c.cardEvals(&text)
	c.cardLimits(&text)
	return text.Bytes(), nil
}

func (c *content) cardIntro(text *bytes.Buffer) {
	m := c.model
	fmt.Fprintf(text, "`%s`, tuned from `%s`%s.", inline(c.Model), inline(m.BaseModel), since(m.FinishedAt))
	fmt.Fprintf(text, " Packaged by weir from training run `%s`.\n\n", inline(m.RunID))
	if m.DecidedAt != nil {
		as := ""
		if len(m.Aliases) > 0 {
			as = " as " + strings.Join(m.Aliases, ", ")
		}
		fmt.Fprintf(text, "Standing: **%s**%s: %s (%s, %s).\n\n", m.Standing, inline(as),
			inline(m.Reason), inline(m.DecidedBy), m.DecidedAt.Format(time.DateOnly))
	} else {
		fmt.Fprintf(text, "Standing: **%s**; nobody has decided on it yet.\n\n", m.Standing)
	}
	text.WriteString("The license is for you to fill in: it follows from the base model's and from your data's.\n\n")
}

func (c *content) cardUse(text *bytes.Buffer) {
	fmt.Fprintf(text, "## Use\n\n| file | for |\n| --- | --- |\n")
	for _, row := range [][2]string{
		{ConfigFile, "clients that take a URL, a model and a system prompt"},
		{LiteLLMFile, "LiteLLM's proxy: the model under the name " + inline(c.alias)},
		{EnvFile, "clients that read OpenAI's variables"},
		{PromptFile, "the system prompt that the model was trained under; send just this"},
		{RequestFile, "a request, as it should look"},
		{EvalsFile, "eval results"},
		{ModelFile, "all that the registry has"},
		{TestFile, "sums, and whether the endpoint answers as this model"},
		{SumsFile, "`sha256sum -c SHA256SUMS`"},
	} {
		fmt.Fprintf(text, "| `%s` | %s |\n", row[0], row[1])
	}
	if c.rules != nil {
		fmt.Fprintf(text, "| `%s` | the rules that shortened the prompts: `weir distill apply --rules %s` does the same to live requests |\n", exporters.DistillFile, exporters.DistillFile)
	}
	text.WriteString("\n")
	switch {
	case c.Prompt == "":
		text.WriteString("It is called without a system prompt.\n\n")
	case c.Share > 0:
		fmt.Fprintf(text, "The system prompt has %d characters; %.1f %% of the training lines have it.\n\n", len([]rune(c.Prompt)), 100*c.Share)
	default:
		fmt.Fprintf(text, "The system prompt has %d characters.\n\n", len([]rune(c.Prompt)))
	}
	if c.manifest != nil && c.manifest.Distill != nil && c.manifest.Distill.TokensBefore > 0 {
		d := c.manifest.Distill
		fmt.Fprintf(text, "Distillation (rules `%s`, hash `%s`) took the examples from %d to %d tokens, %.1f %% less.\n\n",
			inline(d.Name), d.Hash, d.TokensBefore, d.TokensAfter, 100*(1-float64(d.TokensAfter)/float64(d.TokensBefore)))
	}
}

func (c *content) cardTraining(text *bytes.Buffer) {
	m := c.model
	fmt.Fprintf(text, "## Training\n\n| | |\n| --- | --- |\n")
	row := func(name, value string) {
		if value == "" {
			value = "not on record"
		}
		fmt.Fprintf(text, "| %s | %s |\n", name, value)
	}
	code := func(value string) string {
		if value == "" {
			return ""
		}
		return "`" + inline(value) + "`"
	}
	row("dataset", code(m.Dataset+"@"+m.DatasetVersion))
	row("dataset hash", code(m.DatasetHash))
	row("hash of the exported files", code(m.ExportHash))
	row("distillation rules", code(m.DistillHash))
	row("method", code(strings.TrimSpace(m.Method+" "+m.Phase)))
	row("trained by", code(strings.TrimSpace(m.Provider+" "+m.JobID)))
	row("configuration", code(compact(m.Config)))
	row("tokens", whole(m.TrainedTokens))
	row("cost", decimal(m.CostUSD, "$%.2f"))
	row("running time", decimal(m.DurationS, "%.0f s"))
	row("final training loss", decimal(m.FinalLoss, "%.4f"))
	row("best validation loss", decimal(m.BestEvalLoss, "%.4f"))
	row("weights", code(m.Weights))
	row("weights hash", code(m.WeightsHash))
	text.WriteString("\n")
	if len(c.sources) == 0 {
		return
	}
	text.WriteString("| side | source | examples | subjects |\n| --- | --- | ---: | ---: |\n")
	for _, s := range c.sources {
		fmt.Fprintf(text, "| %s | %s | %d | %d |\n", inline(s.side), inline(s.name), s.examples, s.subjects)
	}
	text.WriteString("\n")
}

func (c *content) cardEvals(text *bytes.Buffer) {
	text.WriteString("## Evaluation\n\n")
	if len(c.Evals) == 0 {
		text.WriteString("No eval result of this model is in the lake.\n\n")
		return
	}
	text.WriteString("| suite | metric | scenarios | passed | pass rate | 95 % interval | errors |\n| --- | --- | ---: | ---: | ---: | --- | ---: |\n")
	for _, e := range c.Evals {
		rate, interval := "", ""
		if e.Rate != nil {
			rate = decimal(e.Rate, "%.3f")
			interval = decimal(e.Low, "%.3f") + " to " + decimal(e.High, "%.3f")
		}
		fmt.Fprintf(text, "| %s | %s | %d | %d of %d | %s | %s | %d |\n", inline(e.Suite), inline(e.Metric), e.Scenarios, e.Passed, e.Judged, rate, interval, e.Errors)
	}
	text.WriteString("\nErrors are results without an answer, neither passed nor failed. Intervals are Wilson's over scenarios.\n\n")
}

func (c *content) cardLimits(text *bytes.Buffer) {
	text.WriteString("## Limits\n\n")
	for _, note := range c.Notes {
		fmt.Fprintf(text, "- %s\n", inline(note))
	}
	text.WriteString("- What it answers outside the tasks of its dataset was not measured.\n")
}

// inline keeps what others wrote from being Markdown, or another row.
func inline(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ", "<", "&lt;", "`", "'").Replace(text)
}

func since(at *time.Time) string {
	if at == nil {
		return ""
	}
	return ", finished on " + at.Format(time.DateOnly)
}

func whole(n *int64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

func decimal(x *float64, format string) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf(format, *x)
}

func compact(raw json.RawMessage) string {
	var text bytes.Buffer
	if len(raw) == 0 || json.Compact(&text, raw) != nil {
		return ""
	}
	return text.String()
}
