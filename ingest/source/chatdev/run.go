package chatdev

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// run reads the entries of a log in order.
type run struct {
	out          source.Out
	subject      string
	isMonthFirst bool
	last         time.Time // running maximum of the times

	phase     string // conversation of the phase; empty: none has begun
	phaseName string
	phases    int
	roles     [2]string         // of the phase: who answers, who asks
	model     string            // of the phase
	prompts   map[string]string // of the phase, by role
	receipts  []receipt         // usage whose output did not yet come: several may, for both speak before either is logged
	held      *lake.Event       // last message of the phase, final if nothing follows in it
	turns     int               // messages of the phase, to link them
}

type receipt struct {
	usage lake.Usage
	entry entry
}

func newRun(out source.Out) *run { return &run{out: out, last: time.Unix(0, 0).UTC()} }

var (
	spoken    = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9 _.'&/-]{0,60}): `)
	heading   = regexp.MustCompile(`^\*\*\[([^\]\n]{1,60})\]\*\*:?`)
	turn      = regexp.MustCompile(`^\*\*([^*\n]{1,80})<->([^*\n]{1,80}) on : ([^*\n]{1,80}), turn (\d+)\*\*`)
	parameter = regexp.MustCompile(`(?m)^\| \*\*([a-z_]+)\*\* \| (.*) \|$`)
	pair      = regexp.MustCompile(`(?m)^[ \t]*([a-z_]+): *\$?((?:0|[1-9]\d{0,17})(?:\.\d{1,12})?)[ \t\r]*$`)
	field     = regexp.MustCompile(`(?m)^\*\*(Timestamp|project_name)\*\*: *(\S.*)$`)
	numbered  = regexp.MustCompile(`^\s*In the #\d+ of total \d+ comments:\s*`)
)

// headings are what the entries under a heading in brackets are.
var headings = map[string]string{
	"Preprocessing":                lake.KindNotice,
	"OpenAI_Usage_Info Send":       lake.KindNotice, // an estimate of what the receipt counts
	"Seminar Conclusion":           lake.KindNotice,
	"Task Prompt Self Improvement": lake.KindNotice,
	"Update Codes":                 lake.KindNotice,
	"Rewrite Codes":                lake.KindNotice,
	"Execute Detail":               lake.KindNotice,
	"CMD Execute":                  lake.KindNotice,
	"Git Information":              lake.KindNotice,
	"Git Log":                      lake.KindNotice,
	"Software Info":                lake.KindNotice,
	"Human-Agent-Interaction":      lake.KindNotice,
	postInfo:                       lake.KindNotice,
	"Test Reports":                 lake.KindEnvironment,
	"Test Info":                    lake.KindEnvironment,
	"User Provided Comments":       lake.KindPrompt,
}

const (
	receive  = "OpenAI_Usage_Info Receive"
	postInfo = "Post Info"
)

// noise are the lines that libraries write into the log: the only ones that are
// left out.
var noise = []string{"flask app.py did not start", "HTTP Request: "}

// remark is what ChatDev tells without a heading.
var remark = regexp.MustCompile(`^(\d+ files read from |Programmer resolve ModuleNotFoundError by:|Get (code|text) embedding from |InstructionStar generation:)`)

func (r *run) entry(e entry) error {
	text := strings.TrimRight(e.text(), " \t\r\n")
	if r.subject == "" {
		r.begin(e, text)
	}
	for _, prefix := range noise {
		if strings.HasPrefix(text, prefix) && !strings.Contains(text, "\n") {
			return nil
		}
	}
	at := parseTime(e.stamp, r.isMonthFirst)
	if at.IsZero() {
		return r.out.Reject(e.reject(source.ReasonWrongType, "no date and time: "+e.stamp))
	}
	if at.After(r.last) {
		r.last = at
	}
	if m := heading.FindStringSubmatch(text); m != nil {
		return r.heading(e, at, m[1], strings.Trim(text[len(m[0]):], "\r\n"))
	}
	if remark.MatchString(text) {
		return r.notice(e, at, r.subject, "log", text)
	}
	if m := spoken.FindStringSubmatch(text); m != nil {
		return r.speech(e, at, m[1], text[len(m[0]):])
	}
	return r.out.Reject(e.reject(source.ReasonUnknownType, "neither a heading nor a role that speaks"))
}

// begin names the run by the project, the time that it started at, and a hash
// of the first entry: the directory and the file name are no part of the log.
func (r *run) begin(e entry, text string) {
	values := map[string]string{}
	for _, m := range field.FindAllStringSubmatch(text, -1) {
		values[m[1]] = strings.TrimSpace(m[2])
	}
	mark := lake.StableID("chatdev", e.stamp, text)[:8]
	started := values["Timestamp"]
	r.subject = strings.Trim(values["project_name"]+"/"+started+"/"+mark, "/")
	if at, err := time.Parse("20060102150405", started); err == nil {
		r.isMonthFirst = strings.HasPrefix(e.stamp, at.Format("2006-01-02")) && at.Day() != int(at.Month())
	}
}

func (r *run) heading(e entry, at time.Time, name, text string) error {
	kind, isKnown := headings[name]
	switch {
	case name == receive:
		return r.receipt(e, at, text)
	case !isKnown:
		return r.out.Reject(e.reject(source.ReasonUnknownType, "heading ["+name+"]"))
	case kind == lake.KindPrompt:
		said := strings.TrimPrefix(text, numbered.FindString(text))
		event := r.event(e, at, name, &lake.ChatMessage{ConversationID: r.subject, Kind: kind, Role: "user", Content: said})
		if number := strings.TrimSpace(text[:len(text)-len(said)]); number != "" {
			event.Extra = string(rawjson.Marshal(map[string]any{"native": map[string]string{"comment": number}}))
		}
		return r.out.Emit(event)
	case name == postInfo: // the run is over
		if err := r.endPhase(); err != nil {
			return err
		}
	}
	m := &lake.ChatMessage{ConversationID: r.subject, Kind: kind, Name: name, Content: text}
	if name == postInfo {
		m.IsFinal = new(bool)
		*m.IsFinal = true
	}
	return r.out.Emit(r.event(e, at, name, m))
}

func (r *run) notice(e entry, at time.Time, conversation, name, text string) error {
	m := &lake.ChatMessage{ConversationID: conversation, Kind: lake.KindNotice, Name: name, Content: text}
	if conversation == r.phase {
		m.Channel = r.phaseName
	}
	return r.out.Emit(r.event(e, at, name, m))
}

// receipt keeps what a call cost for the output that it paid for. What is no
// number of it is told as a notice: lines of an entry whose header was broken,
// say.
func (r *run) receipt(e entry, at time.Time, text string) error {
	usage := rawjson.Object{}
	rest := pair.ReplaceAllStringFunc(text, func(line string) string {
		m := pair.FindStringSubmatch(line)
		if usage.Has(m[1]) {
			return line
		}
		usage[m[1]] = json.RawMessage(m[2])
		return ""
	})
	if len(usage) == 0 {
		return r.out.Reject(e.reject(source.ReasonIncomplete, "a receipt without numbers"))
	}
	r.receipts = append(r.receipts, receipt{llm.ReadUsage(usage), e})
	if rest = strings.TrimSpace(rest); rest != "" {
		return r.notice(e, at, r.subject, receive, rest)
	}
	return nil
}

func (r *run) speech(e entry, at time.Time, role, text string) error {
	if m := heading.FindStringSubmatch(text); m != nil {
		rest := strings.Trim(text[len(m[0]):], "\r\n")
		switch {
		case role == "System" && (m[1] == "chatting" || m[1] == "RolePlaying"):
			return r.table(e, at, m[1], rest)
		case m[1] == "Start Chat":
			if r.phase == "" || r.turns > 0 { // a chat without its table
				if err := r.beginPhase(nil); err != nil {
					return err
				}
			}
			if r.roles[1] != role {
				r.roles = [2]string{"", role}
			}
			prompt, said := splitPrompt(rest)
			if err := r.prompt(e, at, r.roles[0], prompt); err != nil {
				return err
			}
			return r.say(e, at, &lake.ChatMessage{Kind: lake.KindContext, Agent: role, Recipient: r.roles[0], Role: "user", Content: said})
		}
		return r.out.Reject(e.reject(source.ReasonUnknownType, role+": heading ["+m[1]+"]"))
	}
	other := r.roles[0]
	if role == other {
		other = r.roles[1]
	}
	if m := turn.FindStringSubmatch(text); m != nil {
		switch role {
		case m[1]:
			other = m[2]
		case m[2]:
			other = m[1]
		default:
			return r.out.Reject(e.reject(source.ReasonUnknownType, role+" is neither of those whose turn it is"))
		}
		switch r.phaseName {
		case m[3]:
		case "": // a chat without its table
			if r.phase == "" {
				if err := r.beginPhase(nil); err != nil {
					return err
				}
			}
			r.phaseName = m[3]
		default: // all that stood before this turn is missing
			if err := r.beginPhase(map[string]string{"phase_name": m[3]}); err != nil {
				return err
			}
		}
		// In the brackets stands the prompt of the one who is spoken to.
		prompt, said := splitPrompt(strings.Trim(text[len(m[0]):], "\r\n"))
		if err := r.prompt(e, at, other, prompt); err != nil {
			return err
		}
		return r.output(e, at, role, other, said)
	}
	if len(r.receipts) > 0 && (role == r.roles[0] || role == r.roles[1]) {
		return r.output(e, at, role, other, text)
	}
	return r.out.Reject(e.reject(source.ReasonUnknownType, role+" speaks outside of a turn"))
}

// table reads the parameters of a chat, which stand before it twice.
func (r *run) table(e entry, at time.Time, name, text string) error {
	values := map[string]string{}
	for _, m := range parameter.FindAllStringSubmatch(text, -1) {
		values[m[1]] = m[2]
	}
	if r.phase == "" || r.turns > 0 || values["phase_name"] != "" { // the first table
		if err := r.beginPhase(values); err != nil {
			return err
		}
	}
	return r.notice(e, at, r.phase, name, text)
}

func (r *run) beginPhase(values map[string]string) error {
	if err := r.endPhase(); err != nil {
		return err
	}
	r.phases++
	r.phaseName = values["phase_name"]
	r.phase = fmt.Sprintf("%s/%d", r.subject, r.phases)
	r.roles = [2]string{values["assistant_role_name"], values["user_role_name"]}
	r.model = strings.TrimPrefix(values["model_type"], "ModelType.")
	r.prompts, r.turns = map[string]string{}, 0
	return nil
}

// endPhase sends what is held back: nothing follows in the phase. A receipt
// without an output is kept as a notice, for it was paid.
func (r *run) endPhase() error {
	if r.held != nil {
		m := r.held.Data.(*lake.ChatMessage)
		m.IsFinal = new(bool)
		*m.IsFinal = true
		if err := r.flush(); err != nil {
			return err
		}
	}
	for _, receipt := range r.receipts {
		m := &lake.ChatMessage{ConversationID: r.subject, Kind: lake.KindNotice, Name: "usage", Usage: receipt.usage}
		if err := r.out.Emit(r.event(receipt.entry, r.last, "usage", m)); err != nil {
			return err
		}
	}
	r.receipts = nil
	return nil
}

// end is called at the end of the log, which may be cut off: nothing is final.
func (r *run) end() error {
	if err := r.flush(); err != nil {
		return err
	}
	return r.endPhase()
}

func (r *run) flush() error {
	if r.held == nil {
		return nil
	}
	e := *r.held
	r.held = nil
	return r.out.Emit(e)
}

// prompt sends the system prompt of a role once a phase.
func (r *run) prompt(e entry, at time.Time, role, prompt string) error {
	if prompt == "" || r.prompts[role] == prompt {
		return nil
	}
	r.prompts[role] = prompt
	if err := r.flush(); err != nil {
		return err
	}
	m := &lake.ChatMessage{ConversationID: r.phase, Channel: r.phaseName, Kind: lake.KindSystem, Role: "system", Agent: role, Content: prompt}
	event := r.event(e, at, "prompt", m)
	return r.out.Emit(event)
}

func (r *run) output(e entry, at time.Time, role, other, text string) error {
	m := &lake.ChatMessage{Kind: lake.KindOutput, Role: "assistant", Agent: role, Recipient: other, Content: text, Model: r.model}
	if len(r.receipts) > 0 {
		m.Usage = r.receipts[0].usage
		r.receipts = r.receipts[1:]
	}
	return r.say(e, at, m)
}

// say holds a message back until it is known whether another follows.
func (r *run) say(e entry, at time.Time, m *lake.ChatMessage) error {
	if err := r.flush(); err != nil {
		return err
	}
	m.ConversationID, m.Channel = r.phase, r.phaseName
	m.MessageID = fmt.Sprintf("%s#%d", r.phase, r.turns)
	if r.turns > 0 {
		m.ParentID = fmt.Sprintf("%s#%d", r.phase, r.turns-1)
	}
	r.turns++
	event := r.event(e, at, "said", m)
	m.Position++ // behind the prompt of the same entry
	r.held = &event
	return nil
}

func (r *run) event(e entry, at time.Time, key string, m *lake.ChatMessage) lake.Event {
	m.Position, m.OrderedAt = e.ordinal*1000, r.last
	return lake.Event{
		ID: lake.StableID("chatdev", r.subject, fmt.Sprint(e.ordinal), key), Source: "chatdev://" + url.PathEscape(r.subject),
		Type: "weir.chat.message.v1", Subject: r.subject, Time: at, Data: m,
	}
}
