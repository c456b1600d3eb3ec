// Package crewai reads the log of a crew of CrewAI's, the file that its
// output_log_file names: an entry when a task is given to an agent, and one when
// the agent is done. Only the JSON form can be read; the text form is refused.
// docs/formats/crewai.md has the mapping. Start at Format.
package crewai

import (
	"bufio"
	"bytes"
	"context"
	"regexp"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// Format is the format of a crew's log.
func Format() source.Format {
	return source.Format{
		Name:    "crewai",
		Doc:     "CrewAI logs: the tasks of a crew and what its agents made of them (output_log_file, JSON)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

var (
	stamp = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`)
	// opening is how a log begins whose first entry is longer than the head.
	opening = regexp.MustCompile(`^\[\s*\{\s*"timestamp"\s*:\s*"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"\s*,\s*"(task_name|task|agent)"\s*:`)
	// plain is how the text form begins. Its values stand in quotes that they
	// may hold themselves, over as many lines as they have: where one ends cannot
	// be known.
	plain = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: (task_name|task|agent|status)="`)
)

const byteOrderMark = "\ufeff"

func detect(p source.Probe) int {
	head := bytes.TrimLeft(p.Head, byteOrderMark+" \t\r\n")
	o := rawjson.First(p.Head)
	switch {
	case plain.Match(head):
		return 90
	case o == nil && opening.Match(head):
		return 85
	case isEntry(o) && stamp.MatchString(o.String("timestamp")):
		return 90
	}
	return 0
}

// isEntry knows an entry by the fields that CrewAI always writes.
func isEntry(o rawjson.Object) bool {
	return statuses[o.String("status")] && o.Has("task") && o.Has("agent")
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	r := bufio.NewReader(in.R)
	in.R = r
	// An error of reading comes again, and is then the caller's.
	if head, _ := r.Peek(64); plain.Match(bytes.TrimLeft(head, byteOrderMark+" \t\r\n")) {
		return source.Refuse(in, r, out, source.Reject{
			Reason: "text_form", Line: 1,
			Detail: "CrewAI's text log cannot be read safely: give output_log_file a name that ends in .json",
		})
	}
	l := newLog(out)
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		if err := l.entry(record); err != nil {
			return err
		}
	}
	return nil
}
