// Package claudecode reads the session transcripts of Claude Code: JSON Lines
// in which a reply of the model is spread over several records, a sub-agent's
// messages are wrapped in progress records, and what a person typed meanwhile
// stands only in queue operations. docs/formats/claude-code.md has the mapping.
// Start at Format.
package claudecode

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

// Format is the session format.
func Format() source.Format {
	return source.Format{
		Name:    "claude-code",
		Doc:     "Claude Code session transcripts (JSON Lines, ~/.claude/projects)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

func detect(p source.Probe) int {
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n")
	if !bytes.HasPrefix(head, []byte("{")) {
		return 0
	}
	has := func(word string) bool { return bytes.Contains(head, []byte(word)) }
	switch {
	case has(`"sessionId"`) && (has(`"parentUuid"`) || has(`"type":"queue-operation"`)):
		return 95
	case has(`"leafUuid"`) && has(`"summary"`), has(`"file-history-snapshot"`) && has(`"messageId"`):
		return 85 // a long snapshot may fill the head
	}
	return 0
}

// line is a record of a session file.
type line struct {
	Type             string `json:"type"`
	Subtype          string `json:"subtype"`
	UUID             string `json:"uuid"`
	ParentUUID       string `json:"parentUuid"`
	LogicalParent    string `json:"logicalParentUuid"`
	SessionID        string `json:"sessionId"`
	Timestamp        string `json:"timestamp"`
	CWD              string `json:"cwd"`
	GitBranch        string `json:"gitBranch"`
	AgentID          string `json:"agentId"`
	RequestID        string `json:"requestId"`
	IsSidechain      bool   `json:"isSidechain"`
	IsMeta           bool   `json:"isMeta"`
	IsCompactSummary bool   `json:"isCompactSummary"`
	IsTranscriptOnly bool   `json:"isVisibleInTranscriptOnly"`
	IsAPIError       bool   `json:"isApiErrorMessage"`
	Origin           struct {
		Kind string `json:"kind"`
	} `json:"origin"`
	Message       json.RawMessage `json:"message"`
	ToolUseResult json.RawMessage `json:"toolUseResult"`

	ParentToolUseID string          `json:"parentToolUseID"`
	Data            json.RawMessage `json:"data"`

	Operation string          `json:"operation"`
	Content   json.RawMessage `json:"content"`

	Summary    string   `json:"summary"`
	LeafUUID   string   `json:"leafUuid"`
	DurationMS *float64 `json:"durationMs"`
}

// progress is the data of a progress record. Only a sub-agent's has a message.
type progress struct {
	Type    string `json:"type"`
	AgentID string `json:"agentId"`
	Prompt  string `json:"prompt"`
	Message line   `json:"message"`
}

// reader holds what later records of a file need of earlier ones.
type reader struct {
	out source.Out

	record  source.Record
	units   int64     // events made of the record so far
	last    time.Time // running maximum of the timestamps
	session string    // of the latest record that names one
	early   []early   // records without a time, before any time is known

	calls  map[string]string    // tool by call id, until the result comes
	sides  map[string]string    // root by uuid, in side chains that bear no agent id
	agents map[string]*subAgent // by conversation
	queue  queue
}

// subAgent is a run whose messages arrive in progress records.
type subAgent struct {
	last string          // uuid of its latest message
	seen map[string]bool // uuids: progress records repeat
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	r := &reader{out: out, calls: map[string]string{}, sides: map[string]string{}, agents: map[string]*subAgent{}}
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		r.record, r.units = record, 0
		var l line
		if err := json.Unmarshal(record.Raw, &l); err != nil {
			if err := out.Reject(record.Reject(source.ReasonWrongType, err.Error())); err != nil {
				return err
			}
			continue
		}
		if err := r.read(l); err != nil {
			var bad badRecord
			if !errors.As(err, &bad) {
				return err
			}
			if err := out.Reject(record.Reject(bad.reason, bad.detail)); err != nil {
				return err
			}
		}
	}
	return r.end()
}

// badRecord is a record that makes no sense; reading goes on.
type badRecord struct{ reason, detail string }

func (b badRecord) Error() string { return b.reason + ": " + b.detail }

func wrongType(what string, err error) error {
	return badRecord{source.ReasonWrongType, what + ": " + err.Error()}
}

func (r *reader) read(l line) error {
	if l.Type == "" {
		return badRecord{source.ReasonUnknownType, "a record without a type"}
	}
	at, err := r.clock(l)
	if err != nil {
		return err
	}
	if l.SessionID != "" {
		r.session = l.SessionID
	}
	if !at.IsZero() && r.session != "" {
		if err := r.readEarly(at); err != nil {
			return err
		}
	}
	switch l.Type {
	case "user", "assistant":
		c, err := r.conversation(l, at)
		if err != nil {
			return err
		}
		return r.message(c, l)
	case "system":
		return r.system(l, at)
	case "progress":
		return r.progress(l, at)
	case "queue-operation":
		return r.queueOperation(l, at)
	case "file-history-snapshot":
		return nil // backups of files: no word of the conversation
	}
	return r.other(l, at)
}

// clock gives a record's time, and moves the running maximum.
func (r *reader) clock(l line) (time.Time, error) {
	if l.Timestamp == "" {
		return r.last, nil
	}
	at, err := time.Parse(time.RFC3339Nano, l.Timestamp)
	if err != nil {
		return at, badRecord{source.ReasonWrongType, "timestamp " + l.Timestamp + ": not RFC 3339"}
	}
	at = at.UTC()
	if at.After(r.last) {
		r.last = at
	}
	return at, nil
}

// conversation is where a record's events belong.
type conversation struct {
	id, parent, callID string
	subject            string
	agent              string
	source             string
	branch             string
	at                 time.Time
	taskPrompt         string // of a sub-agent: what its caller asked
}

// mainAgent is the agent that a person talks to.
const mainAgent = "main"

func (r *reader) conversation(l line, at time.Time) (conversation, error) {
	session := cmp.Or(l.SessionID, r.session)
	switch {
	case session == "":
		return conversation{}, badRecord{source.ReasonIncomplete, "no session id"}
	case at.IsZero():
		return conversation{}, badRecord{source.ReasonIncomplete, "no timestamp"}
	}
	c := conversation{id: session, subject: session, agent: mainAgent, source: origin(l.CWD, session), branch: l.GitBranch, at: at}
	if l.IsSidechain {
		name := l.AgentID
		if name == "" {
			// Older versions write side chains between the lines of the main
			// one: the root tells them apart.
			name = r.sides[l.ParentUUID]
			if name == "" {
				name = l.UUID
			}
			r.sides[l.UUID] = name
		}
		c = c.child(name, "")
	}
	return c, nil
}

// child is the conversation of a sub-agent.
func (c conversation) child(agentID, callID string) conversation {
	c.parent, c.id = c.id, c.id+"/agent-"+agentID
	c.agent, c.callID = agentID, callID
	return c
}

func origin(cwd, session string) string {
	project := cwd[strings.LastIndexAny(cwd, `/\`)+1:]
	return "claude-code://" + url.PathEscape(cmp.Or(project, "unknown")) + "/" + url.PathEscape(session)
}

// emit makes the next event of the record.
func (r *reader) emit(c conversation, id string, m lake.ChatMessage) error {
	m.ConversationID, m.ParentConversationID, m.ParentCallID = c.id, c.parent, c.callID
	m.Channel = c.branch
	m.Position = r.record.Ordinal*1000 + min(r.units, 999)
	m.OrderedAt = r.last
	r.units++
	return r.out.Emit(lake.Event{
		ID: id, Source: c.source, Type: "weir.chat.message.v1", Subject: c.subject, Time: c.at, Data: &m,
	})
}

func (r *reader) progress(l line, at time.Time) error {
	var data progress
	if len(l.Data) > 0 {
		if err := json.Unmarshal(l.Data, &data); err != nil {
			return wrongType("data", err)
		}
	}
	if err := r.notice(l, at, lake.ChatMessage{Name: data.Type, ToolCallID: l.ParentToolUseID}); err != nil {
		return err
	}
	inner := data.Message
	if data.Type != "agent_progress" || data.AgentID == "" || inner.UUID == "" || inner.Type != "user" && inner.Type != "assistant" {
		return nil
	}
	c, err := r.conversation(l, at)
	if err != nil {
		return err
	}
	c = c.child(data.AgentID, l.ParentToolUseID)
	c.taskPrompt = data.Prompt
	if innerAt, err := r.clock(inner); err == nil && inner.Timestamp != "" {
		c.at = innerAt
	}
	agent := r.agents[c.id]
	if agent == nil {
		agent = &subAgent{seen: map[string]bool{}}
		r.agents[c.id] = agent
	}
	if agent.seen[inner.UUID] {
		return nil
	}
	// A slice may begin within the run: then the wrapper's parent tells
	// whether what came before is in the lake.
	inner.ParentUUID = cmp.Or(agent.last, l.ParentUUID)
	if agent.last == "" && data.Prompt != "" && !isTaskPrompt(inner, data.Prompt) {
		if err := r.taskPrompt(c, ""); err != nil {
			return err
		}
	}
	agent.seen[inner.UUID], agent.last = true, inner.UUID
	return r.message(c, inner)
}
