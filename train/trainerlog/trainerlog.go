// Package trainerlog reads what a local trainer wrote of a run: the loss curve
// and the checkpoints that Hugging Face's Trainer leaves in its output folder,
// which TRL, Axolotl, LLaMA-Factory and Unsloth train with. It sends nothing and
// knows no lake. Start at Read.
package trainerlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Log is a run as its folder shows it.
type Log struct {
	Steps       []Step       // in their order; the log of the last state that was written
	Checkpoints []Checkpoint // in the order of their steps
	Step        int64        // reached
	MaxSteps    int64        // planned; 0: the log does not say
	Ended       bool         // the trainer reached its last step, or wrote its summary
	// RuntimeS is the trainer's own measure; nil until it has ended.
	RuntimeS *float64
	// Tokens seen; nil: the trainer did not count.
	Tokens *int64
	// At is when the newest of the files was written.
	At time.Time
}

// Step is one entry of the log: metrics as they are, JSON.
type Step struct {
	Step    int64
	Metrics json.RawMessage
}

// Checkpoint is a folder checkpoint-N.
type Checkpoint struct {
	Path string // as the folder was named
	Step int64
	At   time.Time
}

// ErrNone says that a folder holds no trainer's log.
var ErrNone = errors.New("no trainer_state.json in it or its checkpoints")

const stateName = "trainer_state.json"

type state struct {
	GlobalStep int64             `json:"global_step"`
	MaxSteps   int64             `json:"max_steps"`
	Tokens     *int64            `json:"num_input_tokens_seen"`
	History    []json.RawMessage `json:"log_history"`
}

// Read reads an output folder: its own trainer_state.json, which is written at
// the end, or else that of the furthest checkpoint.
func Read(dir string) (Log, error) {
	log, err := read(dir)
	if err != nil {
		return Log{}, fmt.Errorf("trainer log %s: %w", dir, err)
	}
	return log, nil
}

func read(dir string) (log Log, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return log, err
	}
	for _, entry := range entries {
		number, isCheckpoint := strings.CutPrefix(entry.Name(), "checkpoint-")
		step, err := strconv.ParseInt(number, 10, 64)
		if !isCheckpoint || err != nil || !entry.IsDir() {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return log, err
		}
		log.Checkpoints = append(log.Checkpoints, Checkpoint{Path: filepath.Join(dir, entry.Name()), Step: step, At: info.ModTime()})
	}
	slices.SortFunc(log.Checkpoints, func(a, b Checkpoint) int { return int(a.Step - b.Step) })
	paths := []string{filepath.Join(dir, stateName)}
	for _, c := range slices.Backward(log.Checkpoints) {
		paths = append(paths, filepath.Join(c.Path, stateName)) // one that is being written has none yet
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return log, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return log, err
		}
		log.At = info.ModTime()
		if err := log.take(text); err != nil {
			return log, fmt.Errorf("%s: %w", path, err)
		}
		return log, nil
	}
	return log, ErrNone
}

func (l *Log) take(text []byte) error {
	var s state
	// Python writes NaN for a loss that is none, which is no JSON.
	if err := json.Unmarshal(nanToNull(text), &s); err != nil {
		return err
	}
	l.Step, l.MaxSteps = s.GlobalStep, s.MaxSteps
	if s.Tokens != nil && *s.Tokens > 0 {
		l.Tokens = s.Tokens
	}
	for i, entry := range s.History {
		var known struct {
			Step    *int64   `json:"step"`
			Runtime *float64 `json:"train_runtime"`
		}
		if err := json.Unmarshal(entry, &known); err != nil {
			return fmt.Errorf("log_history[%d]: %w", i, err)
		}
		if known.Step == nil {
			return fmt.Errorf("log_history[%d]: no step", i)
		}
		if known.Runtime != nil {
			l.RuntimeS, l.Ended = known.Runtime, true
		}
		var compact strings.Builder
		if err := json.NewEncoder(&compact).Encode(entry); err != nil {
			return fmt.Errorf("log_history[%d]: %w", i, err)
		}
		l.Steps = append(l.Steps, Step{Step: *known.Step, Metrics: json.RawMessage(strings.TrimSpace(compact.String()))})
	}
	l.Ended = l.Ended || l.MaxSteps > 0 && l.Step >= l.MaxSteps
	return nil
}

// nanToNull replaces Python's NaN and infinities outside of strings.
func nanToNull(text []byte) []byte {
	out := make([]byte, 0, len(text))
	inString := false
	for i := 0; i < len(text); {
		if !inString {
			if word := pythonNumber(text[i:]); word > 0 {
				out = append(out, "null"...)
				i += word
				continue
			}
		}
		switch {
		case text[i] == '"':
			inString = !inString
		case text[i] == '\\' && inString && i+1 < len(text):
			out = append(out, text[i])
			i++
		}
		out = append(out, text[i])
		i++
	}
	return out
}

func pythonNumber(text []byte) int {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if strings.HasPrefix(string(text[:min(len(text), len(word))]), word) {
			return len(word)
		}
	}
	return 0
}
