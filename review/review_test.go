package review_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/review"
)

func ptr[T any](v T) *T { return &v }

func item() review.Item {
	return review.Item{
		ExampleID: "x", ContentHash: "h", SubjectID: "s", Queue: review.SampleQueue, Stratum: "gateway/other/middle",
		Source: "gateway", TaskType: "other", ToolsOrigin: "declared", Tools: []lake.Tool{{Name: "tide", Parameters: "{}"}},
		Messages: []lake.Message{
			{Role: "user", Content: "When is <high> water?", Weight: ptr(0.0)},
			{Role: "assistant", Weight: ptr(1.0), EventID: "e1", ToolCalls: []lake.ToolCall{{ID: "k", Name: "tide", Arguments: "{}"}}},
			{Role: "tool", ToolCallID: "k", Content: "6:12", Weight: ptr(0.0)},
			{Role: "assistant", Content: "At six.", Weight: ptr(1.0), EventID: "e2"},
		},
	}
}

func edited() []lake.Message {
	messages := item().Messages
	messages[3].Content = "At 6:12."
	return messages
}

// Each format's own reply, made from its export as the tool makes it, comes back as the decisions.
func TestRoundTrips(t *testing.T) {
	rubric, err := review.DefaultRubric()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	answers := map[string]func(record map[string]any, messages string) any{
		"jsonl": func(r map[string]any, messages string) any {
			r["verdict"], r["reviewer"], r["note"], r["decided_at"] = "edit", "ann", "exact", at
			r["edited_messages"] = json.RawMessage(messages)
			return r
		},
		"label-studio": func(r map[string]any, messages string) any {
			r["id"] = 7
			value := func(name, kind string, v map[string]any) map[string]any {
				return map[string]any{"from_name": name, "to_name": "dialogue", "type": kind, "id": "q", "origin": "manual", "value": v}
			}
			r["annotations"] = []any{
				map[string]any{"id": 1, "completed_by": map[string]any{"id": 3, "email": "ann"}, "was_cancelled": false, "updated_at": at, "lead_time": 2.5,
					"result": []any{value("verdict", "choices", map[string]any{"choices": []string{"edit"}}),
						value("edited_messages", "textarea", map[string]any{"text": []string{messages}}),
						value("note", "textarea", map[string]any{"text": []string{"exact"}})}},
				map[string]any{"id": 2, "completed_by": 4, "was_cancelled": true, "updated_at": at, "result": []any{}},
			}
			return []any{r}
		},
		"argilla": func(r map[string]any, messages string) any {
			r["_server_id"] = "b7a"
			r["responses"] = map[string]any{
				"verdict":         []any{map[string]any{"value": "edit", "user_id": "u1"}, map[string]any{"value": "accept", "user_id": "u2"}},
				"edited_messages": []any{map[string]any{"value": "left as it was", "user_id": "u2"}, map[string]any{"value": messages, "user_id": "u1"}},
				"note":            []any{map[string]any{"value": "exact", "user_id": "u1"}},
			}
			return []any{r}
		},
	}
	want := review.Decision{ExampleID: "x", ContentHash: "h", Reviewer: "ann", Verdict: "edit", EditedMessages: edited(), Note: "exact", Queue: "sample", DecidedAt: at}
	for _, f := range review.Formats() {
		t.Run(f.Name, func(t *testing.T) {
			var file bytes.Buffer
			each := func(visit func(review.Item) error) error { return visit(item()) }
			if err := f.Export(&file, each, rubric); err != nil {
				t.Fatal(err)
			}
			if undecided, err := f.Import(bytes.NewReader(file.Bytes())); err != nil || len(undecided) > 0 {
				t.Fatalf("%v decisions of a fresh export, error %v", undecided, err)
			}
			text := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(file.String()), "["), "]")
			var record map[string]any
			if err := json.Unmarshal([]byte(text), &record); err != nil {
				t.Fatal(err)
			}
			messages, _ := json.Marshal(edited())
			reply, _ := json.Marshal(answers[f.Name](record, string(messages)))
			decisions, err := f.Import(bytes.NewReader(reply))
			if err != nil {
				t.Fatal(err)
			}
			want := want
			switch f.Name {
			case "label-studio":
				want.DurationMS = ptr(2500.0)
				if len(decisions) != 2 || decisions[1].Verdict != "skip" || decisions[1].Reviewer != "label-studio:4" {
					t.Errorf("got %+v", decisions)
				}
			case "argilla":
				want.Reviewer, want.DecidedAt = "argilla:u1", time.Time{}
				if len(decisions) != 2 || decisions[1].Verdict != "accept" || decisions[1].EditedMessages != nil {
					t.Errorf("got %+v", decisions)
				}
			}
			if !reflect.DeepEqual(decisions[0], want) {
				t.Errorf("got\n%+v\nwant\n%+v", decisions[0], want)
			}
			if f.Setup != "" && !strings.Contains(f.SetupText(rubric), "edited_messages") {
				t.Error("the setup knows no edited_messages")
			}
			if _, err := f.Import(strings.NewReader(`[{"id": 1}]`)); err == nil {
				t.Error("a foreign file is no error")
			}
		})
	}
}

func TestEvents(t *testing.T) {
	now := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	good := review.Decision{ExampleID: "x", ContentHash: "h", Reviewer: "ann", Verdict: "edit", EditedMessages: edited()}
	events, err := review.Events(item(), good, "example@1", now)
	if err != nil || len(events) != 2 {
		t.Fatalf("%d events, error %v", len(events), err)
	}
	child := events[1].Data.(*lake.GeneratedExample)
	if child.Method != "edit" || !reflect.DeepEqual(child.ParentIDs, []string{"x"}) || events[1].Subject != "s" || len(child.Tools) != 1 {
		t.Errorf("child %+v", child)
	}
	rich := item()
	rich.ResponseFormat, rich.ToolChoice, rich.ParallelToolCalls, rich.PersonIDs = `{"type":"text"}`, `"auto"`, ptr(false), []string{"p-1"}
	events, err = review.Events(rich, good, "example@1", now)
	if err != nil {
		t.Fatal(err)
	}
	child = events[1].Data.(*lake.GeneratedExample)
	if child.ResponseFormat != rich.ResponseFormat || child.ToolChoice != `"auto"` || *child.ParallelToolCalls || !reflect.DeepEqual(child.PersonIDs, rich.PersonIDs) {
		t.Errorf("child %+v lacks what its parent has", child)
	}
	again, _ := review.Events(item(), good, "example@1", now.Add(time.Hour))
	if again[0].ID != events[0].ID || again[1].ID != events[1].ID {
		t.Error("the same file twice decides twice")
	}
	stale := good
	stale.ContentHash = "old"
	if events, err := review.Events(item(), stale, "", now); err != nil || len(events) != 1 {
		t.Errorf("a stale edit: %d events, error %v", len(events), err)
	}
	for name, change := range map[string]func(*review.Item, *review.Decision){
		"no reviewer":            func(_ *review.Item, d *review.Decision) { d.Reviewer = " " },
		"no content_hash":        func(_ *review.Item, d *review.Decision) { d.ContentHash = "" },
		"is none of":             func(_ *review.Item, d *review.Decision) { d.Verdict = "maybe" },
		"another example":        func(_ *review.Item, d *review.Decision) { d.ExampleID = "y" },
		"accept with edited":     func(_ *review.Item, d *review.Decision) { d.Verdict = "accept" },
		"without messages":       func(_ *review.Item, d *review.Decision) { d.EditedMessages = nil },
		"changes nothing":        func(i *review.Item, d *review.Decision) { d.EditedMessages = i.Messages },
		"answers call":           func(_ *review.Item, d *review.Decision) { d.EditedMessages[2].ToolCallID = "other" },
		"arguments that are not": func(_ *review.Item, d *review.Decision) { d.EditedMessages[1].ToolCalls[0].Arguments = "{" },
		"says nothing":           func(_ *review.Item, d *review.Decision) { d.EditedMessages[3].Content = "" },
		"has role":               func(_ *review.Item, d *review.Decision) { d.EditedMessages[0].Role = "human" },
		"is a target": func(_ *review.Item, d *review.Decision) {
			d.EditedMessages[1].Weight, d.EditedMessages[3].Weight = ptr(0.0), ptr(0.0)
		},
		"response format": func(i *review.Item, _ *review.Decision) { i.ResponseFormat = `{"type":"json_object"}` },
	} {
		it, d := item(), good
		d.EditedMessages = edited()
		change(&it, &d)
		if _, err := review.Events(it, d, "", now); !errors.Is(err, review.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
