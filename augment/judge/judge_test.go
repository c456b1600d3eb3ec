package judge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/augment/judge"
	"github.com/weir-lake/weir/augment/llm"
	"github.com/weir-lake/weir/augment/llm/llmtest"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms/transformstest"
)

// built is a lake of some finished calls, and of two examples that sections of
// a document seeded.
func built(t *testing.T) *lake.Lake {
	t.Helper()
	lk := laketest.New(t)
	final := true
	words := func(subject, side string) string {
		var list []string
		for n := range 8 {
			list = append(list, "w"+lake.StableID(subject, side, fmt.Sprint(n))[:8])
		}
		return strings.Join(list, " ")
	}
	var events []lake.Event
	for i := range 6 {
		subject := fmt.Sprintf("ticket-%03d", i)
		events = append(events, lake.Event{
			ID: lake.StableID("test", subject), Source: "test://gateway", Type: "weir.gateway.call.v1", Subject: subject,
			Time: laketest.Start.Add(-48*time.Hour + time.Duration(i)*time.Minute),
			Data: &lake.GatewayCall{
				RequestID: subject, ResponseID: "r-" + subject, Status: "success", IsFinal: &final, Model: "gpt-4.1", Agent: "desk",
				Messages: []lake.Message{{Role: "user", Content: words(subject, "asks")}},
				Output:   []lake.Message{{Role: "assistant", Content: words(subject, "answers")}},
			},
		})
	}
	events = append(events, lake.Event{
		ID: lake.StableID("test", "document"), Source: "test://documents", Type: "weir.document.added.v1", Subject: "document:compact",
		Time: laketest.Start.Add(-72 * time.Hour),
		Data: &lake.Document{Kind: "constitution", Title: "Compact", Text: "# Compact\n\n## Speak Once\nSay it once.\n\n## Close Slowly\nWait for all.\n"},
	})
	laketest.Append(t, lk, events...)
	transform(t, lk)
	session, _, err := duck.OpenLake(t.Context(), lk, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	sections, err := session.Strings(t.Context(), "select knowledge_id from curated.knowledge order by title")
	if err != nil || len(sections) != 2 {
		t.Fatalf("%d sections, %v", len(sections), err)
	}
	for i, section := range sections {
		// A child of a train subject: an example that goes nowhere is not judged.
		events = append(events, lake.Event{
			ID: lake.StableID("test", "behaviour", section), Source: "weir://augment/behaviour", Type: "weir.example.generated.v1",
			Subject: "behaviour:" + section, Time: laketest.Start, Data: &lake.GeneratedExample{
				Method: "behaviour", KnowledgeID: section, TaskType: "constitutional",
				Messages: []lake.Message{{Role: "user", Content: fmt.Sprintf("question %d", i)}, {Role: "assistant", Content: words(section, "shows")}},
			},
		})
	}
	laketest.Append(t, lk, events[7:]...)
	transform(t, lk)
	return lk
}

// transform brings the tables up to date that are read here.
func transform(t *testing.T, lk *lake.Lake) {
	t.Helper()
	transformstest.Build(t, lk, "curated.funnel", "curated.knowledge", "curated.lineage")
}

// targets are what was judged, once each; scores how many have one.
func targets(t *testing.T, k *laketest.Kept) (targets []string, scores int) {
	t.Helper()
	for _, event := range k.Events {
		judgement := event.Data.(*lake.Judgement)
		if (judgement.Score == nil) != (judgement.Error != "") {
			t.Errorf("score %v with error %q", judgement.Score, judgement.Error)
		}
		if judgement.Score != nil {
			scores++
		}
		if slices.Contains(targets, judgement.TargetID) {
			t.Errorf("%s was judged twice", judgement.TargetID)
		}
		targets = append(targets, judgement.TargetID)
	}
	slices.Sort(targets)
	return targets, scores
}

func judging(t *testing.T, rubric string, budget llm.Budget, answer func(n int, r llmtest.Request) llmtest.Reply) (judge.Options, *llmtest.Server) {
	t.Helper()
	server := llmtest.New(answer)
	t.Cleanup(server.Close)
	client, err := llm.New(llm.Options{BaseURL: server.BaseURL(), Model: "critic", Budget: budget, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := judge.Load(rubric)
	if err != nil {
		t.Fatal(err)
	}
	return judge.Options{
		Rubric: loaded, Client: client, Model: "critic", Workers: 1,
		Clock: func() time.Time { return laketest.Start }, Session: duck.Options{Threads: 1},
	}, server
}

func four(int, llmtest.Request) llmtest.Reply {
	return llmtest.Reply{Text: `{"reasons": "it helps", "score": 4}`}
}

func TestRun(t *testing.T) {
	lk := built(t)
	opts, _ := judging(t, "helpfulness", llm.Budget{}, four)
	var whole laketest.Kept
	report, err := judge.Run(t.Context(), lk, &whole, opts)
	if err != nil {
		t.Fatal(err)
	}
	want, scores := targets(t, &whole)
	if len(want) < 5 || scores != len(want) || report.Judged != int64(scores) || report.Passed != report.Judged {
		t.Fatalf("%d judged, %d scores: %+v", len(want), scores, report)
	}

	t.Run("budget", func(t *testing.T) {
		opts, server := judging(t, "helpfulness", llm.Budget{Calls: 2}, four)
		var out laketest.Kept
		report, err := judge.Run(t.Context(), lk, &out, opts)
		if err != nil || report.Stopped == "" || len(out.Events) != 2 || len(server.Requests()) != 2 {
			t.Errorf("%d judgements by %d requests: %+v, %v", len(out.Events), len(server.Requests()), report, err)
		}
	})
	// Each first request fails in its way, and is sent again.
	for name, fails := range map[string]llmtest.Reply{
		"throttled": {Status: 429, RetryAfter: "0.01"}, "too slow": {Text: "{}", Delay: time.Minute}, "broken off": {Text: "{}", BreakOff: true},
	} {
		t.Run(name, func(t *testing.T) {
			opts, server := judging(t, "helpfulness", llm.Budget{}, func(n int, r llmtest.Request) llmtest.Reply {
				if n == 0 {
					return fails
				}
				return four(n, r)
			})
			var out laketest.Kept
			if _, err := judge.Run(t.Context(), lk, &out, opts); err != nil {
				t.Fatal(err)
			}
			if got, scores := targets(t, &out); !slices.Equal(got, want) || scores != len(want) || len(server.Requests()) != len(want)+1 {
				t.Errorf("%d scores by %d requests, want %d", scores, len(server.Requests()), len(want))
			}
		})
	}
	// A reply that cannot be read has no score, and a score off the scale is none.
	t.Run("malformed", func(t *testing.T) {
		replies := []string{"About a 4.", `{"score": 40}`, `{"reasons": "none"}`, `{"score": "4"}`, "```json\n{\"score\": 4}\n```"}
		opts, _ := judging(t, "helpfulness", llm.Budget{}, func(n int, _ llmtest.Request) llmtest.Reply {
			return llmtest.Reply{Text: replies[min(n, len(replies)-1)]}
		})
		var out laketest.Kept
		report, err := judge.Run(t.Context(), lk, &out, opts)
		if err != nil {
			t.Fatal(err)
		}
		if _, scores := targets(t, &out); scores != len(want)-4 || report.Failed["unreadable reply"] != 4 {
			t.Errorf("%d scores: %+v", scores, report)
		}
	})
	// Each example is judged by the section that it was made from, and others not at all.
	t.Run("by seed", func(t *testing.T) {
		opts, server := judging(t, "shows_method", llm.Budget{}, four)
		var out laketest.Kept
		if _, err := judge.Run(t.Context(), lk, &out, opts); err != nil {
			t.Fatal(err)
		}
		if len(out.Events) != 2 {
			t.Fatalf("%d judgements, want one a seeded example", len(out.Events))
		}
		for _, request := range server.Requests() {
			system, user := request.Messages[0].Content, request.Messages[1].Content
			if strings.Contains(system, "Say it once") == strings.Contains(system, "Wait for all") {
				t.Errorf("the judge saw not one section:\n%s", system)
			}
			if strings.Contains(user, "question 0") != strings.Contains(system, "Wait for all") {
				t.Errorf("the section is not the example's:\n%s\n%s", system, user)
			}
		}
	})
	// Last, because its judgements go into the lake.
	t.Run("killed and run again", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		opts, server := judging(t, "helpfulness", llm.Budget{}, four)
		first := laketest.Kept{After: 3, Stop: stop}
		if _, err := judge.Run(ctx, lk, &first, opts); !errors.Is(err, context.Canceled) {
			t.Fatalf("the kill was not noticed: %v", err)
		}
		laketest.Append(t, lk, first.Events...)
		second := laketest.Kept{}
		if _, err := judge.Run(t.Context(), lk, &second, opts); err != nil {
			t.Fatal(err)
		}
		both := laketest.Kept{Events: append(first.Events, second.Events...)}
		if got, _ := targets(t, &both); !slices.Equal(got, want) || len(server.Requests()) != len(want) {
			t.Errorf("judged %q by %d requests, want %q", got, len(server.Requests()), want)
		}
	})
}
