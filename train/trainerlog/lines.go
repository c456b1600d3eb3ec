package trainerlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// takeLines takes a log with an object a line: LLaMA-Factory's trainer_log.jsonl
// and ms-swift's logging.jsonl. The last line may be half written.
func takeLines(l *Log, text []byte) error {
	lines := bytes.Split(nanToNull(text), []byte("\n"))
	for i, line := range lines {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var entry struct {
			Current *int64   `json:"current_steps"` // LLaMA-Factory
			Total   int64    `json:"total_steps"`
			Tokens  *int64   `json:"total_tokens"`
			Of      *string  `json:"global_step/max_steps"` // ms-swift
			Runtime *float64 `json:"train_runtime"`
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			if i == len(lines)-1 {
				return nil
			}
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		var step int64
		switch {
		case entry.Current != nil:
			step, l.MaxSteps = *entry.Current, entry.Total
		case entry.Of != nil:
			done, of, _ := strings.Cut(*entry.Of, "/")
			var err, badOf error
			step, err = strconv.ParseInt(done, 10, 64)
			l.MaxSteps, badOf = strconv.ParseInt(of, 10, 64)
			if err != nil || badOf != nil {
				return fmt.Errorf("line %d: global_step/max_steps %q: want two numbers", i+1, *entry.Of)
			}
		default: // ms-swift's summary, which repeats what was logged
			continue
		}
		if entry.Tokens != nil {
			l.Tokens = entry.Tokens
		}
		if entry.Runtime != nil {
			l.RuntimeS, l.Ended = entry.Runtime, true
		}
		l.Step = max(l.Step, step)
		if err := l.add(step, line); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return nil
}

// What MLX-LM prints: since 0.32 a table, in colours even where nobody sees
// them, and before that a sentence.
var (
	colours    = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")
	tableVal   = regexp.MustCompile(`^\s*(\d+)\s+val\s+([0-9.]+)\s+[0-9.]+s\s*$`)
	tableTrain = regexp.MustCompile(`^\s*(\d+)\s+([0-9.]+) [▼▲]\s+([0-9,]+)\s+([0-9.]+)k\s*$`)
	said       = regexp.MustCompile(`^Iter (\d+): (Val|Train) loss ([0-9.]+)`)
	saidRate   = regexp.MustCompile(`Learning Rate ([0-9.e+-]+)`)
	saidSpeed  = regexp.MustCompile(`Tokens/sec ([0-9.]+)`)
	saidTokens = regexp.MustCompile(`Trained Tokens (\d+)`)
)

// printed is a line of MLX's as metrics.
type printed struct {
	Step      int64    `json:"step"`
	Loss      *float64 `json:"loss,omitempty"`
	EvalLoss  *float64 `json:"eval_loss,omitempty"`
	Rate      *float64 `json:"learning_rate,omitempty"`
	Speed     *float64 `json:"tokens_per_s,omitempty"`
	TokenSeen *float64 `json:"num_tokens,omitempty"` // the table's are rounded to a hundred
}

// takePrinted takes what MLX-LM printed; lines that are something else are left
// out.
func takePrinted(l *Log, text []byte) error {
	for _, line := range strings.FieldsFunc(string(colours.ReplaceAll(text, nil)), func(r rune) bool { return r == '\n' || r == '\r' }) {
		p, ok := printedOf(line)
		if !ok {
			continue
		}
		entry, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if p.TokenSeen != nil {
			tokens := int64(*p.TokenSeen)
			l.Tokens = &tokens
		}
		l.Step = max(l.Step, p.Step)
		if err := l.add(p.Step, entry); err != nil {
			return err
		}
	}
	return nil
}

func printedOf(line string) (p printed, ok bool) {
	if m := tableVal.FindStringSubmatch(line); m != nil {
		p.Step, p.EvalLoss = whole(m[1]), number(m[2])
		return p, true
	}
	if m := tableTrain.FindStringSubmatch(line); m != nil {
		p.Step, p.Loss, p.Speed = whole(m[1]), number(m[2]), number(strings.ReplaceAll(m[3], ",", ""))
		if thousands := number(m[4]); thousands != nil {
			tokens := *thousands * 1000
			p.TokenSeen = &tokens
		}
		return p, true
	}
	m := said.FindStringSubmatch(line)
	if m == nil {
		return p, false
	}
	p.Step = whole(m[1])
	if m[2] == "Val" {
		p.EvalLoss = number(m[3])
		return p, true
	}
	p.Loss = number(m[3])
	for pattern, to := range map[*regexp.Regexp]**float64{saidRate: &p.Rate, saidSpeed: &p.Speed, saidTokens: &p.TokenSeen} {
		if found := pattern.FindStringSubmatch(line); found != nil {
			*to = number(found[1])
		}
	}
	return p, true
}

// whole and number read what a pattern has found; too large is as if it were
// not there.
func whole(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func number(text string) *float64 {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil
	}
	return &x
}

// plannedByMLX is how many iterations were asked for, as MLX notes them beside
// the adapter; 0: it does not say.
func plannedByMLX(dir string) int64 {
	text, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
	var config struct {
		Iters int64 `json:"iters"`
	}
	if err != nil || json.Unmarshal(text, &config) != nil {
		return 0
	}
	return config.Iters
}
