// Package chatdev reads the logs of ChatDev, where agents in the roles of a
// software company talk through the phases of a project. Each phase is a
// conversation of its own, all under the run's subject. docs/formats/chatdev.md
// has the mapping. Start at Format.
package chatdev

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-lake/weir/ingest/source"
)

// maxEntry bounds an entry: an event with it must fit into a record.
const maxEntry = 4 << 20

// Format is the ChatDev format.
func Format() source.Format {
	return source.Format{
		Name:    "chatdev",
		Doc:     "ChatDev logs: agents in the roles of a software company (text)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// header begins an entry: the day comes before the month, or behind it.
var header = regexp.MustCompile(`^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) [A-Z]+\] `)

func detect(p source.Probe) int {
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n")
	if !header.Match(head) {
		return 0
	}
	for _, sign := range []string{"**ChatDev Starts**", "**[chatting]**", "**[RolePlaying]**", "**[Start Chat]**", "**[OpenAI_Usage_Info"} {
		if bytes.Contains(head, []byte(sign)) {
			return 90
		}
	}
	return 0
}

// entry is what stands between two headers.
type entry struct {
	ordinal int64
	line    int64
	stamp   string // date and time as written
	header  int    // length of the header
	raw     []byte // header included; at most maxEntry
	length  int64  // as stored
}

// text is what stands behind the header.
func (e entry) text() string { return string(e.raw[e.header:]) }

func (e entry) reject(reason, detail string) source.Reject {
	return source.Reject{
		Reason: reason, Detail: detail, Line: e.line, Record: e.ordinal,
		Body: bytes.Clone(e.raw[:min(len(e.raw), source.RejectBytes)]), Length: e.length,
	}
}

// read gathers the lines of an entry until the next header.
func read(ctx context.Context, in *source.Input, out source.Out) error {
	r := newRun(out)
	var at *entry
	end := func() error {
		if at == nil {
			return nil
		}
		e := *at
		at = nil
		in.Line, in.Bytes = e.line, e.length
		in.Records++
		switch {
		case e.length > maxEntry:
			return out.Reject(e.reject(source.ReasonTooLarge, "an entry above 4 MiB"))
		case !utf8.Valid(e.raw):
			return out.Reject(e.reject(source.ReasonInvalidUTF8, "bytes that are not UTF-8"))
		case e.stamp == "":
			return out.Reject(e.reject(source.ReasonWrongType, "text outside of an entry"))
		}
		return r.entry(e)
	}
	for line, err := range source.Lines(ctx, in, maxEntry) {
		if err != nil {
			return err
		}
		m := header.FindSubmatch(line.Text)
		if m == nil && at == nil && len(bytes.TrimSpace(line.Text)) == 0 && line.Length == int64(len(line.Text)) {
			continue // blank lines before the first entry
		}
		if m != nil || at == nil {
			if err := end(); err != nil {
				return err
			}
			at = &entry{ordinal: in.Records, line: line.Number, raw: bytes.Clone(line.Text), length: line.Length}
			if m != nil {
				at.header, at.stamp = len(m[0]), string(m[1])
			}
			continue
		}
		at.length += line.Length + 1
		if at.length <= maxEntry {
			at.raw = append(append(at.raw, '\n'), line.Text...)
		}
	}
	if err := end(); err != nil {
		return err
	}
	return r.end()
}

// parseTime reads the time of a header. ChatDev writes the day before the
// month; a month that cannot be one was written as everybody else does.
func parseTime(stamp string, isMonthFirst bool) time.Time {
	layouts := []string{"2006-02-01 15:04:05", "2006-01-02 15:04:05"}
	if isMonthFirst {
		layouts[0], layouts[1] = layouts[1], layouts[0]
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, stamp); err == nil {
			return at
		}
	}
	return time.Time{}
}

// splitPrompt parts a prompt in brackets, which is a role's system prompt, from
// the text behind it.
func splitPrompt(text string) (prompt, rest string) {
	if !strings.HasPrefix(text, "[") {
		return "", text
	}
	first, depth := -1, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '[':
			depth++
		case ']':
			depth--
			if i+1 < len(text) && !strings.HasPrefix(text[i+1:], "\n\n") {
				continue
			}
			if first < 0 {
				first = i
			}
			if depth == 0 {
				return text[1:i], strings.TrimLeft(text[i+1:], "\n")
			}
		}
	}
	if first < 0 {
		return "", text
	}
	return text[1:first], strings.TrimLeft(text[first+1:], "\n") // brackets that do not match
}
