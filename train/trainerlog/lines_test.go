package trainerlog_test

import (
	"strings"
	"testing"

	"github.com/weir-lake/weir/train/trainerlog"
)

func TestLLaMAFactoryAsItGoes(t *testing.T) {
	log, err := trainerlog.Read(folder(t, map[string]string{
		"trainer_log.jsonl": `{"current_steps": 10, "total_steps": 30, "loss": 1.5, "lr": 2e-05, "total_tokens": 400}` + "\n" +
			`{"current_steps": 20, "total_steps": 30, "eval_loss": NaN}` + "\n" + `{"current_steps": 30, "total`,
		"checkpoint-10/trainer_state.json": early,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if log.Ended || log.Step != 20 || log.MaxSteps != 30 || *log.Tokens != 400 || len(log.Steps) != 2 || len(log.Checkpoints) != 1 {
		t.Errorf("%+v", log)
	}
	if got := string(log.Steps[1].Metrics); got != `{"current_steps":20,"total_steps":30,"eval_loss":null}` {
		t.Errorf("second step %s", got)
	}
}

func TestSwift(t *testing.T) {
	lines := `{"loss": 1.5, "learning_rate": 2e-05, "global_step/max_steps": "10/30", "elapsed_time": "3s"}` + "\n"
	log, err := trainerlog.Read(folder(t, map[string]string{"logging.jsonl": lines}))
	if err != nil || log.Ended || log.Step != 10 || log.MaxSteps != 30 {
		t.Errorf("%+v, %v", log, err)
	}
	lines += `{"train_runtime": 12.5, "train_loss": 0.75, "global_step/max_steps": "30/30"}` + "\n" + `{"global_step": 30, "log_history": []}` + "\n"
	log, err = trainerlog.Read(folder(t, map[string]string{"logging.jsonl": lines, "checkpoint-30/trainer_state.json": whole}))
	if err != nil || !log.Ended || len(log.Steps) != 2 || *log.RuntimeS != 12.5 || *log.Tokens != 900 {
		t.Errorf("%+v, %v", log, err)
	}
	if _, err := trainerlog.Read(folder(t, map[string]string{"logging.jsonl": `{"global_step/max_steps": "many"}` + "\n"})); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("no numbers: %v", err)
	}
}

// What MLX prints today, colours and all, and what it printed before.
func TestMLX(t *testing.T) {
	table := "  \x1b[1miter   train_loss     tok/s     tokens\x1b[0m\n" +
		"  \x1b[38;5;244m   1\x1b[0m    \x1b[1;35mval\x1b[0m \x1b[1m5.748\x1b[0m    \x1b[38;5;244m0.11s\x1b[0m\n" +
		"  \x1b[38;5;244m  10\x1b[0m    \x1b[1;32m5.444 ▼\x1b[0m    \x1b[1m1,673\x1b[0m    \x1b[38;5;244m 12.3k\x1b[0m\n" +
		"  \x1b[1;32msave\x1b[0m  \x1b[38;5;244m0000010_adapters.safetensors\x1b[0m\n\x1b[1;34mtrain\x1b[0m ██░░ 50% · 10/20\n"
	said := "Starting training..., iters: 20\nIter 1: Val loss 5.748, Val took 0.110s\n" +
		"Iter 10: Train loss 5.444, Learning Rate 2.000e-05, It/sec 1.200, Tokens/sec 1673.000, Trained Tokens 12345, Peak mem 5.1 GB\n"
	for name, c := range map[string]struct {
		text    string
		metrics string
		tokens  int64
	}{
		"table":    {table, `{"step":10,"loss":5.444,"tokens_per_s":1673,"num_tokens":12300}`, 12_300},
		"sentence": {said, `{"step":10,"loss":5.444,"learning_rate":0.00002,"tokens_per_s":1673,"num_tokens":12345}`, 12_345},
	} {
		files := map[string]string{"train.log": c.text, "0000010_adapters.safetensors": "x", "adapters.safetensors": "x", "adapter_config.json": `{"iters": 20}`}
		log, err := trainerlog.Read(folder(t, files))
		if err != nil {
			t.Fatal(err)
		}
		if log.Ended || log.MaxSteps != 20 || len(log.Steps) != 2 || string(log.Steps[1].Metrics) != c.metrics || *log.Tokens != c.tokens {
			t.Errorf("%s: %+v, %s", name, log, log.Steps[len(log.Steps)-1].Metrics)
		}
		if len(log.Checkpoints) != 1 || log.Checkpoints[0].Step != 10 {
			t.Errorf("%s: checkpoints %+v", name, log.Checkpoints)
		}
		files["adapter_config.json"] = `{"iters": 10}`
		if log, err := trainerlog.Read(folder(t, files)); err != nil || !log.Ended {
			t.Errorf("%s: at its last iteration it has not ended: %v", name, err)
		}
	}
}

// A log of what a trainer printed does not stand in the way of its own.
func TestPrintedLogOfAnotherTrainer(t *testing.T) {
	log, err := trainerlog.Read(folder(t, map[string]string{"train.log": "loading\n{'loss': 1.5}\n", "trainer_state.json": whole}))
	if err != nil || !log.Ended || len(log.Steps) != 4 {
		t.Errorf("%+v, %v", log, err)
	}
}
