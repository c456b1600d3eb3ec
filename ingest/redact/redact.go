// Package redact takes secrets out of events before they are stored: keys of
// providers and clouds, tokens, private keys, passwords in URLs, and assignments
// that look like secrets. A secret becomes [REDACTED:kind:xxxx], where xxxx is
// the same for the same secret within one subject, so that text stays readable
// and trainable. It looks for nothing but secrets: names and addresses stay.
//
// Start at New.
package redact

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/weir-lake/weir/lake"
)

// Options of a Redactor. The zero value applies every rule.
type Options struct {
	Off bool // leave everything as it is
}

// Counts says how many secrets of which kind were replaced.
type Counts map[string]int64

// Add adds other's counts.
func (c Counts) Add(other Counts) {
	for kind, n := range other {
		c[kind] += n
	}
}

// Redactor replaces secrets. It has no state that changes, so it may be used
// by several goroutines, and two processes replace a secret by the same text.
type Redactor struct {
	off    bool
	fields sync.Map // reflect.Type → []int: the text fields of a struct
}

// New makes a Redactor.
func New(opts Options) *Redactor { return &Redactor{off: opts.Off} }

// Event replaces the secrets in every text of the event's payload and in what
// it does not know. Ids, hashes and names of kinds are left as they are. It
// returns nil where there was nothing.
func (r *Redactor) Event(event *lake.Event) Counts {
	if r.off {
		return nil
	}
	w := walk{redactor: r, subject: event.Subject}
	w.text(&event.Extra)
	if event.Data != nil {
		w.value(reflect.ValueOf(event.Data))
	}
	return w.counts
}

// Text replaces the secrets in one text of a subject.
func (r *Redactor) Text(subject, text string) (string, Counts) {
	if r.off {
		return text, nil
	}
	w := walk{redactor: r, subject: subject}
	w.text(&text)
	return text, w.counts
}

// walk is one event's way through the rules.
type walk struct {
	redactor *Redactor
	subject  string
	counts   Counts
}

func (w *walk) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			w.value(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.value(v.Index(i))
		}
	case reflect.Struct:
		for _, i := range w.redactor.textFields(v.Type()) {
			w.value(v.Field(i))
		}
	case reflect.String:
		text := v.String()
		if w.text(&text) {
			v.SetString(text)
		}
	}
}

// textFields are the fields of a struct that may hold text.
func (r *Redactor) textFields(t reflect.Type) []int {
	if known, ok := r.fields.Load(t); ok {
		return known.([]int)
	}
	var fields []int
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.IsExported() && mayHoldText(field.Type) && !isID(name) {
			fields = append(fields, i)
		}
	}
	r.fields.Store(t, fields)
	return fields
}

func mayHoldText(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return mayHoldText(t.Elem())
	case reflect.Struct:
		return t != reflect.TypeFor[time.Time]()
	}
	return t.Kind() == reflect.String
}

// isID: ids and hashes tie rows together, and none is a secret.
func isID(name string) bool {
	last := name[strings.LastIndexByte(name, '_')+1:]
	switch last {
	case "id", "ids", "hash", "sha256", "kind", "role":
		return true
	}
	return false
}

// text replaces the secrets in a text and tells whether there were any.
func (w *walk) text(text *string) bool {
	changed := false
	for i := range rules {
		r := &rules[i]
		replaced, n := w.apply(r, *text)
		if n == 0 {
			continue
		}
		*text, changed = replaced, true
		if w.counts == nil {
			w.counts = Counts{}
		}
		w.counts[r.kind] += n
	}
	return changed
}

func (w *walk) apply(r *rule, text string) (string, int64) {
	var out strings.Builder
	var n int64
	rest := 0
	for at := r.next(text, 0); at >= 0; {
		start, end, found := r.secretAt(text, at)
		if !found {
			at = r.next(text, at+1)
			continue
		}
		out.WriteString(text[rest:start])
		out.WriteString(w.placeholder(r.kind, text[start:end]))
		rest = end
		n++
		at = r.next(text, end)
	}
	if n == 0 {
		return text, 0
	}
	out.WriteString(text[rest:])
	return out.String(), n
}

// next finds the first needle from a position on; -1: there is none.
func (r *rule) next(text string, from int) int {
	first := -1
	for _, needle := range r.needles {
		within := text[from:]
		if first >= 0 { // only an earlier one matters
			within = text[from:min(len(text), first+len(needle))]
		}
		if i := strings.Index(within, needle); i >= 0 && (first < 0 || from+i < first) {
			first = from + i
		}
	}
	return first
}

// secretAt tries the rule at a needle.
func (r *rule) secretAt(text string, at int) (start, end int, found bool) {
	if r.mayFollow != nil && !r.mayFollow(text[:at]) {
		return 0, 0, false
	}
	match := r.expression.FindStringSubmatchIndex(text[at:min(len(text), at+longest)])
	if match == nil {
		return 0, 0, false
	}
	start, end = at+match[0], at+match[1]
	if len(match) > 2 {
		start, end = at+match[2], at+match[3]
	}
	return start, end, r.isSecret(text[start:end])
}

func (r *rule) isSecret(text string) bool {
	if strings.Contains(text, "REDACTED") {
		return false
	}
	if r.mixed && (!strings.ContainsAny(text, "0123456789") || !strings.ContainsFunc(text, isLetter)) {
		return false
	}
	return r.entropy == 0 || entropy(text) >= r.entropy
}

func isLetter(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// placeholder tells secrets of one subject apart by 16 bits of a hash: enough
// for that, too few to test a guess against.
func (w *walk) placeholder(kind, secret string) string {
	sum := sha256.Sum256([]byte(w.subject + "\x1f" + secret))
	return "[REDACTED:" + kind + ":" + hex.EncodeToString(sum[:2]) + "]"
}

// entropy is the Shannon entropy of a text's bytes, in bits per byte.
func entropy(text string) float64 {
	var counts [256]int
	for i := range len(text) {
		counts[text[i]]++
	}
	var bits float64
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(text))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}
