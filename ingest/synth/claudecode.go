package synth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path"
	"time"
)

// session is a Claude Code session on its way to its own file.
type session struct {
	id, cwd, branch string
	at              time.Time
	parent          string // uuid of the line before
	r               *rand.Rand
	context         int64 // tokens in the context window
	records         int64
	out             bytes.Buffer
}

// codeLine is one record of a session; it has the keys that its type has.
type codeLine struct {
	ParentUUID        *string `json:"parentUuid"`
	LogicalParentUUID string  `json:"logicalParentUuid,omitempty"`
	IsSidechain       bool    `json:"isSidechain"`
	UserType          string  `json:"userType,omitempty"`
	CWD               string  `json:"cwd,omitempty"`
	SessionID         string  `json:"sessionId"`
	Version           string  `json:"version,omitempty"`
	GitBranch         string  `json:"gitBranch,omitempty"`
	Type              string  `json:"type"`
	Subtype           string  `json:"subtype,omitempty"`
	Content           string  `json:"content,omitempty"`
	IsCompactSummary  bool    `json:"isCompactSummary,omitempty"`
	IsAPIError        bool    `json:"isApiErrorMessage,omitempty"`
	CompactMetadata   any     `json:"compactMetadata,omitempty"`
	Message           any     `json:"message,omitempty"`
	RequestID         string  `json:"requestId,omitempty"`
	ToolUseResult     any     `json:"toolUseResult,omitempty"`
	Data              any     `json:"data,omitempty"`
	ToolUseID         string  `json:"toolUseID,omitempty"`
	ParentToolUseID   string  `json:"parentToolUseID,omitempty"`
	UUID              string  `json:"uuid"`
	Timestamp         string  `json:"timestamp"`
	DurationMS        int64   `json:"durationMs,omitempty"`
}

type codeMessage struct {
	Model        string     `json:"model,omitempty"`
	ID           string     `json:"id,omitempty"`
	Type         string     `json:"type,omitempty"`
	Role         string     `json:"role"`
	Content      any        `json:"content"`
	StopReason   *string    `json:"stop_reason"`
	StopSequence *string    `json:"stop_sequence"`
	Usage        *codeUsage `json:"usage,omitempty"`
}

type codeUsage struct {
	Input       int64  `json:"input_tokens"`
	CacheWrite  int64  `json:"cache_creation_input_tokens"`
	CacheRead   int64  `json:"cache_read_input_tokens"`
	Output      int64  `json:"output_tokens"`
	ServiceTier string `json:"service_tier"`
}

type humanMessage struct {
	Role    string `json:"role"`
	Content any    `json:"content"`
}

// features of sessions, in turn.
var features = []string{"secret", "compaction", "sub_agent", "refusal", "resume", "queue"}

const signature = "SW52ZW50ZWQgc2lnbmF0dXJlLCBub3QgYSByZWFsIG9uZS4="

// session writes a coding session; each has one feature beside the usual.
func (w *writer) session(e *episode) error {
	e.agent = fleet[1] // ines, the builder
	project := pick(e.content, []string{"back-office", "booking-web", "harbour-feeds"})
	s := &session{id: uuid(e.ids), cwd: "/srv/northern-strait/" + project, at: e.start, r: e.ids, context: 17_000 + int64(e.ids.IntN(3000))}
	e.subject = s.id
	t := newTopic(e.content)
	s.branch = fmt.Sprintf("hf-%d", t.ticket)
	feature := features[e.ordinal%uint64(len(features))]
	w.plant(Truth{Kind: "feature", IDs: []string{s.id}, Value: feature})

	s.raw(map[string]any{"type": "file-history-snapshot", "messageId": uuid(s.r), "isSnapshotUpdate": false, "snapshot": map[string]any{"trackedFileBackups": map[string]any{}, "timestamp": stamp(s.at)}})
	s.prompt(t.ask(e.content))
	s.work(e.content, t, 2+e.content.IntN(2))
	switch feature {
	case "secret":
		secret := newSecret(s.r)
		w.plant(Truth{Kind: "secret", IDs: []string{s.id}, Value: secret})
		s.use("", "Bash", quote("command", "cat "+t.slug()+"/.env"), "PORT=8081\nSERVICE_TOKEN="+secret+"\n", false)
	case "compaction":
		s.compact(e.content, t)
		s.work(e.content, t, 1)
	case "sub_agent":
		s.subAgent(e.content, t)
	case "refusal":
		s.refusal(e.content, t)
	case "resume":
		s.resume()
	case "queue":
		s.queued(t.followUp(e.content))
		s.apiError()
	}
	s.say(t.thought(e.content), t.answer(e.content))
	for range 1 + e.content.IntN(2) {
		t.ticket++
		s.prompt(t.followUp(e.content))
		s.work(e.content, t, 1)
		s.say("", t.answer(e.content))
	}
	s.line(codeLine{Type: "system", Subtype: "turn_duration", DurationMS: int64(2000 + s.r.IntN(60_000))})
	// The record after is glued to the one before: the newline is missing.
	if feature == "resume" {
		s.out.Truncate(s.out.Len() - 1)
	}
	s.raw(map[string]any{"type": "summary", "summary": capital(t.service) + ": HF-" + fmt.Sprint(t.ticket), "leafUuid": s.parent})

	w.counts["claude-code"] += s.records
	w.outcome(e, s.at, e.content.IntN(8) == 0)
	return w.out.file(path.Join("logs/claude-code", project, s.id+".jsonl"), s.out.Bytes())
}

func (s *session) raw(v any) {
	s.out.Write(encode(v))
	s.out.WriteByte('\n')
	s.records++
}

// line writes a record after the last one and returns it.
func (s *session) line(l codeLine) codeLine {
	s.at = s.at.Add(time.Duration(200+s.r.IntN(9000)) * time.Millisecond)
	if s.parent != "" && l.LogicalParentUUID == "" {
		parent := s.parent
		l.ParentUUID = &parent
	}
	l.UserType, l.CWD, l.SessionID, l.Version, l.GitBranch = "external", s.cwd, s.id, "2.1.20", s.branch
	l.UUID, l.Timestamp = uuid(s.r), stamp(s.at)
	s.parent = l.UUID
	s.raw(l)
	return l
}

func (s *session) prompt(text string) {
	s.context += int64(len(text)) / 4
	s.line(codeLine{Type: "user", Message: humanMessage{Role: "user", Content: text}})
}

// reply writes one model output, a line a block. Its usage stands on each line.
func (s *session) reply(blocks ...block) (last codeLine) {
	id, request := "msg_01"+letters(s.r, alphanumeric, 22), "req_011"+letters(s.r, alphanumeric, 21)
	usage := &codeUsage{Input: 5, CacheRead: s.context - 300, CacheWrite: 295, ServiceTier: "standard"}
	for _, b := range blocks {
		usage.Output += int64(len(b.Text)+len(b.Thinking)+len(b.Input))/4 + 3
	}
	s.context += usage.Output
	for _, b := range blocks {
		last = s.line(codeLine{Type: "assistant", RequestID: request, Message: codeMessage{
			Model: claude, ID: id, Type: "message", Role: "assistant", Content: []block{b}, Usage: usage,
		}})
	}
	return last
}

func (s *session) say(thought, text string) {
	var list []block
	if thought != "" {
		list = append(list, block{Type: "thinking", Thinking: thought, Signature: signature})
	}
	s.reply(append(list, block{Type: "text", Text: text})...)
}

// use is a model output that calls a tool, and the tool's answer.
func (s *session) use(text, tool, input, result string, failed bool) {
	id := "toolu_01" + letters(s.r, alphanumeric, 22)
	var list []block
	if text != "" {
		list = append(list, block{Type: "text", Text: text})
	}
	s.reply(append(list, block{Type: "tool_use", ID: id, Name: tool, Input: json.RawMessage(input)})...)
	s.result(id, result, failed, nil)
}

func (s *session) result(id, text string, failed bool, structured any) {
	s.context += int64(len(text)) / 4
	if failed && structured == nil {
		structured = "Error: " + text
	}
	s.line(codeLine{Type: "user", ToolUseResult: structured, Message: humanMessage{Role: "user", Content: []block{{Type: "tool_result", ToolUseID: id, Content: text, IsError: failed}}}})
}

// work is some steps of reading, testing and editing.
func (s *session) work(content *rand.Rand, t topic, steps int) {
	for i := range steps {
		text := ""
		if content.IntN(2) == 0 {
			text = t.plan(content)
		}
		file := s.cwd + "/" + t.path()
		switch (i + content.IntN(2)) % 3 {
		case 0:
			s.use(text, "Read", quote("file_path", file), t.code(content), false)
		case 1:
			failed := content.IntN(3) == 0
			s.use(text, "Bash", quote("command", "go test ./"+t.slug()+"/...", "description", "Run the tests of the "+t.service), t.testRun(content, failed), failed)
		default:
			s.use(text, "Edit", quote("file_path", file, "old_string", "return nil", "new_string", fmt.Sprintf("return close%s(ctx, %d)", camel(t.slug()), t.rows)), "The file "+file+" has been updated.", false)
		}
	}
}

// compact ends the context window: a boundary, then the summary that opens the
// next one.
func (s *session) compact(content *rand.Rand, t topic) {
	s.line(codeLine{Type: "system", Subtype: "compact_boundary", Content: "Conversation compacted", LogicalParentUUID: s.parent,
		CompactMetadata: map[string]any{"trigger": "auto", "preTokens": 150_000 + s.r.IntN(10_000)}})
	summary := fmt.Sprintf("This session is being continued from a previous conversation that ran out of context. Summary: the %s %s (HF-%d). So far: %s Still to do: %s, then %s.",
		t.service, t.symptom, t.ticket, pick(content, notes), t.fix, t.check)
	s.context = 18_000
	s.line(codeLine{Type: "user", IsCompactSummary: true, Message: humanMessage{Role: "user", Content: summary}})
}

// subAgent starts a helper whose own messages arrive as progress records.
func (s *session) subAgent(content *rand.Rand, t topic) {
	call, agentID := "toolu_01"+letters(s.r, alphanumeric, 22), letters(s.r, "0123456789abcdef", 7)
	prompt := fmt.Sprintf("Search the repository for every place where %s. Report file and line; change nothing. Ticket HF-%d.", t.cause, t.ticket)
	s.reply(block{Type: "tool_use", ID: call, Name: "Task", Input: json.RawMessage(quote("description", "Search for the cause", "prompt", prompt, "subagent_type", "Explore"))})
	progress := func(m map[string]any) {
		s.line(codeLine{Type: "progress", ToolUseID: "agent_msg_01" + letters(s.r, alphanumeric, 22), ParentToolUseID: call,
			Data: map[string]any{"type": "agent_progress", "agentId": agentID, "prompt": prompt, "message": m}})
	}
	inner := func(kind string, message any) map[string]any {
		return map[string]any{"type": kind, "uuid": uuid(s.r), "timestamp": stamp(s.at), "message": message}
	}
	progress(inner("user", humanMessage{Role: "user", Content: []block{{Type: "text", Text: prompt}}}))
	grep := "toolu_01" + letters(s.r, alphanumeric, 22)
	usage := func(out int64) *codeUsage {
		return &codeUsage{Input: 3, CacheWrite: 4100, CacheRead: 9000, Output: out, ServiceTier: "standard"}
	}
	say := func(b block) codeMessage {
		return codeMessage{Model: claudeSmall, ID: "msg_01" + letters(s.r, alphanumeric, 22), Type: "message", Role: "assistant", Content: []block{b}, Usage: usage(40)}
	}
	progress(inner("assistant", say(block{Type: "tool_use", ID: grep, Name: "Grep", Input: json.RawMessage(quote("pattern", t.slug(), "path", s.cwd))})))
	hit := fmt.Sprintf("%s:%d: %s", t.path(), 10+t.minutes, camel(t.slug()))
	progress(inner("user", humanMessage{Role: "user", Content: []block{{Type: "tool_result", ToolUseID: grep, Content: hit}}}))
	found := fmt.Sprintf("One place: %s line %d. There %s. %s", t.path(), 10+t.minutes, t.cause, pick(content, notes))
	progress(inner("assistant", say(block{Type: "text", Text: found})))
	s.result(call, found, false, map[string]any{"status": "completed", "prompt": prompt, "agentId": agentID, "totalDurationMs": 21_000, "totalTokens": 13_143, "totalToolUseCount": 1,
		"content": []block{{Type: "text", Text: found}}})
}

// refusal is a person who says no to an edit, and the interruption after it.
func (s *session) refusal(content *rand.Rand, t topic) {
	id := "toolu_01" + letters(s.r, alphanumeric, 22)
	s.reply(block{Type: "text", Text: t.plan(content)}, block{Type: "tool_use", ID: id, Name: "Edit",
		Input: json.RawMessage(quote("file_path", s.cwd+"/payment/payment.go", "old_string", "const retries = 3", "new_string", "const retries = 0"))})
	s.result(id, "The user doesn't want to proceed with this tool use. The tool use was rejected (the file was not changed).", true, nil)
	s.line(codeLine{Type: "user", Message: humanMessage{Role: "user", Content: []block{{Type: "text", Text: "[Request interrupted by user for tool use]"}}}})
	s.prompt(fmt.Sprintf("Not in the payment code. %s. Stay within %s.", capital(t.constraint), t.path()))
}

// resume writes the last record again, as a resumed session does.
func (s *session) resume() {
	text := bytes.TrimSuffix(s.out.Bytes(), []byte("\n"))
	last := bytes.Clone(text[bytes.LastIndexByte(text, '\n')+1:])
	s.out.Write(append(last, '\n'))
	s.records++
}

// queued is what a person types while the agent works: it reaches the model in
// mid-turn and has no line of its own.
func (s *session) queued(text string) {
	operation := func(name, content string) {
		record := map[string]any{"type": "queue-operation", "operation": name, "timestamp": stamp(s.at), "sessionId": s.id}
		if content != "" {
			record["content"] = content
		}
		s.raw(record)
	}
	id := "toolu_01" + letters(s.r, alphanumeric, 22)
	s.reply(block{Type: "tool_use", ID: id, Name: "Bash", Input: json.RawMessage(quote("command", "git log --oneline -3"))})
	operation("enqueue", text)
	operation("remove", "")
	s.result(id, "4f1c2aa rota: one shift a line\n90be517 fares: round once\n1d00c3e feeds: close the file", false, nil)
}

// apiError is a call that the provider refused; the client writes a line for it.
func (s *session) apiError() {
	s.line(codeLine{Type: "assistant", IsAPIError: true, Message: codeMessage{
		Model: "<synthetic>", ID: uuid(s.r), Type: "message", Role: "assistant", Usage: &codeUsage{},
		Content: []block{{Type: "text", Text: "API Error: 529 overloaded_error"}},
	}})
}
