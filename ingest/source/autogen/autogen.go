// Package autogen reads what teams of AutoGen's agents log: the messages of
// AutoGen 0.4 and later, the chat histories of 0.2 and AG2, labelled transcripts
// as the Who&When set keeps them, and the runtime log of 0.2, a database. docs/formats/autogen.md and
// autogen-runtime.md have the mappings. Start at Format and Runtime.
package autogen

import (
	"bytes"
	"context"
	"regexp"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// Format is the format of messages, chat histories and labelled transcripts.
func Format() source.Format {
	return source.Format{
		Name:    "autogen",
		Doc:     "AutoGen, AG2 and Magentic-One: messages of a team, chat histories, or transcripts with failure labels as in Who&When (JSON)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

var (
	// opening is how a transcript begins that is longer than the head.
	opening = regexp.MustCompile(`^\[?\s*\{\s*"(is_correct|is_corrected|history|question)"\s*:`)
	// typed is a message of AutoGen 0.4's own types.
	typed  = regexp.MustCompile(`"type"\s*:\s*"(TextMessage|MultiModalMessage|StopMessage|HandoffMessage|StructuredMessage[^"]*|Tool(Call|Execution)[A-Za-z]*(Message|Event)|ThoughtEvent)"`)
	sender = regexp.MustCompile(`"source"\s*:\s*"`)
)

func detect(p source.Probe) int {
	o := rawjson.First(p.Head)
	if o == nil {
		head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n")
		switch {
		case (bytes.HasPrefix(head, []byte("{")) || bytes.HasPrefix(head, []byte("["))) && typed.Match(head) && sender.Match(head):
			return 75
		case !opening.Match(head) || !bytes.Contains(head, []byte(`"role"`)) || !bytes.Contains(head, []byte(`"history"`)):
			return 0
		case bytes.Contains(head, []byte(`"question"`)) || bytes.Contains(head, []byte(`"Orchestrator (`)) || bytes.Contains(head, []byte(`"role": "human"`)):
			return 80
		}
		return 0
	}
	switch {
	case isMessage(o), isResult(o):
		return 85
	case isChatResult(o):
		return 80
	case isTurn(o) && isHistory(p.Head):
		return 60
	}
	history := o.Objects("history")
	if len(history) == 0 || !o.Has("question") || !history[0].Has("role") || !history[0].Has("content") {
		return 0
	}
	return 85
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	t, chat := newTeam(out), history(nil)
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		switch o := rawjson.Parse(record.Raw); {
		case isMessage(o):
			err = t.message(o, record)
		case isResult(o):
			err = t.result(o, record)
		case isTurn(o):
			chat = append(chat, turnAt{o, record.Ordinal * 1000})
		case isChatResult(o):
			err = chatResult(o, record, out)
		default:
			err = readTranscript(record, out)
		}
		if err != nil {
			return err
		}
	}
	if err := chat.send(out, nil); err != nil {
		return err
	}
	return t.end()
}
