package synth

import (
	"fmt"
	"time"
)

// checkpointLine is one saved state of a task: every state repeats the
// messages so far.
type checkpointLine struct {
	ThreadID     string              `json:"thread_id"`
	CheckpointID string              `json:"checkpoint_id"`
	ParentID     *string             `json:"parent_checkpoint_id"`
	TS           string              `json:"ts"`
	Agent        string              `json:"agent"`
	TaskID       string              `json:"task_id"`
	Status       string              `json:"status"`
	IsFinal      bool                `json:"is_final,omitempty"`
	Outcome      string              `json:"outcome,omitempty"`
	Evidence     string              `json:"evidence,omitempty"`
	Summary      string              `json:"summary,omitempty"`
	Messages     []checkpointMessage `json:"messages"`
	Metadata     checkpointMetadata  `json:"metadata"`
}

type checkpointMetadata struct {
	Source string `json:"source"`
	Step   int    `json:"step"`
}

type checkpointMessage struct {
	ID         string     `json:"id"`
	Role       string     `json:"role"`
	Content    string     `json:"content"`
	ToolCalls  []chatCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
	Name       string     `json:"name,omitempty"`
	Model      string     `json:"model,omitempty"`
}

// checkpoints writes a task as a graph runner saves it, step by step. Every
// fourth task fails, and every third forgets its beginning for a summary.
func (w *writer) checkpoints(e *episode) {
	e.subject = "thread-" + letters(e.ids, "0123456789abcdef", 16)
	d := newDialogue(e.content, e.ids, e.agent, 1+e.content.IntN(2))
	failed := e.ordinal%4 == 3
	if failed {
		last := &d.messages[len(d.messages)-1]
		last.content = fmt.Sprintf("I have to give up on HF-%d: %s timed out three times and I cannot %s without it.", d.topic.ticket, d.topic.check, d.topic.fix)
	}
	forgetAt := -1
	if e.ordinal%3 == 2 && len(d.messages) > 4 {
		forgetAt = len(d.messages) / 2
		for forgetAt < len(d.messages) && d.messages[forgetAt].role != "user" {
			forgetAt++
		}
	}
	var parent *string
	var state []checkpointMessage
	summary, at := "", e.start
	for i, m := range d.messages {
		if i == forgetAt {
			summary = fmt.Sprintf("HF-%d: the %s %s; so far the finding is that %s.", d.topic.ticket, d.topic.service, d.topic.symptom, d.topic.cause)
			state = state[:0:0]
		}
		s := checkpointMessage{ID: uuid(e.ids), Role: m.role, Content: m.content, ToolCalls: toChat(m).ToolCalls, ToolCallID: m.callID, Name: m.tool}
		if m.role == "assistant" {
			s.Model = claudeSmall
		}
		state = append(state, s)
		at = at.Add(time.Duration(2+e.ids.IntN(120)) * time.Second)
		line := checkpointLine{
			// Ordered ids, as graph runners make them.
			ThreadID: e.subject, CheckpointID: fmt.Sprintf("1f0%013x-%s", at.UnixMilli(), letters(e.ids, "0123456789abcdef", 12)), ParentID: parent, TS: stamp(at),
			Agent: e.agent.name, TaskID: e.task, Status: "running", Summary: summary, Messages: state, Metadata: checkpointMetadata{Source: "loop", Step: i},
		}
		if m.role == "user" {
			line.Metadata.Source = "input"
		}
		if i == len(d.messages)-1 {
			line.Status, line.IsFinal, line.Outcome, line.Evidence = "completed", true, "success", "acceptance check passed"
			if failed {
				line.Outcome, line.Evidence = "failure", "acceptance check timed out"
			}
			w.plant(Truth{Kind: "outcome", IDs: []string{e.subject}, Value: line.Outcome})
		}
		w.log("checkpoint", "logs/checkpoints", at, encode(line))
		id := line.CheckpointID
		parent = &id
	}
}
