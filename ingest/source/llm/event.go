package llm

import (
	"cmp"
	"time"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// nativeIDLength is the length from which a provider's reply id is taken for
// unique. Small servers number their replies or send a constant.
const nativeIDLength = 16

// Event makes the event of a call. Its subject is the conversation, else the
// reply, else the request. The source is a URI such as
// openai://api.openai.com/chat.completions unless given.
func (c *Call) Event(source string) lake.Event {
	at := c.At
	if at.IsZero() {
		at = c.CreatedAt
	}
	if at.IsZero() {
		at = time.Unix(0, 0) // the clock would give the same file another event each time
	}
	id := c.eventID()
	if source == "" {
		source = c.source()
	}
	return lake.Event{
		ID:      id,
		Source:  source,
		Type:    "weir.gateway.call.v1",
		Subject: cmp.Or(c.ConversationID, c.ResponseID, c.RequestID, id),
		Time:    at,
		Data:    &c.GatewayCall,
	}
}

// eventID rests on the provider's id of the reply, so that a call which two
// logs recorded is one event. A response that still runs is another event than
// the same response once ended: the first copy of an id wins.
func (c *Call) eventID() string {
	parts := []string{c.family(), c.ResponseID, itoa(c.ChoiceIndex)}
	switch {
	case len(c.ResponseID) < nativeIDLength, c.Cached:
		parts[1] = "exchange"
		for _, part := range c.record {
			parts = append(parts, string(rawjson.Canonical(part)))
		}
	case c.Pending:
		parts = append(parts, "pending")
	}
	return lake.StableID(parts...)
}

// Identify gives a call that has no native id the record that tells it apart,
// JSON in any layout. Parse has set it to the exchange; a log line knows more.
// The bytes are read by Event, not before.
func (c *Call) Identify(record ...[]byte) { c.record = record }

func (c *Call) family() string {
	switch c.API {
	case Messages:
		return "anthropic"
	case GenerateContent:
		return "gemini"
	}
	return "openai"
}

func (c *Call) source() string {
	path := map[string]string{ChatCompletions: "chat.completions", Responses: "responses", Messages: "messages", GenerateContent: "generateContent"}
	return c.family() + "://" + c.Host + "/" + path[c.API]
}

// Assembler joins what a log says in several exchanges of one call: a
// background response is asked for once and then polled. The zero value is
// ready. It holds the responses that have not ended.
type Assembler struct {
	open  map[string]*Call
	order []string
	done  map[string]bool // background responses that have ended: later polls repeat them
}

// Add takes the next calls of a log and returns those that are whole.
func (a *Assembler) Add(calls ...Call) []Call {
	var whole []Call
	for _, call := range calls {
		id := call.ResponseID
		if first := a.open[id]; first != nil && id != "" {
			call = polled(*first, call)
		} else if a.done[id] && call.NoRequest {
			continue
		}
		if call.Pending && id != "" {
			a.hold(id, call)
			continue
		}
		if call.Background {
			if a.done == nil {
				a.done = map[string]bool{}
			}
			a.done[id] = true
		}
		delete(a.open, id)
		whole = append(whole, call)
	}
	return whole
}

func (a *Assembler) hold(id string, call Call) {
	if a.open == nil {
		a.open = map[string]*Call{}
	}
	if a.open[id] == nil {
		a.order = append(a.order, id)
	}
	a.open[id] = &call
}

// Flush returns the responses whose end the log has not, in the order of
// their coming.
func (a *Assembler) Flush() []Call {
	var left []Call
	for _, id := range a.order {
		if call := a.open[id]; call != nil {
			left = append(left, *call)
		}
	}
	a.open, a.order = nil, nil
	return left
}

// polled is the call that first began, as a later reply has it.
func polled(first, later Call) Call {
	c := first
	c.Output, c.FinishReason = later.Output, later.FinishReason
	c.Status, c.Error, c.HTTPStatus = later.Status, later.Error, later.HTTPStatus
	c.ResponseModel = cmp.Or(later.ResponseModel, first.ResponseModel)
	c.Usage = later.Usage
	c.Pending = later.Pending
	return c
}
