package genai

import (
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// scores are the names that judges give their scores, and whether more of it is
// better. A name counts that holds the word.
var scores = []struct {
	word   string
	better bool
}{
	{"non-toxic", true}, {"nontoxic", true}, {"no_hallucination", true}, {"unbiased", true}, {"harmless", true},
	{"incorrect", false}, {"inaccura", false}, {"irrelevan", false}, {"unfaithful", false}, {"ungrounded", false}, {"unsafe", false},
	{"unhelpful", false}, {"incomplete", false}, {"incoheren", false}, {"failure", false},
	{"hallucination", false}, {"toxic", false}, {"bias", false}, {"harm", false}, {"pii", false}, {"leak", false}, {"jailbreak", false},
	{"injection", false}, {"error", false}, {"perplexity", false}, {"distance", false}, {"profan", false}, {"refusal", false},
	{"violence", false}, {"hate", false}, {"sexual", false}, {"self_harm", false},
	{"correct", true}, {"accura", true}, {"relevan", true}, {"faithful", true}, {"grounded", true}, {"helpful", true}, {"quality", true},
	{"coheren", true}, {"concise", true}, {"complete", true}, {"success", true}, {"similarity", true}, {"fluency", true}, {"safety", true},
	{"precision", true}, {"recall", true}, {"pass", true}, {"goal", true}, {"exact_match", true}, {"f1", true},
}

// HigherIsBetter is the polarity of a score by its name; nil where the name
// does not tell.
func HigherIsBetter(name string) *bool {
	name = strings.ToLower(name)
	for _, s := range scores {
		if strings.Contains(name, s.word) {
			return &s.better
		}
	}
	return nil
}

// Evaluation is the name of the conventions' event for a judge's score.
const Evaluation = "gen_ai.evaluation.result"

// Judgement reads such an event. The target is the caller's to fill in.
func (e *Event) Judgement() *lake.Judgement {
	a := merged(e.Attributes, rawjson.Parse(e.Body))
	j := &lake.Judgement{
		Rubric: a.String("gen_ai.evaluation.name"), Reasons: a.String("gen_ai.evaluation.explanation"),
		Score: a.Float("gen_ai.evaluation.score.value"), Error: a.String("error.type"),
		JudgeModel: a.String("gen_ai.evaluation.model", "gen_ai.response.model", "gen_ai.request.model"),
	}
	j.HigherIsBetter = HigherIsBetter(j.Rubric)
	label := strings.ToLower(a.String("gen_ai.evaluation.score.label"))
	switch label {
	case "pass", "passed", "true", "fail", "failed", "false":
		passed := label[0] == 'p' || label[0] == 't'
		j.Passed = &passed
	case "":
	default: // a word of the judge's own scale
		j.Reasons = strings.TrimSpace(label + "\n" + j.Reasons)
	}
	return j
}
