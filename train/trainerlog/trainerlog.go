// Package trainerlog reads what a local trainer wrote of a run: the loss curve
// and the checkpoints in its output folder. It knows Hugging Face's Trainer, which
// TRL, Axolotl, LLaMA-Factory, ms-swift and Unsloth train with, the logs that
// LLaMA-Factory and ms-swift write beside it as they go, and what MLX-LM prints.
// It sends nothing and knows no lake. Start at Read.
package trainerlog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
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

// Checkpoint is a folder checkpoint-N, or a file of MLX's.
type Checkpoint struct {
	Path string // as the folder was named
	Step int64
	At   time.Time
}

// ErrNone says that a folder holds no trainer's log.
var ErrNone = errors.New("no trainer_state.json in it or its checkpoints, and no trainer_log.jsonl, logging.jsonl or train.log")

const stateName = "trainer_state.json"

type state struct {
	GlobalStep int64             `json:"global_step"`
	MaxSteps   int64             `json:"max_steps"`
	Tokens     *int64            `json:"num_input_tokens_seen"`
	History    []json.RawMessage `json:"log_history"`
}

// Read reads an output folder. A log that grows line by line is read first, and
// always: the same step in another form would be another entry. Else it is the
// folder's own trainer_state.json, which is written at the end, or that of the
// furthest checkpoint.
func Read(dir string) (Log, error) {
	log, err := read(dir)
	if err != nil {
		return Log{}, fmt.Errorf("trainer log %s: %w", dir, err)
	}
	return log, nil
}

func read(dir string) (log Log, err error) {
	if log.Checkpoints, err = checkpoints(dir); err != nil {
		return log, err
	}
	state, err := log.readState(dir)
	if err != nil {
		return log, err
	}
	for _, kind := range []struct {
		name string
		take func(*Log, []byte) error
	}{{"trainer_log.jsonl", takeLines}, {"logging.jsonl", takeLines}, {"train.log", takePrinted}} {
		grown := Log{Checkpoints: log.Checkpoints}
		found, err := grown.readFile(filepath.Join(dir, kind.name), kind.take)
		if err != nil {
			return log, err
		}
		if !found || len(grown.Steps) == 0 { // a train.log may be of a trainer that has a better one
			continue
		}
		if grown.MaxSteps == 0 {
			grown.MaxSteps = max(log.MaxSteps, plannedByMLX(dir))
		}
		grown.RuntimeS, grown.Tokens = cmp.Or(grown.RuntimeS, log.RuntimeS), cmp.Or(log.Tokens, grown.Tokens)
		grown.Ended = grown.Ended || log.Ended || grown.MaxSteps > 0 && grown.Step >= grown.MaxSteps
		return grown, nil
	}
	if !state {
		return log, ErrNone
	}
	return log, nil
}

// checkpoints lists them in the order of their steps.
func checkpoints(dir string) ([]Checkpoint, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []Checkpoint
	for _, entry := range entries {
		number, isFolder := strings.CutPrefix(entry.Name(), "checkpoint-")
		number, isFile := strings.CutSuffix(number, "_adapters.safetensors")
		step, err := strconv.ParseInt(number, 10, 64)
		if err != nil || isFolder == isFile || isFolder != entry.IsDir() {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return nil, err
		}
		found = append(found, Checkpoint{Path: filepath.Join(dir, entry.Name()), Step: step, At: info.ModTime()})
	}
	slices.SortFunc(found, func(a, b Checkpoint) int { return cmp.Compare(a.Step, b.Step) })
	return found, nil
}

// readState reads the state that was written last, if there is one.
func (l *Log) readState(dir string) (found bool, err error) {
	paths := []string{filepath.Join(dir, stateName)}
	for _, c := range slices.Backward(l.Checkpoints) {
		paths = append(paths, filepath.Join(c.Path, stateName)) // one that is being written has none yet
	}
	for _, path := range paths {
		if found, err = l.readFile(path, (*Log).take); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// readFile takes a file that may be missing.
func (l *Log) readFile(path string, take func(*Log, []byte) error) (found bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // a checkpoint of MLX's is a file
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	l.At = info.ModTime()
	if err := take(l, text); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
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
		if err := l.add(*known.Step, entry); err != nil {
			return fmt.Errorf("log_history[%d]: %w", i, err)
		}
	}
	l.Ended = l.Ended || l.MaxSteps > 0 && l.Step >= l.MaxSteps
	return nil
}

// add keeps an entry, without the white space of its file.
func (l *Log) add(step int64, entry json.RawMessage) error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, entry); err != nil {
		return err
	}
	l.Steps = append(l.Steps, Step{Step: step, Metrics: compact.Bytes()})
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
