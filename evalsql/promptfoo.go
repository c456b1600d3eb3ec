package evalsql

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
)

// promptfooFile is what is read of an export (results version 3, and version 2
// where the names are the same). The config is left out: it may hold secrets.
type promptfooFile struct {
	EvalID  string `json:"evalId"`
	Results struct {
		Timestamp string            `json:"timestamp"`
		Results   []json.RawMessage `json:"results"`
		Prompts   []struct {
			Provider string `json:"provider"`
			Label    string `json:"label"`
		} `json:"prompts"`
	} `json:"results"`
	Config struct {
		Description string `json:"description"`
	} `json:"config"`
}

// promptfooRow is one test case on one provider.
type promptfooRow struct {
	PromptIdx int64 `json:"promptIdx"`
	Prompt    struct {
		Raw   string `json:"raw"`
		Label string `json:"label"`
	} `json:"prompt"`
	Provider      promptfooProvider          `json:"provider"`
	Vars          map[string]json.RawMessage `json:"vars"`
	Metadata      map[string]json.RawMessage `json:"metadata"`
	Success       *bool                      `json:"success"`
	Score         *float64                   `json:"score"`
	NamedScores   map[string]float64         `json:"namedScores"`
	LatencyMS     *float64                   `json:"latencyMs"`
	Cost          *float64                   `json:"cost"`
	Error         string                     `json:"error"`
	FailureReason json.RawMessage            `json:"failureReason"`
	Grading       *struct {
		Reason string `json:"reason"`
	} `json:"gradingResult"`
	Response *struct {
		Output       json.RawMessage `json:"output"`
		Cached       *bool           `json:"cached"`
		Cost         *float64        `json:"cost"`
		TokenUsage   json.RawMessage `json:"tokenUsage"`
		FinishReason string          `json:"finishReason"`
	} `json:"response"`
	TestCase struct {
		Description string                     `json:"description"`
		Vars        map[string]json.RawMessage `json:"vars"`
		Metadata    map[string]json.RawMessage `json:"metadata"`
		Assert      []promptfooAssert          `json:"assert"`
	} `json:"testCase"`
}

type promptfooAssert struct {
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
}

// promptfooProvider is an object, or just its id in older exports.
type promptfooProvider struct{ ID, Label string }

func (p *promptfooProvider) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &p.ID)
	}
	type plain promptfooProvider
	return json.Unmarshal(text, (*plain)(p))
}

func isPromptfoo(_ string, data []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(data))
	var file struct {
		Results *struct {
			Results []struct{} `json:"results"`
		} `json:"results"`
	}
	return dec.Decode(&file) == nil && file.Results != nil && file.Results.Results != nil
}

func readPromptfoo(im *importer, data []byte) error {
	var file promptfooFile
	if err := json.Unmarshal(data, &file); err != nil {
		return im.reject("not_json", err.Error(), 0, -1, data)
	}
	at, _ := time.Parse(time.RFC3339, file.Results.Timestamp) // zero where there is none
	several := promptsPerProvider(file)
	for i, raw := range file.Results.Results {
		var row promptfooRow
		if err := json.Unmarshal(raw, &row); err != nil {
			if err := im.reject("wrong_type", err.Error(), 0, int64(i), raw); err != nil {
				return err
			}
			continue
		}
		if row.Success == nil && row.Error == "" {
			if err := im.reject("incomplete", "neither success nor error", 0, int64(i), raw); err != nil {
				return err
			}
			continue
		}
		r := row.result(several)
		r.EvalRunID, r.Suite, r.time = file.EvalID, file.Config.Description, at.UTC()
		if err := im.add(r); err != nil {
			return err
		}
	}
	return nil
}

// promptsPerProvider says whether the prompt is part of what is compared.
func promptsPerProvider(file promptfooFile) bool {
	labels := map[string]string{}
	for _, p := range file.Results.Prompts {
		if before, seen := labels[p.Provider]; seen && before != p.Label {
			return true
		}
		labels[p.Provider] = p.Label
	}
	return false
}

func (row promptfooRow) result(severalPrompts bool) result {
	r := result{source: "promptfoo"}
	r.ScenarioID = row.scenarioID()
	r.Category = firstText("category", row.TestCase.Metadata, row.Metadata, row.Vars)
	r.Arm = row.Provider.Label
	if r.Arm == "" {
		r.Arm = row.Provider.ID
	}
	if severalPrompts {
		r.Arm += "/" + row.Prompt.Label
	}
	r.Provider, r.Model = splitProvider(row.Provider.ID)
	r.Prompt = row.Prompt.Raw
	r.Grader, r.Expected = row.graders()
	r.Score, r.Passed, r.LatencyMS, r.CostUSD = row.Score, row.Success, row.LatencyMS, row.Cost
	if row.Grading != nil {
		r.Reason = row.Grading.Reason
	}
	if len(row.NamedScores) > 0 {
		r.Scores = compact(row.NamedScores)
	}
	if row.Response != nil {
		r.Output = textOf(row.Response.Output)
		r.IsCached = row.Response.Cached
		if row.Response.Cost != nil && r.CostUSD == nil {
			r.CostUSD = row.Response.Cost
		}
		r.Usage.Raw = string(row.Response.TokenUsage)
		readTokenUsage(row.Response.TokenUsage, &r.Usage)
	}
	if row.hasNoAnswer() {
		// An error is not a failed answer: it has neither score nor verdict.
		r.Error, r.Score, r.Passed = row.Error, nil, nil
		if r.Error == "" {
			r.Error = "no answer"
		}
	} else if r.Reason == "" {
		r.Reason = row.Error // promptfoo puts the text of failed assertions here too
	}
	assert := ""
	if len(row.TestCase.Assert) > 0 {
		assert = compact(row.TestCase.Assert)
	}
	r.scenario = &lake.Scenario{Prompt: r.Prompt, Expected: r.Expected, Grader: r.Grader, GraderConfig: assert}
	return r
}

// hasNoAnswer tells an error from a failed assertion. failureReason is 0 none,
// 1 assertion, 2 error; exports without it have no gradingResult on errors.
func (row promptfooRow) hasNoAnswer() bool {
	switch strings.Trim(string(row.FailureReason), `"`) {
	case "2":
		return true
	case "0", "1":
		return false
	}
	return row.Error != "" && row.Grading == nil
}

// scenarioID finds what a test case is called: promptfoo has no ids of its own,
// and testIdx moves when a case is inserted. Repeats share it.
func (row promptfooRow) scenarioID() string {
	for _, key := range []string{"scenario_id", "scenarioId", "id"} {
		if id := firstText(key, row.TestCase.Metadata, row.Metadata, row.Vars); id != "" {
			return id
		}
	}
	if row.TestCase.Description != "" {
		return row.TestCase.Description
	}
	vars := row.TestCase.Vars
	if vars == nil {
		vars = row.Vars
	}
	sum := md5.Sum([]byte(compact(vars))) // keys come out sorted
	return hex.EncodeToString(sum[:8])
}

// graders names the assertions and, where one compares with a text, that text.
func (row promptfooRow) graders() (grader, expected string) {
	var types []string
	for _, a := range row.TestCase.Assert {
		types = append(types, a.Type)
		if expected == "" && len(a.Value) > 0 && a.Value[0] == '"' {
			expected = textOf(a.Value)
		}
	}
	return strings.Join(types, ","), expected
}

// readTokenUsage takes the tokens of a call. promptfoo's own cached counts
// answers from its cache, not tokens of the provider's: it is left out.
func readTokenUsage(raw json.RawMessage, u *lake.Usage) {
	var usage struct {
		Prompt     *int64 `json:"prompt"`
		Completion *int64 `json:"completion"`
		Total      *int64 `json:"total"`
		Details    *struct {
			Reasoning *int64 `json:"reasoning"`
		} `json:"completionDetails"`
	}
	if json.Unmarshal(raw, &usage) != nil {
		return
	}
	u.InputTokens, u.OutputTokens, u.TotalTokens = usage.Prompt, usage.Completion, usage.Total
	if usage.Details != nil {
		u.ReasoningTokens = usage.Details.Reasoning
	}
}

// splitProvider parts openai:chat:gpt-4.1 into provider and model. Fine-tuned
// models have colons of their own.
func splitProvider(id string) (provider, model string) {
	provider, model, found := strings.Cut(id, ":")
	if !found {
		return "", id
	}
	kind, rest, found := strings.Cut(model, ":")
	switch kind {
	case "chat", "completion", "responses", "messages", "assistant":
		if found {
			model = rest
		}
	}
	return provider, model
}

func firstText(key string, from ...map[string]json.RawMessage) string {
	for _, fields := range from {
		if text := textOf(fields[key]); text != "" {
			return text
		}
	}
	return ""
}

// textOf is the string that raw holds, or raw itself where it is no string.
func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// compact is JSON with sorted keys. What it encodes came from JSON.
func compact(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%q", err.Error())
	}
	return string(text)
}
