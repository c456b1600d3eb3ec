package review

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
)

const (
	reviewType    = "weir.review.decided.v1"
	generatedType = "weir.example.generated.v1"
	eventSource   = "weir://review"

	// EditMethod is the method of a child that a reviewer's edit made.
	EditMethod = "edit"
)

// Events gives the events of a decision on an item: the review and, for an
// edit of what the example still holds, the edited example as its child.
// Rubric names what the reviewer was shown. The ids are made of the decision,
// so that a file that is taken in twice decides once. Errors are ErrInvalid.
func Events(item Item, d Decision, rubric string, now time.Time) ([]lake.Event, error) {
	invalid := func(format string, args ...any) ([]lake.Event, error) {
		return nil, fmt.Errorf("example %s: %w: %s", d.ExampleID, ErrInvalid, fmt.Sprintf(format, args...))
	}
	d.Reviewer = strings.TrimSpace(d.Reviewer)
	switch {
	case d.ExampleID == "" || d.ExampleID != item.ExampleID:
		return invalid("it is of another example")
	case d.ContentHash == "":
		return invalid("no content_hash: what was seen is unknown")
	case d.Reviewer == "":
		return invalid("no reviewer")
	case !slices.Contains([]string{Accept, Reject, Edit, Skip, Withdraw}, d.Verdict):
		return invalid("verdict %q is none of accept, reject, edit, skip, withdraw", d.Verdict)
	case d.Verdict != Edit && len(d.EditedMessages) > 0:
		return invalid("verdict %s with edited messages", d.Verdict)
	case d.DurationMS != nil && *d.DurationMS < 0:
		return invalid("negative duration")
	}
	isCurrent := d.ContentHash == item.ContentHash
	if d.Verdict == Edit {
		if isCurrent {
			d.EditedMessages = weighted(item.Messages, d.EditedMessages)
		}
		if why := wrongEdit(item, d.EditedMessages, isCurrent); why != "" {
			return invalid("%s", why)
		}
	}
	key := "" // a decision without a time of its own is the same whenever it is read
	if !d.DecidedAt.IsZero() {
		key = d.DecidedAt.UTC().Format(time.RFC3339Nano)
	} else {
		d.DecidedAt = now
	}
	edited, err := json.Marshal(d.EditedMessages)
	if err != nil {
		return nil, err
	}
	event := lake.Event{
		ID:     lake.StableID("review", d.ExampleID, d.ContentHash, d.Reviewer, d.Verdict, string(edited), d.Note, key),
		Source: eventSource, Type: reviewType, Subject: item.SubjectID, Time: d.DecidedAt.UTC(),
		Data: &lake.Review{
			Persons: lake.Persons{PersonIDs: item.PersonIDs}, ExampleID: d.ExampleID, ContentHash: d.ContentHash, Reviewer: d.Reviewer, Verdict: d.Verdict,
			EditedMessages: d.EditedMessages, Rubric: rubric, Note: d.Note, Queue: d.Queue, DurationMS: d.DurationMS,
		},
	}
	if d.Verdict != Edit || !isCurrent {
		return []lake.Event{event}, nil
	}
	child := lake.Event{
		ID: childID(event.ID), Source: eventSource, Type: generatedType, Subject: item.SubjectID, Time: event.Time,
		Data: &lake.GeneratedExample{
			Persons: lake.Persons{PersonIDs: item.PersonIDs},
			Method:  EditMethod, ParentIDs: []string{item.ExampleID}, TaskType: item.TaskType, Messages: d.EditedMessages,
			ResponseFormat: item.ResponseFormat, ToolChoice: item.ToolChoice, ParallelToolCalls: item.ParallelToolCalls,
		},
	}
	if item.ToolsOrigin == "declared" { // else they are inferred again, from the edited calls
		child.Data.(*lake.GeneratedExample).Tools = item.Tools
	}
	return []lake.Event{event, child}, nil
}

func childID(reviewID string) string { return lake.StableID("review-edit", reviewID) }

// retraction empties the child of an edit that no longer stands: the version
// of its event without messages wins, and is no example.
func retraction(item Item, reviewID string, now time.Time) lake.Event {
	return lake.Event{
		ID: childID(reviewID), Source: eventSource, Type: generatedType, Subject: item.SubjectID, Time: now.UTC(), ParserVersion: 1,
		Data: &lake.GeneratedExample{Method: EditMethod, ParentIDs: []string{item.ExampleID}, TaskType: item.TaskType},
	}
}

// weighted gives edited messages the weights of the original where the editor
// left them out: by place where the numbers agree, else every answer is a target.
func weighted(original, edited []lake.Message) []lake.Message {
	if slices.ContainsFunc(edited, func(m lake.Message) bool { return m.Role == "assistant" && m.Weight != nil }) {
		return edited
	}
	edited = slices.Clone(edited)
	one, zero := 1.0, 0.0
	for i := range edited {
		switch {
		case edited[i].Role != "assistant":
			edited[i].Weight = &zero
		case len(edited) == len(original) && original[i].Role == "assistant":
			edited[i].Weight = original[i].Weight
		default:
			edited[i].Weight = &one
		}
	}
	return edited
}

// wrongEdit says what is wrong with edited messages; empty if nothing is.
func wrongEdit(item Item, messages []lake.Message, isCurrent bool) string {
	if len(messages) == 0 {
		return "an edit without messages"
	}
	open := map[string]bool{}
	targets := 0
	for i, m := range messages {
		switch m.Role {
		case "system", "developer", "user":
		case "assistant":
			if m.Content == "" && len(m.ToolCalls) == 0 {
				return fmt.Sprintf("edited message %d says nothing", i+1)
			}
			if m.Weight != nil && *m.Weight > 0 {
				targets++
			}
			for _, call := range m.ToolCalls {
				if call.Name == "" || call.Arguments != "" && !json.Valid([]byte(call.Arguments)) {
					return fmt.Sprintf("edited message %d: a call without a name or with arguments that are not JSON", i+1)
				}
				open[call.ID] = true
			}
		case "tool":
			if !open[m.ToolCallID] {
				return fmt.Sprintf("edited message %d answers call %q, which was not made", i+1, m.ToolCallID)
			}
		default:
			return fmt.Sprintf("edited message %d has role %q", i+1, m.Role)
		}
	}
	switch {
	case isCurrent && targets == 0:
		return "no edited message is a target"
	case isCurrent && sameMessages(item.Messages, messages):
		return "the edit changes nothing; accept it, or reject it"
	case isCurrent && asksForJSON(item.ResponseFormat):
		for i, m := range messages {
			if m.Weight != nil && *m.Weight > 0 && len(m.ToolCalls) == 0 && !json.Valid([]byte(m.Content)) {
				return fmt.Sprintf("edited message %d is not JSON, which the example's response format asks for", i+1)
			}
		}
	}
	return ""
}

func asksForJSON(format string) bool {
	return strings.Contains(format, `"json_object"`) || strings.Contains(format, `"json_schema"`)
}

func sameMessages(a, b []lake.Message) bool {
	return slices.EqualFunc(a, b, func(x, y lake.Message) bool {
		x.EventID, y.EventID, x.Model, y.Model, x.Weight, y.Weight = "", "", "", "", nil, nil
		if len(x.ToolCalls) == 0 && len(y.ToolCalls) == 0 {
			x.ToolCalls, y.ToolCalls = nil, nil
		}
		return reflect.DeepEqual(x, y)
	})
}
