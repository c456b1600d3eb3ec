package review

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// Format is a file format of items and decisions.
type Format struct {
	Name  string
	Doc   string
	write func(w io.Writer, each func(visit func(Item) error) error, rubric Rubric) error
	read  func(text []byte) ([]Decision, error)
	setup func(Rubric) string
	Setup string // name of the file that prepares the tool; empty: none is needed
}

// Formats lists the formats.
func Formats() []Format {
	return []Format{
		{Name: "jsonl", Doc: "an item a line; add verdict and reviewer to it", write: writeJSONL, read: readJSONL},
		{Name: "label-studio", Doc: "Label Studio's tasks, and its JSON export", write: writeLabelStudio, read: readLabelStudio,
			Setup: "label-config.xml", setup: labelConfig},
		{Name: "argilla", Doc: "Argilla 2's records, as dataset.records.to_json writes them", write: writeArgilla, read: readArgilla,
			Setup: "argilla-dataset.py", setup: argillaDataset},
	}
}

// FormatNamed finds a format.
func FormatNamed(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, lake.WithHint(fmt.Errorf("unknown review format %q", name), strings.Join(names, ", "))
}

// Export writes items; each calls visit for every one of them.
func (f Format) Export(w io.Writer, each func(visit func(Item) error) error, rubric Rubric) error {
	out := bufio.NewWriter(w)
	if err := f.write(out, each, rubric); err != nil {
		return err
	}
	return out.Flush()
}

// SetupText is the content of the file named Setup.
func (f Format) SetupText(rubric Rubric) string { return f.setup(rubric) }

// Import reads the decisions of a file in its order. Items that nobody decided
// on are passed over; a file of another shape is an error.
func (f Format) Import(r io.Reader) ([]Decision, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	decisions, err := f.read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return decisions, nil
}

func encoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

func writeJSONL(w io.Writer, each func(func(Item) error) error, _ Rubric) error {
	enc := encoder(w)
	return each(func(item Item) error { return enc.Encode(item) })
}

// readJSONL takes an array of the same objects as well, as a program may write it.
func readJSONL(text []byte) ([]Decision, error) {
	var decisions []Decision
	if array := bytes.TrimSpace(text); len(array) > 0 && array[0] == '[' {
		var records []json.RawMessage
		if err := json.Unmarshal(array, &records); err != nil {
			return nil, err
		}
		text = nil
		for _, record := range records {
			text = append(append(text, record...), '\n')
		}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	for n := 1; ; n++ {
		var d Decision
		if err := dec.Decode(&d); errors.Is(err, io.EOF) {
			return decisions, nil
		} else if err != nil {
			return nil, fmt.Errorf("record %d: %w", n, err)
		}
		if d.ExampleID == "" {
			return nil, fmt.Errorf("record %d: no example_id", n)
		}
		if d.Verdict != "" {
			decisions = append(decisions, d)
		}
	}
}

// writeArray writes a JSON array of what make gives for each item.
func writeArray(w io.Writer, each func(func(Item) error) error, make func(Item) (any, error)) error {
	enc := encoder(w)
	separator := "[\n"
	err := each(func(item Item) error {
		record, err := make(item)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
		separator = ","
		return enc.Encode(record)
	})
	if err != nil {
		return err
	}
	end := "]\n"
	if separator == "[\n" {
		end = "[]\n"
	}
	_, err = io.WriteString(w, end)
	return err
}

// plain is a message as text for tools that know no calls.
func plain(m lake.Message) string {
	var b strings.Builder
	b.WriteString(m.Content)
	for _, call := range m.ToolCalls {
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		fmt.Fprintf(&b, "→ %s(%s)", call.Name, call.Arguments)
	}
	return b.String()
}

// speaker names who speaks; targets are marked, because only they are judged.
func speaker(m lake.Message) string {
	name := m.Role
	if m.Name != "" {
		name += " " + m.Name
	}
	if m.Weight != nil && *m.Weight > 0 {
		name += " ★"
	}
	return name
}

func editable(item Item) (string, error) {
	var b bytes.Buffer
	enc := encoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(item.Messages); err != nil {
		return "", err
	}
	return strings.TrimSpace(b.String()), nil
}

// edited reads the messages from the text box of an editor.
func (d *Decision) edited(text string) error {
	if d.Verdict != Edit {
		return nil // the box is filled in beforehand: its text means nothing by itself
	}
	if err := json.Unmarshal([]byte(text), &d.EditedMessages); err != nil {
		return fmt.Errorf("example %s: edited messages of %s: %w", d.ExampleID, d.Reviewer, err)
	}
	return nil
}

func guide(r Rubric) string {
	var b strings.Builder
	b.WriteString(r.Guide)
	for _, q := range r.Questions {
		fmt.Fprintf(&b, "\n- %s: %s", q.Name, q.Ask)
	}
	return b.String()
}
