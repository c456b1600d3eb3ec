// Package redact takes secrets out of events before they are kept: keys of
// providers and clouds, tokens, private keys, passwords in URLs and in
// assignments; and personal data where that is asked for. Start at New.
//
// A secret is replaced by a placeholder such as [REDACTED:openai_key:7c]. The
// last part tells secrets of one subject apart: it is one byte of a hash over
// subject and secret, so it needs no memory, is the same in every run, and says
// next to nothing about the secret. A placeholder is never redacted again.
//
// Rules and thresholds are in rules.go (prefixes), assign.go (assignments,
// URLs), personal.go, and gitleaks.go, which takes that scanner's rules from its
// library for all the issuers that rules.go does not name. The bytes of a text
// decide which rules are tried where.
package redact

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// Options tune a Redactor. The zero value has the built-in rules only.
type Options struct {
	// Personal are the kinds of personal data to replace: see PersonalKinds.
	Personal []string
	// Patterns are the operator's own: what they match is replaced, after the
	// built-in rules.
	Patterns []Pattern
}

// Pattern is a rule of the operator's. Where the expression has a group, the
// first one is the secret.
type Pattern struct {
	Kind   string // in the placeholder and in Counts: employee_id
	Regexp *regexp.Regexp
}

// Counts is how many secrets were replaced, by kind.
type Counts map[string]int

// Redactor replaces secrets. It is safe for concurrent use.
type Redactor struct {
	leaks    *leakRules
	personal personal
	patterns []Pattern
}

// New is a redactor with the built-in rules and those of the options.
func New(opts Options) *Redactor {
	leaks, err := gitleaks()
	if err != nil {
		panic(err) // the rules are compiled in: a test reads them
	}
	return &Redactor{leaks: leaks, personal: newPersonal(opts.Personal), patterns: opts.Patterns}
}

// Event replaces the secrets in every text of the event's payload, JSON in
// texts included, and in the fields that this binary does not know. The
// envelope stays as it is: ids are no secrets. Counts is nil if nothing was
// replaced.
func (r *Redactor) Event(e *lake.Event) Counts {
	w := walker{r: r, subject: e.Subject}
	if e.Data != nil {
		w.walk(reflect.ValueOf(e.Data))
	}
	e.Extra = w.text(e.Extra)
	return w.counts
}

// Text replaces the secrets in a text that belongs to a subject.
func (r *Redactor) Text(subject, text string) (string, Counts) {
	w := walker{r: r, subject: subject}
	return w.text(text), w.counts
}

type walker struct {
	r       *Redactor
	subject string
	counts  Counts
}

func (w *walker) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			w.walk(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				w.walk(f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.walk(v.Index(i))
		}
	case reflect.String:
		if old := v.String(); len(old) >= minSecret && v.CanSet() {
			if text := w.text(old); text != old {
				v.SetString(text)
			}
		}
	}
}

// text replaces until nothing more is found: what stood beside a secret may look
// different without it. Placeholders are never replaced, so this ends.
func (w *walker) text(text string) string {
	for {
		once := w.pass(text)
		if once == text {
			return text
		}
		text = once
	}
}

func (w *walker) pass(text string) string {
	if found := find(text); len(found) > 0 {
		text = w.replace(text, found)
	}
	if found := w.r.leaks.find(text); len(found) > 0 {
		text = w.replace(text, found)
	}
	if w.r.personal.any() {
		if found := w.r.personal.find(text); len(found) > 0 {
			text = w.replace(text, found, numbersOf(text, found)...)
		}
	}
	for _, p := range w.r.patterns {
		if found := p.find(text); len(found) > 0 {
			text = w.replace(text, found)
		}
	}
	return text
}

// find gives what the operator's rule matches, placeholders apart.
func (p Pattern) find(text string) []span {
	var found []span
	for _, at := range p.Regexp.FindAllStringSubmatchIndex(text, -1) {
		from, to := at[0], at[1]
		if len(at) > 2 && at[2] >= 0 {
			from, to = at[2], at[3]
		}
		if from < to && !strings.Contains(text[from:to], placeholderStart) && !inPlaceholder(text, from) {
			found = append(found, span{from, to, p.Kind})
		}
	}
	return found
}

// span is a secret in a text.
type span struct {
	from, to int
	kind     string
}

// replace puts placeholders where the secrets are; those whose index is in
// quoted get quotes around.
func (w *walker) replace(text string, found []span, quoted ...int) string {
	if w.counts == nil {
		w.counts = Counts{}
	}
	var b strings.Builder
	at := 0
	for i, s := range found {
		b.WriteString(text[at:s.from])
		placeholder := w.placeholder(s.kind, text[s.from:s.to])
		if slices.Contains(quoted, i) {
			placeholder = `"` + placeholder + `"`
		}
		b.WriteString(placeholder)
		at = s.to
		w.counts[s.kind]++
	}
	b.WriteString(text[at:])
	return b.String()
}

// numbersOf gives the spans that are numbers of a JSON text: a placeholder there
// has to be a string.
func numbersOf(text string, found []span) []int {
	var numbers []int
	inString, escaped, at := false, false, 0
	for i, s := range found {
		for ; at < s.from; at++ {
			switch c := text[at]; {
			case escaped:
				escaped = false
			case c == '\\':
				escaped = inString
			case c == '"':
				inString = !inString
			}
		}
		if !inString {
			numbers = append(numbers, i)
		}
	}
	if len(numbers) > 0 && !json.Valid([]byte(text)) {
		return nil
	}
	return numbers
}

const placeholderStart = "[REDACTED:"

func (w *walker) placeholder(kind, secret string) string {
	sum := sha256.Sum256([]byte(w.subject + "\x1f" + secret))
	return placeholderStart + kind + ":" + hex.EncodeToString(sum[:1]) + "]"
}
