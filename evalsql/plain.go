package evalsql

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-lake/weir/lake"
)

// maxLineBytes is the longest line of a JSONL file of results.
const maxLineBytes = lake.MaxEventBytes

// plainRow is a result in weir's own plain form: a line of JSONL, or a row of a
// CSV file whose header has these names. A scenario_id is required, an arm or a
// model, and one of score, passed and error. docs/formats/evals.md describes it.
type plainRow struct {
	Suite            string             `json:"suite"`
	ScenarioID       string             `json:"scenario_id"`
	Category         string             `json:"category"`
	Run              string             `json:"run"`
	Experiment       string             `json:"experiment"`
	Arm              string             `json:"arm"`
	Provider         string             `json:"provider"`
	Model            string             `json:"model"`
	Phase            string             `json:"phase"`
	Metric           string             `json:"metric"`
	Grader           string             `json:"grader"`
	JudgeModel       string             `json:"judge_model"`
	Rubric           string             `json:"rubric"`
	Prompt           string             `json:"prompt"`
	Expected         string             `json:"expected"`
	Output           string             `json:"output"`
	Reason           string             `json:"reason"`
	Error            string             `json:"error"`
	Time             string             `json:"time"`
	Trial            *int64             `json:"trial"`
	Score            *float64           `json:"score"`
	Passed           *bool              `json:"passed"`
	LatencyMS        *float64           `json:"latency_ms"`
	IsCached         *bool              `json:"is_cached"`
	InputTokens      *int64             `json:"input_tokens"`
	CachedTokens     *int64             `json:"cached_tokens"`
	CacheWriteTokens *int64             `json:"cache_write_tokens"`
	OutputTokens     *int64             `json:"output_tokens"`
	ReasoningTokens  *int64             `json:"reasoning_tokens"`
	TotalTokens      *int64             `json:"total_tokens"`
	CostUSD          *float64           `json:"cost_usd"`
	Scores           map[string]float64 `json:"scores"`
}

// plainFields are the names of plainRow and the kinds of their values.
var plainFields = func() map[string]reflect.Kind {
	fields := map[string]reflect.Kind{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[plainRow]()) {
		kind := field.Type.Kind()
		if kind == reflect.Pointer {
			kind = field.Type.Elem().Kind()
		}
		fields[field.Tag.Get("json")] = kind
	}
	return fields
}()

func isJSONLines(_ string, data []byte) bool {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	return len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
}

func isCSV(_ string, data []byte) bool {
	header, _, _ := bytes.Cut(data, []byte("\n"))
	for _, name := range strings.Split(strings.TrimRight(string(header), "\r"), ",") {
		if strings.Trim(strings.TrimSpace(name), `"`) == "scenario_id" {
			return true
		}
	}
	return false
}

// readJSONLines reads a result a line, or one array of results.
func readJSONLines(im *importer, data []byte) error {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		var rows []json.RawMessage
		if err := json.Unmarshal(trimmed, &rows); err != nil {
			return im.reject("not_json", err.Error(), 1, -1, data)
		}
		for i, row := range rows {
			if err := im.plain(row, 0, int64(i)); err != nil {
				return err
			}
		}
		return nil
	}
	line := int64(0)
	for text := range bytes.Lines(data) {
		line++
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		if err := im.plain(text, line, -1); err != nil {
			return err
		}
	}
	return nil
}

// plain reads one result or rejects it.
func (im *importer) plain(text []byte, line, record int64) error {
	reject := func(reason, detail string) error { return im.reject(reason, detail, line, record, text) }
	switch {
	case len(text) > maxLineBytes:
		return reject("too_large", fmt.Sprintf("%d bytes", len(text)))
	case !utf8.Valid(text):
		return reject("invalid_utf8", "")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return reject("not_json", err.Error())
	}
	var row plainRow
	if err := json.Unmarshal(text, &row); err != nil {
		return reject("wrong_type", err.Error())
	}
	r := row.result()
	if row.Time != "" {
		at, err := time.Parse(time.RFC3339, row.Time)
		if err != nil {
			return reject("wrong_type", fmt.Sprintf("time %q: not RFC 3339", row.Time))
		}
		r.time = at.UTC()
	}
	switch {
	case row.ScenarioID == "":
		return reject("incomplete", "no scenario_id")
	case row.Score == nil && row.Passed == nil && row.Error == "":
		return reject("incomplete", "none of score, passed and error")
	case row.Arm == "" && row.Model == "" && im.opts.Arm == "":
		return reject("incomplete", "neither arm nor model")
	}
	for name := range fields {
		if _, known := plainFields[name]; known {
			delete(fields, name)
		}
	}
	if len(fields) > 0 {
		r.extra = compact(fields)
	}
	return im.add(r)
}

func (row plainRow) result() result {
	r := result{source: "eval", trial: row.Trial}
	r.EvalResult = lake.EvalResult{
		Suite: row.Suite, ScenarioID: row.ScenarioID, Category: row.Category, EvalRunID: row.Run, Experiment: row.Experiment, Arm: row.Arm,
		Provider: row.Provider, Model: row.Model, Phase: row.Phase, Metric: row.Metric, Grader: row.Grader, JudgeModel: row.JudgeModel, Rubric: row.Rubric,
		Prompt: row.Prompt, Expected: row.Expected, Output: row.Output, Reason: row.Reason, Error: row.Error,
		Score: row.Score, Passed: row.Passed, LatencyMS: row.LatencyMS, IsCached: row.IsCached,
		Usage: lake.Usage{
			InputTokens: row.InputTokens, CachedTokens: row.CachedTokens, CacheWriteTokens: row.CacheWriteTokens, OutputTokens: row.OutputTokens,
			ReasoningTokens: row.ReasoningTokens, TotalTokens: row.TotalTokens, CostUSD: row.CostUSD,
		},
	}
	if r.Arm == "" {
		r.Arm = row.Model
	}
	if row.Error != "" {
		r.Score, r.Passed = nil, nil
	}
	if len(row.Scores) > 0 {
		r.Scores = compact(row.Scores)
	}
	if row.Prompt != "" || row.Expected != "" {
		r.scenario = &lake.Scenario{Prompt: row.Prompt, Expected: row.Expected, Grader: row.Grader}
	}
	return r
}

// readCSV reads a result a row. Each row becomes the JSON object that a line of
// JSONL would have been; empty cells are absent.
func readCSV(im *importer, data []byte) error {
	reader := csv.NewReader(bytes.NewReader(data))
	reader.FieldsPerRecord = -1
	header, err := reader.Read()
	if err != nil {
		return im.reject("not_csv", err.Error(), 1, -1, data)
	}
	for {
		cells, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			// What follows a broken quote cannot be told from it.
			return im.reject("not_csv", broken.Err.Error(), int64(broken.StartLine), -1, data[min(int(reader.InputOffset()), len(data)):])
		}
		if err != nil {
			return err
		}
		line, _ := reader.FieldPos(0)
		if len(cells) != len(header) {
			detail := fmt.Sprintf("%d cells, the header has %d", len(cells), len(header))
			if err := im.reject("incomplete", detail, int64(line), -1, []byte(strings.Join(cells, ","))); err != nil {
				return err
			}
			continue
		}
		if err := im.plain(cellsToJSON(header, cells), int64(line), -1); err != nil {
			return err
		}
	}
}

func cellsToJSON(header, cells []string) []byte {
	object := map[string]json.RawMessage{}
	for i, name := range header {
		name, cell := strings.TrimSpace(name), cells[i]
		if cell == "" {
			continue
		}
		value := json.RawMessage(compact(cell))
		switch kind := plainFields[name]; {
		case kind == reflect.Bool:
			switch strings.ToLower(cell) {
			case "true", "1", "pass", "passed", "yes":
				value = json.RawMessage("true")
			case "false", "0", "fail", "failed", "no":
				value = json.RawMessage("false")
			}
		case kind != reflect.String && kind != reflect.Invalid && json.Valid([]byte(cell)):
			value = json.RawMessage(cell)
		}
		object[name] = value
	}
	return []byte(compact(object))
}
