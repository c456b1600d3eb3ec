package distill_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/distill"
	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms/transformstest"
)

const (
	method  = "## The Three Looks Method\n1. Look at the tide table.\n2. Look at the berth.\n3. Look at the crew list, and say what you saw."
	opening = "You are the harbour desk."
)

// desk is a lake of calls under one long prompt; some answers name its method.
func desk(t *testing.T, calls int, names func(i int) bool) *lake.Lake {
	t.Helper()
	lk := laketest.New(t)
	final := true
	var events []lake.Event
	for i := range calls {
		answer := fmt.Sprintf("Tide is high, berth %d is free and the crew is there.", i)
		if names(i) {
			answer = fmt.Sprintf("By the three-looks method, berth %d.", i)
		}
		subject := fmt.Sprintf("ticket-%03d", i)
		events = append(events, lake.Event{
			ID: lake.StableID("test", subject), Source: "test://gateway", Type: "weir.gateway.call.v1", Subject: subject,
			Time: laketest.Start.Add(-48*time.Hour + time.Duration(i)*time.Minute),
			Data: &lake.GatewayCall{
				RequestID: subject, ResponseID: "r-" + subject, Status: "success", IsFinal: &final, Model: "gpt-4.1", Agent: "desk",
				Messages: []lake.Message{{Role: "system", Content: opening + "\n\n" + method + "\n"}, {Role: "user", Content: fmt.Sprintf("Where does the ferry number %d berth tonight?", i)}},
				Tools:    []lake.Tool{{Name: "tide", Description: "Gives the tide.", Parameters: `{"type":"object","properties":{"day":{"type":"string","description":"Which day."}}}`}},
				Output:   []lake.Message{{Role: "assistant", Content: answer}},
			},
		})
	}
	laketest.Append(t, lk, events...)
	transformstest.Build(t, lk)
	return lk
}

// What is suggested is what the phase's kinds hold, to the letter, and finds in
// the examples what was sent with them.
func TestSuggestedRulesFitTheLake(t *testing.T) {
	lk := desk(t, 12, func(i int) bool { return i < 3 })
	s, err := distill.Suggest(t.Context(), lk, distill.SuggestOptions{Name: "desk", Kinds: []string{"methodology", "tools"}})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := distill.Parse(s.File)
	if err != nil {
		t.Fatal(err)
	}
	if len(rules.Set) != 2 || rules.Set[0].Text != method && rules.Set[1].Text != method {
		t.Fatalf("%s", s.File)
	}
	report, err := distill.Measure(t.Context(), lk, rules, "gpt-4.1-mini", exporters.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.Examples == 0 || report.Changed != report.Examples || report.TokensAfter >= report.TokensBefore {
		t.Errorf("%+v", report)
	}
	err = exporters.Each(t.Context(), lk, exporters.Options{}, func(e canonical.Example) error {
		rules.Example(&e)
		if e.Messages[0].Content != opening || e.Tools[0].Description != "" || strings.Contains(e.Tools[0].Parameters, "Which day") {
			t.Errorf("%+v %+v", e.Messages[0], e.Tools[0])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	if _, err := distill.Suggest(t.Context(), lk, distill.SuggestOptions{Name: "desk", Kinds: []string{"file_operations"}}); err == nil {
		t.Error("nothing to suggest is no error")
	}
}

func TestCheckFindsWhatIsNamedAndWhatIsNotShown(t *testing.T) {
	lk := desk(t, 12, func(i int) bool { return i < 3 })
	s, err := distill.Suggest(t.Context(), lk, distill.SuggestOptions{Name: "desk", Kinds: []string{"methodology"}})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := distill.Parse(s.File)
	if err != nil {
		t.Fatal(err)
	}
	// A judge saw the method in none of two examples.
	var ids []string
	if err := exporters.Each(t.Context(), lk, exporters.Options{}, func(e canonical.Example) error { ids = append(ids, e.ID); return nil }); err != nil {
		t.Fatal(err)
	}
	no, higher, score := false, true, 1.0
	for i, id := range ids[:2] {
		laketest.Append(t, lk, lake.Event{
			ID: lake.StableID("judgement", id), Source: "test://judge", Type: "weir.judgement.scored.v1", Subject: id, Time: laketest.Start.Add(time.Duration(i) * time.Second),
			Data: &lake.Judgement{TargetKind: "example", TargetID: id, Rubric: distill.Rubric, RubricVersion: "2", JudgeModel: "judge", Score: &score, HigherIsBetter: &higher, Passed: &no},
		})
	}
	transformstest.Build(t, lk)

	var findings []distill.Finding
	checked, err := distill.Check(t.Context(), lk, rules, exporters.Options{}, func(f distill.Finding) { findings = append(findings, f) })
	if err != nil {
		t.Fatal(err)
	}
	c := checked[0]
	if c.Named != 3 || c.Judged != 2 || c.Passed != 0 || c.Shown != nil || c.Examples < 3 {
		t.Errorf("%+v", c)
	}
	if len(findings) != 4 || findings[0].ExampleID == "" || findings[3].ExampleID != "" {
		t.Errorf("%v", findings)
	}
}
