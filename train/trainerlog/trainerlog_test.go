package trainerlog_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-lake/weir/train/trainerlog"
)

const early = `{"global_step": 10, "max_steps": 30, "num_input_tokens_seen": 0, "log_history": [
  {"epoch": 0.5, "loss": 1.5, "grad_norm": NaN, "step": 10}]}`

const whole = `{"global_step": 30, "max_steps": 30, "num_input_tokens_seen": 900, "log_history": [
  {"loss": 1.5, "step": 10, "note": "a NaN \" in words"}, {"loss": 0.5, "step": 20}, {"eval_loss": -Infinity, "step": 20},
  {"train_runtime": 12.5, "train_loss": 0.75, "step": 30}]}`

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRunning(t *testing.T) {
	log, err := trainerlog.Read(folder(t, map[string]string{
		"checkpoint-10/trainer_state.json": early, "checkpoint-20/half.written": "", "checkpoint-x/other": "",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if log.Ended || log.Step != 10 || log.MaxSteps != 30 || log.Tokens != nil || log.At.IsZero() {
		t.Errorf("%+v", log)
	}
	if len(log.Checkpoints) != 2 || log.Checkpoints[1].Step != 20 {
		t.Errorf("checkpoints %+v", log.Checkpoints)
	}
	if got := string(log.Steps[0].Metrics); len(log.Steps) != 1 || got != `{"epoch":0.5,"loss":1.5,"grad_norm":null,"step":10}` {
		t.Errorf("steps %s", got)
	}
}

func TestEnded(t *testing.T) {
	log, err := trainerlog.Read(folder(t, map[string]string{
		"checkpoint-10/trainer_state.json": early, "checkpoint-9/trainer_state.json": "{", "trainer_state.json": whole,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if !log.Ended || len(log.Steps) != 4 || *log.RuntimeS != 12.5 || *log.Tokens != 900 || log.Checkpoints[0].Step != 9 {
		t.Errorf("%+v", log)
	}
	if got := string(log.Steps[0].Metrics); got != `{"loss":1.5,"step":10,"note":"a NaN \" in words"}` {
		t.Errorf("first step %s", got)
	}
	if got := string(log.Steps[2].Metrics); got != `{"eval_loss":null,"step":20}` {
		t.Errorf("third step %s", got)
	}
}

func TestUnreadable(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"cut off":  {"trainer_state.json": whole[:100]},
		"no steps": {"trainer_state.json": `{"log_history":[{"loss":1}]}`},
		"a number": {"trainer_state.json": `{"log_history":[7]}`},
	} {
		if _, err := trainerlog.Read(folder(t, files)); err == nil || errors.Is(err, trainerlog.ErrNone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := trainerlog.Read(t.TempDir()); !errors.Is(err, trainerlog.ErrNone) {
		t.Errorf("empty: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(early))
	f.Add([]byte(whole))
	f.Fuzz(func(t *testing.T, text []byte) {
		log, err := trainerlog.Read(folder(t, map[string]string{"trainer_state.json": string(text)}))
		if err == nil && log.Ended && len(log.Steps) == 0 && log.MaxSteps <= 0 {
			t.Errorf("ended without a word: %+v", log)
		}
	})
}
