package trainer_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/train/trainer"
	"github.com/weir-lake/weir/train/trainerlog"
)

// Each trainer's own schema accepts what is written, and refuses it with a key
// that it does not know or a value of another kind; the platforms' clients build
// and run theirs. WEIR_TRAINERS_PYTHON is a Python that has them
// (scripts/trainers.sh makes one).
func TestTrainersOwnSchemas(t *testing.T) {
	python := os.Getenv("WEIR_TRAINERS_PYTHON")
	if python == "" {
		t.Skip("WEIR_TRAINERS_PYTHON names no Python with the trainers: scripts/trainers.sh has one")
	}
	const base = "base_model: small-1b\ntraining: {epochs: 2, batch_size: 2, learning_rate: 2e-5, warmup_steps: 3%s}\nevaluation: {eval_steps: 4, save_steps: 8, logging_steps: 2}\n"
	configs := map[string]string{
		"adapter":  fmt.Sprintf(base, "") + "lora: {rank: 8, alpha: 16, dropout: 0.1}\n",
		"whole":    fmt.Sprintf(base, ", scheduler: linear, precision: fp16, weight_decay: 0.01, gradient_checkpointing: false") + "lora: {enabled: false}\n",
		"packed":   fmt.Sprintf(base, ", packing: true, accumulation: 2, seed: 7"),
		"constant": fmt.Sprintf(base, ", scheduler: constant, precision: fp32"),
	}
	// One key that is none, and one value that is of another kind.
	broken := map[string][]string{
		"axolotl":       {"lora_rnak: 8", "lora_r: much"},
		"llama-factory": {"lora_rnak: 8", "lora_rank: much"},
		"trl":           {"lora_rnak: 8", "logging_strategy: sometimes"},
		"mlx":           {"lora_rnak: 8", "batch_size: much"},
		"ms-swift":      {"lora_rnak: 8", "truncation_strategy: sometimes"},
	}
	write := func(name, platform, config string) string {
		t.Helper()
		out := filepath.Join(t.TempDir(), "job")
		if _, err := trainer.Write(out, name, platform, talk(t, targets[name]), read(t, config)); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, name := range trainer.Names() {
		var dirs, what []string
		for _, kind := range slices.Sorted(maps.Keys(configs)) {
			dirs, what = append(dirs, write(name, "", configs[kind])), append(what, kind)
		}
		for _, key := range broken[name] {
			dirs, what = append(dirs, write(name, "", configs["adapter"]+"extra: {"+name+": {"+key+"}}\n")), append(what, key)
		}
		said := judge(t, python, name, dirs...)
		for i := range said {
			t.Logf("%s, %s: %s", name, what[i], said[i])
			if want := map[bool]string{true: "accepted", false: "refused"}[i < len(configs)]; !strings.HasPrefix(said[i], want) {
				t.Errorf("%s, %s: want it %s", name, what[i], want)
			}
			if name != "mlx" || i >= len(configs) {
				continue
			}
			// It was trained: what weir train record reads of it.
			log, err := trainerlog.Read(filepath.Join(dirs[i], "output"))
			if err != nil || !log.Ended || len(log.Steps) < 6 || log.Tokens == nil || i == 0 && len(log.Checkpoints) == 0 {
				t.Errorf("mlx, %s: log %+v, %v", what[i], log, err)
			}
		}
	}
	for _, platform := range trainer.Platforms() {
		said := judge(t, python, platform, write("trl", platform, configs["adapter"]))
		t.Logf("%s: %s", platform, said[0])
		if !strings.HasPrefix(said[0], "accepted") {
			t.Errorf("%s is not accepted", platform)
		}
	}
}

// judge gives the check's line for each folder.
func judge(t *testing.T, python, what string, dirs ...string) []string {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), python, append([]string{"../../scripts/trainers/check.py", what}, dirs...)...).CombinedOutput()
	var said []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "accepted: ") || strings.HasPrefix(line, "refused: ") || strings.HasPrefix(line, "broken: ") {
			said = append(said, line)
		}
	}
	if len(said) != len(dirs) {
		t.Fatalf("%s: %d words on %d folders, %v\n%s", what, len(said), len(dirs), err, text)
	}
	return said
}

// talk is an export of a few lines of the target's form.
func talk(t *testing.T, target string) string {
	t.Helper()
	dir := t.TempDir()
	validation := "validation.jsonl"
	line := `{"messages":[{"role":"user","content":"question %d"},{"role":"assistant","content":"answer"}]}`
	switch target {
	case "mlx":
		validation = "valid.jsonl"
	case "llama-factory":
		line = `{"conversations":[{"from":"human","value":"question %d"},{"from":"gpt","value":"answer"}],"system":"","tools":""}`
	}
	manifest := exporters.Manifest{Target: target, ContentHash: strings.Repeat("0a", 32)}
	add := func(name, text string, lines int) {
		sum := sha256.Sum256([]byte(text))
		manifest.Files = append(manifest.Files, exporters.File{Name: name, Lines: int64(lines), Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:])})
		put(t, filepath.Join(dir, name), text)
	}
	for name, lines := range map[string]int{"train.jsonl": 12, validation: 4} {
		var text strings.Builder
		for i := range lines {
			fmt.Fprintf(&text, line+"\n", i)
		}
		add(name, text.String(), lines)
	}
	if target == "llama-factory" {
		add("dataset_info.json", `{"weir_train":{"file_name":"train.jsonl"},"weir_validation":{"file_name":"validation.jsonl"}}`, 1)
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "manifest.json"), string(text))
	return dir
}
