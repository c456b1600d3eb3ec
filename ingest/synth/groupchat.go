package synth

import (
	"fmt"
	"math"
	"time"

	"github.com/weir-lake/weir/lake"
)

// chatLine is one line of the group-chat log: a message, an agent of the
// roster (type agent) or the end (type end).
type chatLine struct {
	Type         string     `json:"type,omitempty"`
	Conversation string     `json:"conversation"`
	ID           string     `json:"id,omitempty"`
	Name         string     `json:"name,omitempty"`
	Agent        string     `json:"agent,omitempty"`
	To           string     `json:"to,omitempty"`
	Role         string     `json:"role,omitempty"`
	SystemPrompt string     `json:"system_prompt,omitempty"`
	Content      string     `json:"content,omitempty"`
	ToolCalls    []chatCall `json:"tool_calls,omitempty"`
	ToolCallID   string     `json:"tool_call_id,omitempty"`
	Model        string     `json:"model,omitempty"`
	Channel      string     `json:"channel,omitempty"`
	Task         string     `json:"task,omitempty"`
	Outcome      string     `json:"outcome,omitempty"`
	Time         string     `json:"time"`
}

// room is a group chat while it is written.
type room struct {
	w     *writer
	e     *episode
	at    time.Time
	topic topic
}

// groupChat writes a room in which agents hand over, quarrel, put findings
// together or vote, and the traces that they leave meanwhile.
func (w *writer) groupChat(e *episode) {
	e.subject = subjectOf(w.seed, e.number)
	e.agent = fleet[0]
	r := &room{w: w, e: e, at: e.start, topic: newTopic(e.content)}
	helper := fleet[1+e.content.IntN(len(fleet)-1)]
	if e.source != nil {
		w.plant(Truth{Kind: "duplicate", IDs: []string{subjectOf(w.seed, e.source.number), e.subject}})
	}
	for _, a := range fleet {
		r.line(chatLine{Type: "agent", Name: a.name, SystemPrompt: a.shortPrompt() + " " + a.duty})
	}
	t := r.topic
	r.line(chatLine{Name: e.person, Role: "user", To: "marlow", Content: t.ask(e.content)})
	r.say(fleet[0], helper.name, fmt.Sprintf("%s, please take HF-%d: the %s %s. Start with %s and tell me what you see. %s.", helper.name, t.ticket, t.service, t.symptom, t.check, capital(t.constraint)))
	ends := []func(agent) bool{r.handOff, r.conflict, r.synthesis, r.vote}
	failed := ends[e.content.IntN(len(ends))](helper)
	outcome := "success"
	if failed {
		outcome = "failure"
	}
	r.line(chatLine{Type: "end", Outcome: outcome})
	w.plant(Truth{Kind: "outcome", IDs: []string{e.subject}, Value: outcome})
}

func (r *room) line(l chatLine) {
	l.Conversation, l.Time, l.Task, l.Channel = r.e.subject, stamp(r.at), r.e.task, "room-"+r.topic.slug()
	if l.Type == "" {
		l.ID = letters(r.e.ids, "0123456789abcdef", 12)
		r.at = r.at.Add(time.Duration(10+r.e.ids.IntN(170)) * time.Second)
	} else {
		r.at = r.at.Add(time.Millisecond)
	}
	r.w.log("group-chat", "logs/group-chat", r.at, encode(l))
}

func (r *room) say(a agent, to, text string) {
	r.line(chatLine{Agent: a.name, Role: "assistant", To: to, Content: text, Model: claude})
}

// act is an agent that uses a tool in the room.
func (r *room) act(a agent) {
	d := dialogue{agent: a, topic: r.topic}
	d.toolStep(r.e.content, r.e.ids, 1)
	for _, m := range d.messages {
		if m.role == "assistant" {
			r.line(chatLine{Agent: a.name, Role: "assistant", Content: m.content, ToolCalls: toChat(m).ToolCalls, Model: claude})
		} else {
			r.line(chatLine{Name: m.tool, Role: "tool", Content: m.content, ToolCallID: m.callID})
		}
	}
}

func (r *room) swarm(s lake.Swarm) string {
	if s.Topic == "" {
		s.Topic = r.e.task
	}
	return r.w.swarm(r.e, r.at, s)
}

func (r *room) other(not ...agent) agent {
	for {
		a := pick(r.e.content, fleet[1:])
		taken := false
		for _, n := range not {
			taken = taken || n.name == a.name
		}
		if !taken {
			return a
		}
	}
}

func (r *room) handOff(first agent) (failed bool) {
	second := r.other(first)
	t := r.topic
	r.act(first)
	r.say(first, "marlow", t.answer(r.e.content))
	r.say(first, second.name, fmt.Sprintf("Hand-over of HF-%d to %s. Done: I know that %s. Left: %s. Tried in vain: %s. Files: %s.", t.ticket, second.name, t.cause, t.fix, t.check, t.path()))
	r.swarm(lake.Swarm{Kind: "handoff", Agent: first.name, Recipient: second.name, Resource: t.path(), Content: fmt.Sprintf("HF-%d: %s", t.ticket, t.fix)})
	r.act(second)
	r.say(second, "marlow", t.answer(r.e.content))
	r.swarm(lake.Swarm{Kind: "lesson", Agent: second.name, Domain: t.service, Content: pick(r.e.content, notes), Strength: number(0.8), HalfLifeS: number(604_800)})
	return false
}

func (r *room) conflict(first agent) (failed bool) {
	second := r.other(first)
	t := r.topic
	r.swarm(lake.Swarm{Kind: "claim", Agent: first.name, Resource: t.path(), Granted: boolean(true)})
	r.say(first, "", fmt.Sprintf("I have claimed %s and I am going to %s.", t.path(), t.fix))
	r.swarm(lake.Swarm{Kind: "claim", Agent: second.name, Resource: t.path(), Granted: boolean(false)})
	r.say(second, first.name, fmt.Sprintf("That file is mine since yesterday, for HF-%d. If you %s now, my change for %s is lost. Wait, or talk to me.", t.ticket-7, t.fix, t.port))
	r.say(first, second.name, fmt.Sprintf("%s, and %s. I cannot wait %d minutes.", capital(t.why), t.constraint, t.minutes))
	r.w.plant(Truth{Kind: "conflict", IDs: []string{r.e.subject}, Value: t.path()})
	if r.e.content.IntN(3) == 0 {
		r.say(fleet[0], "", fmt.Sprintf("You both changed %s and neither version runs. HF-%d goes back to the queue.", t.path(), t.ticket))
		return true
	}
	r.say(fleet[0], "", fmt.Sprintf("The earlier claim stands: %s finishes, then %s rebases. Rule three of the claims; %s is informed.", first.name, second.name, t.otherPort))
	r.swarm(lake.Swarm{Kind: "release", Agent: first.name, Resource: t.path()})
	r.say(second, "marlow", fmt.Sprintf("Agreed. I take %s up again when it is free; until then I prepare %s.", t.path(), t.check))
	return false
}

func (r *room) synthesis(first agent) (failed bool) {
	t := r.topic
	analyst, writer := fleet[3], fleet[4]
	trace := r.swarm(lake.Swarm{Kind: "trace", Agent: first.name, Domain: t.service, Content: t.cause, Strength: number(1), HalfLifeS: number(86_400), Priority: number(0.5)})
	r.say(first, "quill", t.answer(r.e.content))
	r.act(analyst)
	r.say(analyst, "quill", fmt.Sprintf("From the archive: %d rows between %s and %s, %d %% of them on the %s. %s", t.rows, t.port, t.otherPort, t.percent, t.ship, pick(r.e.content, notes)))
	r.swarm(lake.Swarm{Kind: "read", Agent: writer.name, ParentID: trace})
	r.say(writer, "marlow", fmt.Sprintf("Putting both together. %s says that %s; the archive shows %d rows, mostly the %s. So we %s, and %s is told that %s. %s", first.name, t.cause, t.rows, t.ship, t.fix, t.otherPort, t.constraint, pick(r.e.content, notes)))
	r.swarm(lake.Swarm{Kind: "help", Agent: analyst.name, Recipient: writer.name, Domain: t.service})
	return false
}

func (r *room) vote(first agent) (failed bool) {
	t := r.topic
	second := r.other(first)
	other := pick(r.e.content, fixes)
	ids := []string{
		r.swarm(lake.Swarm{Kind: "proposal", Agent: first.name, Content: t.fix}),
		r.swarm(lake.Swarm{Kind: "proposal", Agent: second.name, Content: other}),
	}
	r.say(first, "", fmt.Sprintf("Proposal A for HF-%d: %s. It takes %d minutes and %s.", t.ticket, t.fix, t.minutes, t.constraint))
	r.say(second, "", fmt.Sprintf("Proposal B: %s. Slower, but %s would show at once if it fails.", other, t.check))
	tally := []float64{0, 0}
	for _, voter := range fleet {
		choice, weight := r.e.content.IntN(2), math.Round(100*(0.3+0.7*r.e.content.Float64()))/100
		tally[choice] += weight
		r.say(voter, "", fmt.Sprintf("%c, because %s.", 'A'+choice, pick(r.e.content, []string{t.why, t.constraint, t.cause, pick(r.e.content, reasonsWhy)})))
		r.swarm(lake.Swarm{Kind: "vote", Agent: voter.name, ParentID: ids[choice], Choice: string(rune('A' + choice)), Expertise: &weight, Domain: t.service})
	}
	winner := 0
	if tally[1] > tally[0] {
		winner = 1
	}
	r.swarm(lake.Swarm{Kind: "decision", Agent: "marlow", ParentID: ids[winner], Choice: string(rune('A' + winner))})
	r.say(fleet[0], "", fmt.Sprintf("Decided: %c, %.2f to %.2f by weight. All of you help to carry it out for HF-%d in %s.", 'A'+winner, tally[winner], tally[1-winner], t.ticket, t.port))
	return false
}

func number(f float64) *float64 { return &f }
func boolean(b bool) *bool      { return &b }
