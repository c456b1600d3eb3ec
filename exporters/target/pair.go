package target

import (
	"strconv"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// pair puts each tool result behind the message that called, in the order of
// its calls, and gives ids to calls that have none or another call's of the
// same message. The calls of the last message need no result: a terminal call
// ends the work.
func pair(e *canonical.Example, losses Losses) Rule {
	made := 0
	paired := make([]lake.Message, 0, len(e.Messages))
	results := newResults(e.Messages)
	for i, m := range e.Messages {
		if m.Role == "tool" {
			continue
		}
		at := len(paired)
		paired = append(paired, m)
		taken := map[string]bool{"": true}
		for j := range m.ToolCalls {
			call := &m.ToolCalls[j]
			result := results.take(i, call.ID)
			if result < 0 && i < len(e.Messages)-1 {
				return RuleUnanswered
			}
			if taken[call.ID] {
				losses.add(RuleCallID)
			}
			for taken[call.ID] {
				made++
				call.ID = "call_" + strconv.Itoa(made)
			}
			taken[call.ID] = true
			if result < 0 {
				continue
			}
			if result != i+len(paired)-at {
				losses.add(RuleResultMoved)
			}
			answer := e.Messages[result]
			answer.ToolCallID = call.ID
			answer.Name = "" // the call has it
			paired = append(paired, answer)
		}
	}
	if results.left() {
		return RuleOrphanResult
	}
	e.Messages = paired
	return ""
}

// results finds the results of calls. Sources repeat ids from turn to turn, so
// a result belongs to the last message before it that made a call of its id.
type results struct {
	byCall map[resultKey][]int // places of results, in order
}

type resultKey struct {
	caller int // place of the message that called; -1: none did
	id     string
}

func newResults(messages []lake.Message) *results {
	r := &results{byCall: map[resultKey][]int{}}
	callers := map[string]int{}
	for i, m := range messages {
		for _, call := range m.ToolCalls {
			callers[call.ID] = i
		}
		if m.Role != "tool" {
			continue
		}
		caller, known := callers[m.ToolCallID]
		if !known {
			caller = -1
		}
		key := resultKey{caller, m.ToolCallID}
		r.byCall[key] = append(r.byCall[key], i)
	}
	return r
}

// take gives the place of the next result of a call, -1 where there is none.
func (r *results) take(caller int, id string) int {
	key := resultKey{caller, id}
	places := r.byCall[key]
	if len(places) == 0 {
		return -1
	}
	if r.byCall[key] = places[1:]; len(places) == 1 {
		delete(r.byCall, key)
	}
	return places[0]
}

func (r *results) left() bool { return len(r.byCall) > 0 }
