package target

import (
	"slices"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// ContextPolicy says what becomes of an example that is longer than the limit.
type ContextPolicy string

// The policies.
const (
	ContextSplit    ContextPolicy = "split"    // it is divided, and each reply trained once; the zero value is this too
	ContextDrop     ContextPolicy = "drop"     // it is left out
	ContextTruncate ContextPolicy = "truncate" // what fits from its beginning stays
)

// ContextPolicies lists them in the order of the documentation.
func ContextPolicies() []ContextPolicy {
	return []ContextPolicy{ContextSplit, ContextDrop, ContextTruncate}
}

// shorten applies the policy to an example. A rule says that it is dropped.
func shorten(e canonical.Example, limit int, opts Options, losses Losses) ([]canonical.Example, Rule) {
	if opts.Context == "" || opts.Context == ContextSplit {
		return divide(e, limit, opts, losses), ""
	}
	cut := Losses{}
	pieces := divide(e, limit, opts, cut)
	switch {
	case len(cut) == 0:
		return pieces, "" // it fits
	case opts.Context == ContextDrop:
		return nil, RuleContext
	case len(pieces) > 0:
		losses.add(RuleTruncated)
		pieces = pieces[:1]
	}
	return pieces, ""
}

// divide cuts an example that is longer than the limit into pieces that are
// not. It cuts at human prompts; a turn that is too long by itself is cut at
// calls. Each piece opens with the example's opening (all before the first
// assistant message) as context; a piece that begins within a turn repeats the
// turn's prompt and the step before it too, so that no reply is trained without
// the tool result that it answers. Each target is in one piece, or is reported
// as too long.
func divide(e canonical.Example, limit int, opts Options, losses Losses) []canonical.Example {
	if atMost(&e) <= limit {
		return []canonical.Example{e}
	}
	total := 0
	if opts.Base != nil {
		total = opts.Base(&e)
	}
	base := total
	costs := make([]int, len(e.Messages))
	for i, m := range e.Messages {
		costs[i] = opts.Count(m)
		total += costs[i]
	}
	if total <= limit {
		return []canonical.Example{e}
	}
	open := slices.IndexFunc(e.Messages, func(m lake.Message) bool { return m.Role == "assistant" })
	opening := e.Messages[:open]
	d := divider{room: limit - base - sum(costs[:open]), losses: losses}
	for _, turn := range turns(e.Messages[open:], costs[open:]) {
		d.turn(turn)
	}
	d.flush()
	pieces := make([]canonical.Example, len(d.pieces))
	for i, messages := range d.pieces {
		pieces[i] = e
		pieces[i].Messages = slices.Concat(opening, messages)
	}
	if len(pieces) > 0 {
		losses.add(RuleDivided)
	}
	return pieces
}

// atMost bounds what an example takes, without counting: no tokenizer makes
// more tokens than bytes, and no form adds more than its share to each part.
func atMost(e *canonical.Example) int {
	const overhead = 16
	n := overhead
	for _, m := range e.Messages {
		n += overhead + len(m.Role) + len(m.Name) + len(m.Reasoning) + len(m.Content)
		for _, call := range m.ToolCalls {
			n += overhead + len(call.Name) + len(call.Arguments)
		}
	}
	for _, tool := range e.Tools {
		n += overhead + len(tool.Name) + len(tool.Description) + len(tool.Parameters)
	}
	return n
}

// block is messages that stay together, and what they take.
type block struct {
	messages []lake.Message
	cost     int
}

// step is a message of the assistant and the results of its calls.
type step struct {
	reply   block
	results block
}

// turn is what people said and what the assistant did upon it.
type turn struct {
	prompt block
	steps  []step
}

func turns(messages []lake.Message, costs []int) []turn {
	turns := []turn{{}}
	for i, m := range messages {
		last := &turns[len(turns)-1]
		one := block{messages[i : i+1], costs[i]}
		switch {
		case m.Role == "assistant":
			last.steps = append(last.steps, step{reply: one})
		case m.Role == "tool":
			at := &last.steps[len(last.steps)-1] // pair saw to it that there is one
			at.results = at.results.with(one)
		default:
			if len(last.steps) > 0 {
				turns = append(turns, turn{})
				last = &turns[len(turns)-1]
			}
			last.prompt = last.prompt.with(one)
		}
	}
	return turns
}

func (b block) with(others ...block) block {
	b.messages = slices.Clone(b.messages)
	for _, other := range others {
		b.messages = append(b.messages, other.messages...)
		b.cost += other.cost
	}
	return b
}

type divider struct {
	room   int // tokens that a piece has beside the opening
	piece  block
	behind block // results at the end of the piece: they count once something follows
	pieces [][]lake.Message
	losses Losses
}

// add puts blocks at the end of the piece if they fit.
func (d *divider) add(results block, blocks ...block) bool {
	next := d.piece.with(append([]block{d.behind}, blocks...)...)
	if next.cost > d.room {
		return false
	}
	d.piece, d.behind = next, results
	return true
}

// flush ends the piece. One without a target is dropped: it would train nothing.
func (d *divider) flush() {
	piece := canonical.Example{Messages: d.piece.messages}
	if tail(&piece, Losses{}) == "" {
		d.pieces = append(d.pieces, piece.Messages)
	}
	d.piece, d.behind = block{}, block{}
}

func (d *divider) turn(t turn) {
	if len(t.steps) == 0 {
		return // prompts at the end; the tail was trimmed
	}
	blocks := []block{t.prompt}
	for i, step := range t.steps {
		blocks = append(blocks, step.reply)
		if i < len(t.steps)-1 {
			blocks = append(blocks, step.results)
		}
	}
	results := t.steps[len(t.steps)-1].results
	if d.add(results, blocks...) {
		return
	}
	if d.flush(); d.add(results, blocks...) {
		return
	}
	d.steps(t)
}

// steps divides a turn that is too long for a piece of its own.
func (d *divider) steps(t turn) {
	fits := d.add(block{}, t.prompt)
	for i, step := range t.steps {
		if fits && d.add(step.results, step.reply) {
			continue
		}
		d.flush()
		before := []block{t.prompt}
		if i > 0 {
			reply := t.steps[i-1].reply
			reply.messages = []lake.Message{weightless(reply.messages[0])}
			before = append(before, reply, t.steps[i-1].results)
		}
		if fits = d.add(step.results, append(before, step.reply)...); !fits && canonical.IsTarget(step.reply.messages[0]) {
			d.losses.add(RuleTargetTooLong)
		}
	}
}

// weightless copies a message as context.
func weightless(m lake.Message) lake.Message {
	if m.Role == "assistant" {
		var none float64
		m.Weight = &none
	}
	return m
}

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}
