package exporters

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/weir-lake/weir/lake"
)

// Prompt is a system prompt, and how many lines of an export open with it.
type Prompt struct {
	Text  string // empty: without one
	Lines int64
}

// ReadManifest reads the manifest of an export's folder.
func ReadManifest(dir string) (Manifest, error) {
	return readManifest(filepath.Join(dir, manifestName))
}

// Prompts gives the system prompts that the training files of an export open
// with, the most frequent first: what the tuned model was trained to answer
// under. A file that is not what the manifest says is an error.
func Prompts(dir string) ([]Prompt, error) {
	manifest, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, file := range manifest.Files {
		// Exports of before shards do not say whose lines a file has.
		if file.Split != "train" && !(file.Split == "" && file.Name == "train.jsonl") {
			continue
		}
		if err := countPrompts(filepath.Join(dir, file.Name), file.SHA256, counts); err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name, err)
		}
	}
	var prompts []Prompt
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		prompts = append(prompts, Prompt{Text: text, Lines: counts[text]})
	}
	slices.SortStableFunc(prompts, func(a, b Prompt) int { return cmp.Compare(b.Lines, a.Lines) })
	return prompts, nil
}

func countPrompts(path, want string, counts map[string]int64) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	packed := io.TeeReader(file, sum)
	lines, done, err := unpack(packed)
	if err != nil {
		return err
	}
	defer done()
	in := bufio.NewReaderSize(lines, 1<<16)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			text, bad := promptOf(bytes.TrimPrefix(line, []byte("\ufeff")))
			if bad != nil {
				return bad
			}
			counts[text]++
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, packed); err != nil { // what an unpacker left
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != want {
		return lake.WithHint(errors.New("is not what manifest.json says"), "export again")
	}
	return nil
}

// promptOf is the system prompt of a line, in any target's form.
func promptOf(line []byte) (string, error) {
	type part struct {
		Text string `json:"text"`
	}
	var l struct {
		System            json.RawMessage `json:"system"` // LLaMA-Factory, Bedrock
		SystemInstruction struct {
			Parts []part `json:"parts"`
		} `json:"systemInstruction"` // Gemini
		Messages      []json.RawMessage `json:"messages"`
		Conversations []json.RawMessage `json:"conversations"`
		Prompt        json.RawMessage   `json:"prompt"` // TRL: messages, or a text
		Input         struct {
			Messages []json.RawMessage `json:"messages"`
		} `json:"input"` // OpenAI's preferences
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return "", err
	}
	flat := func(raw json.RawMessage) string {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return text
		}
		var parts []part
		if json.Unmarshal(raw, &parts) == nil {
			for _, p := range parts {
				text += p.Text
			}
		}
		return text
	}
	if text := flat(l.System); text != "" {
		return text, nil
	}
	for _, p := range l.SystemInstruction.Parts {
		return p.Text, nil
	}
	var prompt []json.RawMessage
	if len(l.Prompt) > 0 && l.Prompt[0] == '[' {
		if err := json.Unmarshal(l.Prompt, &prompt); err != nil {
			return "", err
		}
	}
	for _, list := range [][]json.RawMessage{l.Messages, l.Conversations, l.Input.Messages, prompt} {
		if len(list) == 0 {
			continue
		}
		var first struct {
			Role    string          `json:"role"`
			From    string          `json:"from"`
			Content json.RawMessage `json:"content"`
			Value   json.RawMessage `json:"value"`
		}
		if err := json.Unmarshal(list[0], &first); err != nil {
			return "", err
		}
		if role := cmp.Or(first.Role, first.From); role == "system" || role == "developer" {
			return cmp.Or(flat(first.Content), flat(first.Value)), nil
		}
	}
	return "", nil
}
