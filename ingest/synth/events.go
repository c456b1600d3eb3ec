package synth

import (
	"fmt"
	"strconv"
	"time"

	"github.com/weir-lake/weir/lake"
)

// event adds one of weir's own events to the log of events.
func (w *writer) event(e *episode, eventType string, at time.Time, data any) lake.Event {
	n := strconv.FormatInt(w.counts["weir"], 10)
	event := lake.Event{
		ID: lake.StableID("synth", e.subject, eventType, n), Source: "synth://northern-strait/" + e.kind, Type: eventType,
		Subject: e.subject, Time: at, ParserVersion: 1, Data: data,
	}
	text, err := event.Encode()
	if err != nil {
		panic("synth: " + err.Error()) // an event of our own making
	}
	w.log("weir", "logs/events", at, text)
	return event
}

func (w *writer) outcome(e *episode, at time.Time, failed bool) {
	// For a third of what a fleet does nobody ever says how it went.
	if e.ids.IntN(3) == 0 {
		return
	}
	value, evidence := "success", "the requester closed the ticket as solved"
	if failed {
		value, evidence = "failure", "the requester opened the ticket again"
	}
	at = at.Add(time.Duration(1+e.ids.IntN(20)) * time.Minute)
	w.event(e, "weir.outcome.recorded.v1", at, &lake.Outcome{
		TargetKind: "conversation", TargetID: e.subject, Level: "task", Value: value, Evidence: evidence, Origin: "person", Agent: e.agent.name,
	})
	w.plant(Truth{Kind: "outcome", IDs: []string{e.subject}, Value: value})
}

func (w *writer) feedback(e *episode, at time.Time, failed bool) {
	if e.ids.IntN(4) > 0 {
		return
	}
	value := 1.0
	if failed {
		value = -1
	}
	w.event(e, "weir.feedback.given.v1", at.Add(time.Minute), &lake.Feedback{
		Persons: lake.Persons{PersonIDs: []string{e.person}}, UnitKind: "conversation", UnitID: e.subject, Kind: "thumb", Author: e.person, Value: &value,
	})
}

func (w *writer) assign(e *episode, arm string) {
	weight := 1 - tunedShare
	if arm == tuned {
		weight = tunedShare
	}
	w.event(e, "weir.experiment.assigned.v1", e.start, &lake.Assignment{
		Experiment: experiment, UnitKind: "conversation", UnitID: e.subject, Arm: arm, Salt: "northern-strait-1", Weight: &weight,
	})
	w.plant(Truth{Kind: "arm", IDs: []string{e.subject}, Value: arm})
}

// swarm adds a trace, claim, vote, … of an agent and gives its event id.
func (w *writer) swarm(e *episode, at time.Time, s lake.Swarm) string {
	return w.event(e, "weir.swarm."+s.Kind+".v1", at, &s).ID
}

// documents writes the fleet's documents, and its price list as an event.
func (w *writer) documents() error {
	constitution := "---\nkind: constitution\ntitle: Constitution of the back-office fleet\nversion: \"3\"\n---\n\n# Constitution of the back-office fleet\n"
	for i, p := range principles {
		constitution += fmt.Sprintf("\n## %d. %s\n\n%s\n", i+1, p.title, p.text)
	}
	files := []struct{ name, text string }{
		{"constitution.md", constitution},
		{"rules-handover.md", "---\nkind: rules\ntitle: Rules for a hand-over\nversion: \"2\"\n---\n\n# Rules for a hand-over\n\n1. " + principles[3].text + "\n2. The receiver answers within the hour, or hands back.\n3. A hand-over without files is sent back unread.\n"},
		{"rules-claims.md", "---\nkind: rules\ntitle: Rules for claims\nversion: \"1\"\n---\n\n# Rules for claims\n\n1. " + principles[2].text + "\n2. A claim lapses after two hours.\n3. Two claims on one resource: the earlier one stands, the room decides what follows.\n"},
		{"methodology.md", "---\nkind: methodology\ntitle: How the fleet works\nversion: \"1\"\n---\n\n# How the fleet works\n\nRestate, list what must be known, use the tools, check each step, report. The writer puts together what the others found; the reviewer reads it before a person does.\n"},
	}
	for _, a := range fleet {
		files = append(files, struct{ name, text string }{"system-prompt-" + a.name + ".md", "---\nkind: system_prompt\ntitle: System prompt of " + a.name + "\nversion: \"7\"\n---\n\n" + a.longPrompt()})
		text := "---\nkind: tool_description\ntitle: Tools of the " + a.role + "\nversion: \"1\"\n---\n\n# Tools of the " + a.role + "\n"
		for _, t := range a.tools {
			text += fmt.Sprintf("\n## %s\n\n%s\n\n    %s\n", t.name, t.description, t.parameters)
		}
		files = append(files, struct{ name, text string }{"tools-" + a.role + ".md", text})
	}
	for _, f := range files {
		if err := w.out.file("logs/documents/"+f.name, []byte(f.text)); err != nil {
			return err
		}
		w.counts["document"]++
	}
	return nil
}
