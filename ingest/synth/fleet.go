package synth

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// agent is one member of the fleet.
type agent struct {
	name, role, duty string
	tools            []tool
}

type tool struct{ name, description, parameters string }

var fleet = []agent{
	{name: "marlow", role: "coordinator", duty: "You take requests in, divide the work, hand it to the right colleague and see it through.", tools: []tool{
		{"list_tasks", "List open tasks, newest first.", `{"type":"object","properties":{"service":{"type":"string"},"limit":{"type":"integer"}},"required":["service"]}`},
		{"assign_task", "Give a task to a colleague.", `{"type":"object","properties":{"task":{"type":"string"},"agent":{"type":"string"},"why":{"type":"string"}},"required":["task","agent"]}`},
	}},
	{name: "ines", role: "builder", duty: "You read and change the code of the back office, in small steps, with a test for each.", tools: []tool{
		{"read_file", "Read a file of the repository.", `{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}`},
		{"run_tests", "Run the tests of a package.", `{"type":"object","properties":{"package":{"type":"string"}},"required":["package"]}`},
	}},
	{name: "tovah", role: "reviewer", duty: "You check what others did against the rules, and say plainly what is wrong.", tools: []tool{
		{"read_diff", "Show the changes of a ticket.", `{"type":"object","properties":{"ticket":{"type":"string"}},"required":["ticket"]}`},
		{"run_tests", "Run the tests of a package.", `{"type":"object","properties":{"package":{"type":"string"}},"required":["package"]}`},
	}},
	{name: "osei", role: "analyst", duty: "You answer questions from the archive with numbers, and say how sure you are.", tools: []tool{
		{"query_voyages", "Query the voyage archive.", `{"type":"object","properties":{"port":{"type":"string"},"ship":{"type":"string"},"since":{"type":"string","format":"date"}},"required":["port"]}`},
		{"count_bookings", "Count bookings that match a filter.", `{"type":"object","properties":{"service":{"type":"string"},"filter":{"type":"string"}},"required":["service"]}`},
	}},
	{name: "quill", role: "writer", duty: "You turn what the others found into one clear text for the people who have to act on it.", tools: []tool{
		{"read_notes", "Read the notes on a ticket.", `{"type":"object","properties":{"ticket":{"type":"string"}},"required":["ticket"]}`},
		{"post_notice", "Post a notice for a port.", `{"type":"object","properties":{"port":{"type":"string"},"text":{"type":"string"}},"required":["port","text"]}`},
	}},
}

// principles are the fleet's constitution. The long prompt spells them out in
// every call; the tuned model is to follow them without being told.
var principles = []struct{ title, text string }{
	{"People before timetables", "Where a choice touches the safety of a passenger or of the crew, stop and ask a person. A delay can be explained; an injury cannot. Say which choice you stopped at and what you would have done."},
	{"Say what you know and how", "Each figure comes with its source and its date. A guess is called a guess. If the archive cannot answer, say so instead of filling the gap with what sounds likely."},
	{"Claim before you change", "Before you touch a file, a route or a booking, claim it, and release it when you are done. If a colleague holds the claim, talk to the holder; never work around the claim."},
	{"Hand over whole", "A hand-over names the task, what is done, what is left, what was tried in vain, and where the files are. The next agent must be able to continue without asking."},
	{"Reversible first", "Of two ways that lead to the goal, take the one that can be undone. If neither can, ask a person and wait for the answer."},
	{"Disagree in the open", "If you think that a colleague is wrong, say it in the room, with your reason, once. The vote decides; afterwards everyone helps to carry it out."},
	{"Guard what is private", "Names, cabins, health and payment details of passengers stay out of tickets, notices and logs. Use the booking number."},
	{"Leave a trace", "When you learn something that will matter again, write it down where the others look. One sentence is enough if it is the right one."},
}

// longPrompt is the control arm's system prompt: it teaches the agent its role
// and the constitution in every single call.
func (a agent) longPrompt() string {
	var b strings.Builder
	fmt.Fprintf(&b, "You are %s, the %s of the back-office fleet of Northern Strait Ferries. %s\n\n# Colleagues\n", a.name, a.role, a.duty)
	for _, other := range fleet {
		if other.name != a.name {
			fmt.Fprintf(&b, "- %s, %s: %s\n", other.name, other.role, strings.Replace(other.duty, "You ", "They ", 1))
		}
	}
	b.WriteString("\n# Constitution\n")
	for i, p := range principles {
		fmt.Fprintf(&b, "%d. %s. %s\n", i+1, p.title, p.text)
	}
	b.WriteString("\n# Method\nRestate the request in one sentence. List what you need to know. Use the tools for facts, never memory. " +
		"Work in steps that can be checked, and check each. End with: result, evidence, what is left open, who should know.\n" +
		"\n# Style\nPlain words, short sentences, no apologies. Figures with units. Ticket numbers as HF-number. Times in UTC.\n")
	return b.String()
}

// shortPrompt is what is left for the tuned model.
func (a agent) shortPrompt() string { return fmt.Sprintf("You are %s, %s.", a.name, a.role) }

// message is one message of a dialogue, before a native format has it.
type message struct {
	role, content, reasoning string
	calls                    []call
	callID                   string // on tool messages: the call answered
	tool                     string // on tool messages: the tool
	failed                   bool   // on tool messages
}

type call struct{ id, name, arguments string }

// dialogue is what a person and an agent said, without the system prompt.
type dialogue struct {
	agent    agent
	topic    topic
	messages []message
}

// newDialogue writes a dialogue of some turns. Texts come from content, call
// ids from ids.
func newDialogue(content, ids *rand.Rand, a agent, turns int) dialogue {
	d := dialogue{agent: a, topic: newTopic(content)}
	for turn := range turns {
		ask := d.topic.followUp
		if turn == 0 {
			ask = d.topic.ask
		}
		d.add(message{role: "user", content: ask(content)})
		if content.IntN(4) > 0 {
			d.toolStep(content, ids, 1+content.IntN(2))
		}
		d.add(message{role: "assistant", content: d.topic.answer(content)})
	}
	return d
}

func (d *dialogue) add(m message) { d.messages = append(d.messages, m) }

// toolStep lets the agent call n tools in one message and hear their answers.
func (d *dialogue) toolStep(content, ids *rand.Rand, n int) {
	m := message{role: "assistant", content: d.topic.plan(content), reasoning: d.topic.thought(content)}
	if content.IntN(3) == 0 {
		m.content = ""
	}
	var results []message
	for i := range n {
		c, result := d.call(content, ids, d.agent.tools[(i+content.IntN(2))%len(d.agent.tools)].name)
		m.calls = append(m.calls, c)
		results = append(results, result)
	}
	d.add(m)
	d.messages = append(d.messages, results...)
}

func (d *dialogue) call(content, ids *rand.Rand, name string) (call, message) {
	t := d.topic
	c := call{id: "call_" + letters(ids, alphanumeric, 24), name: name}
	result := message{role: "tool", callID: c.id, tool: name}
	if content.IntN(12) == 0 {
		result.failed = true
	}
	switch name {
	case "read_file":
		c.arguments, result.content = quote("path", t.path()), t.code(content)
	case "run_tests":
		c.arguments, result.content = quote("package", "./"+t.slug()), t.testRun(content, result.failed)
	case "read_diff", "read_notes":
		c.arguments = quote("ticket", fmt.Sprintf("HF-%d", t.ticket))
		result.content = fmt.Sprintf("HF-%d, %s. %s %s", t.ticket, t.service, pick(content, notes), pick(content, notes))
	case "query_voyages":
		c.arguments = quote("port", t.port, "ship", t.ship, "since", fmt.Sprintf("2026-%02d-%02d", 1+content.IntN(2), 1+content.IntN(28)))
		result.content = fmt.Sprintf(`{"voyages":%d,"late":%d,"cancelled":%d,"median_delay_min":%d}`, t.rows, t.rows*t.percent/100, content.IntN(40), content.IntN(55))
	case "count_bookings":
		c.arguments = quote("service", t.service, "filter", "port="+t.otherPort)
		result.content = fmt.Sprintf(`{"bookings":%d,"checked_by":%q}`, t.rows, t.check)
	case "list_tasks":
		c.arguments = quote("service", t.service)
		result.content = fmt.Sprintf(`[{"task":"HF-%d","state":"open","port":%q},{"task":"HF-%d","state":"waiting","port":%q}]`, t.ticket, t.port, t.ticket-1-content.IntN(400), t.otherPort)
	case "assign_task":
		c.arguments = quote("task", fmt.Sprintf("HF-%d", t.ticket), "agent", pick(content, fleet[1:]).name, "why", t.why)
		result.content = fmt.Sprintf(`{"assigned":true,"queue":%d}`, content.IntN(9))
	default: // post_notice
		c.arguments = quote("port", t.port, "text", t.fix+"; "+t.constraint)
		result.content = fmt.Sprintf(`{"notice":%d,"port":%q}`, content.IntN(90_000), t.port)
	}
	if result.failed && name != "run_tests" {
		result.content = fmt.Sprintf("error: %s did not answer within %d s", t.service, t.minutes)
	}
	return c, result
}

// quote is a JSON object of strings in the order given.
func quote(pairs ...string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encode(pairs[i]))
		b.WriteByte(':')
		b.Write(encode(pairs[i+1]))
	}
	b.WriteByte('}')
	return b.String()
}
