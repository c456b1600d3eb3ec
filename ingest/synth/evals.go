package synth

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Scenarios of the two suites. Both arms run each of them.
const (
	ruleScenarios    = 24 // promptfoo, one trial
	handoffScenarios = 16 // plain JSONL, two trials
)

var categories = []string{"coordination", "handoff", "conflict", "constitutional"}

// scenario is one scenario of a suite with its difficulty.
type scenario struct {
	id, category, prompt, expected string
	easy                           float64 // chance that a good model passes
	luck                           float64 // what both arms meet in this scenario, 0 to 1
}

func newScenario(r *rand.Rand, prefix string, i int) scenario {
	t, p := newTopic(r), principles[i%len(principles)]
	return scenario{
		id: fmt.Sprintf("%s-%03d", prefix, i), category: categories[i%len(categories)],
		prompt: t.ask(r) + " Which principle applies, and what do you do first?", expected: p.title,
		easy: 0.6 + 0.4*r.Float64(), luck: r.Float64(),
	}
}

// answer is what an arm makes of a scenario. Arms mostly fail on the same
// scenarios, as models do: that is what pairing them is for.
func (s scenario) answer(r *rand.Rand, arm string) (output string, passed bool) {
	chance, luck := s.easy, s.luck
	if arm == tuned {
		chance -= 0.02
	}
	if own := r.Float64(); r.IntN(4) == 0 {
		luck = own
	}
	if passed = luck < chance; passed {
		return fmt.Sprintf("%s. I would first tell the person who asked, then act. %s", s.expected, pick(r, notes)), true
	}
	return "I would start at once. " + pick(r, notes), false
}

func (w *writer) evals() error {
	r := stream(w.seed, forEvals, 0)
	if err := w.out.file("evals/rules.promptfoo.json", w.promptfoo(r)); err != nil {
		return err
	}
	return w.out.file("evals/handoff.jsonl", w.plainEvals(r))
}

// promptfoo is the export of one promptfoo run over two providers.
func (w *writer) promptfoo(r *rand.Rand) []byte {
	at := epoch.Add(span)
	var results []any
	passes, failures, errors := 0, 0, 0
	for i := range ruleScenarios {
		s := newScenario(r, "rule", i)
		for promptIdx, arm := range []string{control, tuned} {
			output, passed := s.answer(r, arm)
			prompt, completion := int64(900), int64(len(output)/4+1)
			if arm == tuned {
				prompt = 120
			}
			p := prices[arm]
			cost := math.Round(float64(prompt)*p.input+float64(completion)*p.output) / 1e6
			latency := int64(math.Round(700 * math.Exp(0.4*r.NormFloat64())))
			row := map[string]any{
				"id": uuid(r), "promptIdx": promptIdx, "testIdx": i, "promptId": letters(r, "0123456789abcdef", 64), "success": passed, "score": 0, "latencyMs": latency,
				"cost": cost, "namedScores": map[string]any{}, "vars": map[string]any{"request": s.prompt}, "provider": map[string]any{"id": "openai:chat:" + models[arm], "label": arm},
				"prompt":        map[string]any{"raw": s.prompt, "label": "{{request}}"},
				"testCase":      map[string]any{"description": s.id, "vars": map[string]any{"request": s.prompt}, "metadata": map[string]any{"category": s.category}, "assert": []any{map[string]any{"type": "contains", "value": s.expected}}},
				"failureReason": 0, "metadata": map[string]any{"category": s.category},
				"response": map[string]any{"output": output, "cached": false, "cost": cost, "finishReason": "stop",
					"tokenUsage": map[string]any{"total": prompt + completion, "prompt": prompt, "completion": completion}},
			}
			grading := map[string]any{"pass": passed, "score": 0, "reason": "All assertions passed", "namedScores": map[string]any{}}
			switch {
			case i == 11 && arm == control: // the provider gave no answer
				row["success"], row["failureReason"], row["error"] = false, 2, "API error: 503 Service Unavailable"
				delete(row, "response")
				errors++
			case passed:
				row["score"], grading["score"], row["gradingResult"] = 1, 1, grading
				passes++
			default:
				reason := fmt.Sprintf("Expected output to contain %q", s.expected)
				grading["reason"], row["gradingResult"] = reason, grading
				row["error"], row["failureReason"] = reason, 1 // promptfoo puts a failed assertion here too
				failures++
			}
			if i == 5 && passed { // served from promptfoo's own cache
				row["response"].(map[string]any)["cached"] = true
				row["latencyMs"], row["cost"] = 1, 0
			}
			results = append(results, row)
		}
	}
	return append(encode(map[string]any{
		"evalId": "eval-" + letters(r, alphanumeric, 3) + "-" + at.Format("2006-01-02T15:04:05"),
		"results": map[string]any{
			"version": 3, "timestamp": stamp(at), "results": results,
			"prompts": []any{map[string]any{"provider": control, "label": "{{request}}"}, map[string]any{"provider": tuned, "label": "{{request}}"}},
			"stats":   map[string]any{"successes": passes, "failures": failures, "errors": errors},
		},
		"config":       map[string]any{"description": "harbour-rules"},
		"shareableUrl": nil,
	}), '\n')
}

type evalLine struct {
	Suite        string  `json:"suite"`
	ScenarioID   string  `json:"scenario_id"`
	Category     string  `json:"category"`
	Run          string  `json:"run"`
	Experiment   string  `json:"experiment"`
	Arm          string  `json:"arm"`
	Model        string  `json:"model"`
	Metric       string  `json:"metric"`
	Grader       string  `json:"grader"`
	Prompt       string  `json:"prompt"`
	Expected     string  `json:"expected"`
	Output       string  `json:"output"`
	Trial        int     `json:"trial"`
	Score        float64 `json:"score"`
	Passed       bool    `json:"passed"`
	LatencyMS    int64   `json:"latency_ms"`
	InputTokens  int64   `json:"input_tokens"`
	OutputTokens int64   `json:"output_tokens"`
	CostUSD      float64 `json:"cost_usd"`
	Time         string  `json:"time"`
}

// plainEvals is a run of another suite in weir's own plain form.
func (w *writer) plainEvals(r *rand.Rand) []byte {
	var out bytes.Buffer
	at := epoch.Add(span)
	for i := range handoffScenarios {
		s := newScenario(r, "handoff", i)
		s.category = "handoff"
		for _, arm := range []string{control, tuned} {
			for trial := range 2 {
				output, passed := s.answer(r, arm)
				line := evalLine{
					Suite: "handoff", ScenarioID: s.id, Category: s.category, Run: "handoff-2026-03-30", Experiment: experiment, Arm: arm, Model: models[arm],
					Metric: "task_completion", Grader: "exact", Prompt: s.prompt, Expected: s.expected, Output: output, Trial: trial, Passed: passed,
					LatencyMS: int64(math.Round(600 * math.Exp(0.4*r.NormFloat64()))), InputTokens: 140, OutputTokens: int64(len(output)/4 + 1),
				}
				if arm == control {
					line.InputTokens = 940
				}
				if passed {
					line.Score = 1
				}
				line.CostUSD = math.Round(float64(line.InputTokens)*prices[arm].input+float64(line.OutputTokens)*prices[arm].output) / 1e6
				at = at.Add(2 * time.Second)
				line.Time = stamp(at)
				out.Write(encode(line))
				out.WriteByte('\n')
			}
		}
	}
	return out.Bytes()
}
