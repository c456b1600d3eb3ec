// Package document reads texts that say how agents should behave: constitutions,
// system prompts, rules, methods, tool descriptions, essays, as Markdown or
// plain text. docs/formats/document.md has the mapping. Start at Format.
package document

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

// maxBytes bounds a document; an event with it must fit into a record.
const maxBytes = 8 << 20

// Format is the document format.
func Format() source.Format {
	return source.Format{
		Name:    "document",
		Doc:     "texts for agents: constitution, system prompt, rules, tool description, essay (Markdown or plain text)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// detect takes Markdown by its name, other text only with a sign that it is
// prose: logs are text, too.
func detect(p source.Probe) int {
	head := p.Head
	for back := 1; back < utf8.UTFMax && back <= len(head); back++ {
		if tail := head[len(head)-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				head = head[:len(head)-back] // it ends within a character
			}
			break
		}
	}
	if !utf8.Valid(head) || bytes.IndexByte(head, 0) >= 0 {
		return 0
	}
	text := strings.TrimLeft(strings.TrimPrefix(string(head), "\ufeff"), " \t\r\n")
	if meta, _ := frontMatter(text); slices.Contains(kinds, meta.Kind) {
		return 80
	}
	extension := strings.ToLower(path.Ext(p.Name))
	switch {
	case strings.HasPrefix(text, "{") || strings.HasPrefix(text, "["):
		return 0
	case extension == ".md" || extension == ".markdown" || extension == ".mdx":
		return 60
	case extension == ".txt" && !isLog(text):
		if kindByName(p.Name) != "" {
			return 40
		}
		return 25
	}
	return 0
}

// isLog says whether most lines begin with a bracket or a number.
func isLog(text string) bool {
	lines := strings.SplitN(text, "\n", 41)
	marked, all := 0, 0
	for _, line := range lines[:min(len(lines), 40)] {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		all++
		if c := line[0]; c == '[' || c == '<' || c == '=' || c >= '0' && c <= '9' {
			marked++
		}
	}
	return 2*marked > all
}

var kinds = []string{"constitution", "system_prompt", "rules", "methodology", "tool_description", "essay"}

// hints are words in file names, the more telling ones first.
var hints = []struct{ word, kind string }{
	{"constitution", "constitution"},
	{"prompt", "system_prompt"}, {"persona", "system_prompt"},
	{"tool", "tool_description"},
	{"rule", "rules"}, {"policy", "rules"}, {"guideline", "rules"}, {"claude.md", "rules"}, {"agents.md", "rules"},
	{"method", "methodology"}, {"playbook", "methodology"}, {"process", "methodology"}, {"runbook", "methodology"},
}

func kindByName(name string) string {
	name = strings.ToLower(name)
	for _, h := range hints {
		if strings.Contains(name, h.word) {
			return h.kind
		}
	}
	return ""
}

// meta is what front matter may say. Other keys are left alone.
type meta struct {
	Kind    string    `yaml:"kind"`
	Title   string    `yaml:"title"`
	Version yaml.Node `yaml:"version"` // a number as often as a text
	Date    yaml.Node `yaml:"date"`
}

// frontMatter splits a text into the YAML between its first two lines of three
// dashes and the rest. A text without, or with something else there, has none.
func frontMatter(text string) (meta, string) {
	head, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		if head, ok = strings.CutPrefix(text, "---\r\n"); !ok {
			return meta{}, text
		}
	}
	end := strings.Index("\n"+head, "\n---")
	if end < 0 {
		return meta{}, text
	}
	_, body, _ := strings.Cut(head[end:], "\n")
	var m meta
	if yaml.Unmarshal([]byte(head[:end]), &m) != nil {
		return meta{}, text
	}
	m.Kind = strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(m.Kind)))
	return m, body
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	raw, err := io.ReadAll(io.LimitReader(in.R, maxBytes+1))
	if err != nil {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	in.Records++
	reject := source.Reject{Line: 1, Record: 0, Body: raw}
	switch {
	case len(raw) > maxBytes:
		sum := sha256.New()
		sum.Write(raw)
		rest, err := io.Copy(sum, in.R)
		if err != nil {
			return fmt.Errorf("%s: %w", in.Name, err)
		}
		reject.Reason, reject.Detail = source.ReasonTooLarge, fmt.Sprintf("a document must stay below %d MiB", maxBytes>>20)
		reject.Length, reject.SHA256 = int64(len(raw))+rest, hex.EncodeToString(sum.Sum(nil))
		return out.Reject(reject)
	case !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0:
		reject.Reason, reject.Detail = source.ReasonInvalidUTF8, "no text in UTF-8"
		return out.Reject(reject)
	}
	text := strings.ReplaceAll(strings.TrimPrefix(string(raw), "\ufeff"), "\r\n", "\n")
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return out.Emit(event(in.Name, text))
}

func event(name, text string) lake.Event {
	m, body := frontMatter(text)
	body = strings.TrimSpace(body)
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	sum := sha256.Sum256([]byte(body))
	d := &lake.Document{
		Kind: m.Kind, Title: cmp.Or(strings.TrimSpace(m.Title), heading(body)), Text: body,
		Version: cmp.Or(strings.TrimSpace(m.Version.Value), hex.EncodeToString(sum[:])), MediaType: "text/plain",
	}
	if !slices.Contains(kinds, d.Kind) {
		d.Kind = cmp.Or(kindByName(base), "essay")
	}
	if extension := strings.ToLower(path.Ext(strings.TrimSuffix(base, ".gz"))); extension != ".txt" {
		d.MediaType = "text/markdown"
	}
	// The text is all that a document has to be known by; where it lies is not.
	id := lake.StableID("document", text)
	return lake.Event{
		ID: id, Source: "document://" + d.Kind + "/" + url.PathEscape(cmp.Or(d.Title, id)), Type: "weir.document.added.v1",
		Subject: id, Time: date(m.Date.Value), Data: d,
	}
}

// date reads a day or a time. A document that names none belongs to no time:
// the file's own would change with every copy.
func date(text string) time.Time {
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return at.UTC()
		}
	}
	return time.Unix(0, 0).UTC()
}

// heading is the first Markdown heading of a text.
func heading(text string) string {
	for line := range strings.Lines(text) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			return strings.TrimSpace(title)
		}
	}
	return ""
}
