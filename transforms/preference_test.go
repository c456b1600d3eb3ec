package transforms_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms/transformstest"
)

// Best of K, from the calls to the pairs: of three choices of one request a
// judge passes one, and of two answers to a request that was sent twice one is
// known to have failed. Where nothing is known of two choices there is no pair.
func TestPreferencePairs(t *testing.T) {
	at := laketest.Start
	yes, no := true, false
	var events []lake.Event
	add := func(id, subject, kind string, data any) {
		at = at.Add(time.Minute)
		events = append(events, lake.Event{ID: id, Source: "test://calls", Type: kind, Subject: subject, Time: at, Data: data})
	}
	call := func(id, subject string, choice int64, answer string, messages ...lake.Message) {
		add(id, subject, "weir.gateway.call.v1", &lake.GatewayCall{
			RequestID: subject, ResponseID: "r-" + id, ChoiceIndex: choice, Status: "success", IsFinal: &yes, Model: "m",
			Messages: messages, Output: []lake.Message{{Role: "assistant", Content: answer}},
		})
	}
	asks := func(text string) lake.Message { return lake.Message{Role: "user", Content: text} }
	verdict := func(target string, passed *bool) {
		add("j-"+target, "judge:"+target, "weir.judgement.scored.v1", &lake.Judgement{TargetKind: "call", TargetID: target, Rubric: "helpfulness", HigherIsBetter: &yes, Passed: passed})
	}
	for i, answer := range []string{"Open the upper gate first, then wait.", "Gates are made of oak.", "Ask somebody else about it."} {
		call(fmt.Sprintf("k%d", i), "best-of-three", int64(i), answer, asks("In which order do I open the gates at the mill?"))
	}
	verdict("k0", &yes)
	verdict("k1", &no)
	verdict("k2", &no)
	for i, answer := range []string{"The depth is four metres.", "Four metres, at low water."} {
		call(fmt.Sprintf("n%d", i), "nobody-knows", int64(i), answer, asks("How deep is the channel by the ford today?"))
	}
	// The same request sent twice, as two conversations of one task.
	call("t0", "twice", 0, "Nine in the evening, from the lower landing.", asks("When does the last ferry leave on a Sunday?"))
	call("t1", "twice", 0, "There is no ferry.", asks("When does the last ferry leave on a Sunday?"))
	add("o-t0", "outcome:t0", "weir.outcome.recorded.v1", &lake.Outcome{TargetKind: "call", TargetID: "t0", Level: "task", Value: "success", Origin: "tests"})
	add("o-t1", "outcome:t1", "weir.outcome.recorded.v1", &lake.Outcome{TargetKind: "call", TargetID: "t1", Level: "task", Value: "failure", Origin: "tests"})
	lk := laketest.New(t)
	laketest.Append(t, lk, events...)
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	transformstest.BuildIn(t, lk, session)
	got, err := session.Strings(t.Context(), `
		select concat_ws(' | ', pairs.basis, chosen.messages[pairs.chosen_from].content, rejected.messages[pairs.rejected_from].content,
			chosen.messages[:pairs.context_count] = rejected.messages[:pairs.context_count])
		from curated.preference_pairs as pairs
		join curated.examples as chosen on chosen.example_id = pairs.chosen_example_id
		join curated.examples as rejected on rejected.example_id = pairs.rejected_example_id
		order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"judge | Open the upper gate first, then wait. | Ask somebody else about it. | true",
		"judge | Open the upper gate first, then wait. | Gates are made of oak. | true",
		"outcome | Nine in the evening, from the lower landing. | There is no ferry. | true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
