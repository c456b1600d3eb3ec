package trainer_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/train/trainer"
)

// targets are the exports that the trainers read.
var targets = map[string]string{"axolotl": "axolotl", "llama-factory": "llama-factory", "trl": "trl", "mlx": "mlx", "ms-swift": "ms-swift"}

// export makes a folder as weir export does: files by name, and how many lines
// each has.
func export(t *testing.T, target string, files map[string]int) string {
	t.Helper()
	dir := t.TempDir()
	manifest := exporters.Manifest{Target: target, ContentHash: strings.Repeat("0a", 32)}
	for _, name := range []string{"train.jsonl", "train-00001-of-00002.jsonl", "train-00002-of-00002.jsonl", "train.jsonl.gz", "validation.jsonl", "valid.jsonl", "dataset_info.json", "lineage.jsonl"} {
		lines, ok := files[name]
		if !ok {
			continue
		}
		text := strings.Repeat("{}\n", lines)
		sum := sha256.Sum256([]byte(text))
		manifest.Files = append(manifest.Files, exporters.File{Name: name, Lines: int64(lines), Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:])})
		put(t, filepath.Join(dir, name), text)
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "manifest.json"), string(text))
	return dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// twoSides is an export with something on both.
func twoSides(t *testing.T, name string) string {
	files := map[string]int{"train.jsonl": 1000, "validation.jsonl": 50, "lineage.jsonl": 1050}
	switch name {
	case "mlx":
		files = map[string]int{"train.jsonl": 1000, "valid.jsonl": 50}
	case "llama-factory":
		files["dataset_info.json"] = 1
	}
	return export(t, targets[name], files)
}

func read(t *testing.T, text string) trainer.Config {
	t.Helper()
	c, err := trainer.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What is written of the example is what stands in testdata: UPDATE=1 rewrites it.
func TestGolden(t *testing.T) {
	for _, name := range trainer.Names() {
		for _, platform := range []string{"", "modal", "runpod"} {
			if platform != "" && name != "trl" {
				continue // the platform's files hold nothing of the trainer
			}
			out := filepath.Join(t.TempDir(), "job")
			w, err := trainer.Write(out, name, platform, twoSides(t, name), read(t, trainer.Example))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range w.Files {
				if strings.HasPrefix(file, "data/") || platform != "" && !strings.Contains(file, platform) {
					continue
				}
				golden(t, filepath.Join("testdata", name, file), filepath.Join(out, file))
			}
		}
	}
}

func golden(t *testing.T, want, got string) {
	t.Helper()
	text, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll(filepath.Dir(want), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, want, string(text))
		return
	}
	known, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(known) != string(text) {
		t.Errorf("%s: got\n%s", want, text)
	}
}

// A second time gives the same bytes, in a folder that holds all it needs.
func TestFolderIsWhole(t *testing.T) {
	dir := twoSides(t, "llama-factory")
	c := read(t, trainer.Example)
	var texts [2]string
	for i := range texts {
		out := filepath.Join(t.TempDir(), "job")
		w, err := trainer.Write(out, "llama-factory", "runpod", dir, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range w.Files {
			text, err := os.ReadFile(filepath.Join(out, file))
			if err != nil {
				t.Fatal(err)
			}
			texts[i] += file + "\n" + string(text)
		}
		again, err := os.Open(filepath.Join(out, "training.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := trainer.Read(again); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("training.yaml of the folder: %+v, want %+v, %v", got, c, err)
		}
		again.Close()
		if w.Lines != 1000 || w.Command != "python runpod_job.py" || !strings.Contains(texts[i], "data/validation.jsonl") || strings.Contains(texts[i], "lineage") {
			t.Errorf("%+v", w)
		}
		if _, err := trainer.Write(out, "llama-factory", "", dir, c); !errors.Is(err, trainer.ErrExists) || lake.HintOf(err) == "" {
			t.Errorf("written over: %v", err)
		}
	}
	if texts[0] != texts[1] {
		t.Error("two folders of the same differ")
	}
}

func TestShards(t *testing.T) {
	files := map[string]int{"train-00001-of-00002.jsonl": 3, "train-00002-of-00002.jsonl": 2, "validation.jsonl": 0}
	c := read(t, "base_model: small-1b\ntraining: {epochs: 1, batch_size: 1, learning_rate: 1e-4}\nevaluation: {eval_steps: 5}")
	out := filepath.Join(t.TempDir(), "job")
	w, err := trainer.Write(out, "axolotl", "", export(t, "axolotl", files), c)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "axolotl.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"path: data/train-00001-of-00002.jsonl", "path: data/train-00002-of-00002.jsonl", "learning_rate: 0.0001\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "test_datasets") || strings.Contains(string(text), "eval_steps:") || len(w.Notes) != 1 {
		t.Errorf("an empty side is evaluated on, or nothing is said: %v\n%s", w.Notes, text)
	}
	if _, err := trainer.Write(filepath.Join(t.TempDir(), "job"), "mlx", "", export(t, "mlx", files), c); err == nil || lake.HintOf(err) != "weir export without --shard-…" {
		t.Errorf("shards for MLX: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	good := "base_model: small-1b\ntraining: {epochs: 1, batch_size: 2, learning_rate: 2e-5}\n"
	for text, want := range map[string]string{
		"":                                       "base_model is missing",
		"base_model: small-1b\n":                 "training.epochs",
		good + "lore: {rank: 8}\n":               "field lore not found",
		good + "lora: {ranks: 8}\n":              "field ranks not found",
		good + "lora: {dropout: 1}\n":            "lora.dropout",
		good + "lora: {rank: -8}\n":              "lora: rank",
		good + "evaluation: {eval_steps: x}\n":   "cannot unmarshal",
		good + "extra: {megatron: {a: 1}}\n":     "unknown trainer",
		good + "platform: {gpu: \"H100:2\"}\n":   "platform.gpu",
		good + "---\nbase_model: b\n":            "a second document",
		strings.Replace(good, "2e-5", ".nan", 1): "training.learning_rate",
		strings.Replace(good, "2e-5", "5", 1):    "training.learning_rate",
	} {
		if _, err := trainer.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	c := read(t, good)
	changed := twoSides(t, "trl")
	put(t, filepath.Join(changed, "train.jsonl"), "{}\n")
	for name, p := range map[string]struct {
		trainer, platform, export, want, hint string
	}{
		"trainer":   {"megatron", "", twoSides(t, "trl"), "unknown trainer", ""},
		"platform":  {"trl", "moon", twoSides(t, "trl"), "unknown platform", ""},
		"Mac":       {"mlx", "modal", twoSides(t, "mlx"), "Apple", ""},
		"target":    {"trl", "", twoSides(t, "mlx"), "was exported for mlx", "weir export --target trl"},
		"no export": {"trl", "", t.TempDir(), "manifest.json", "weir export --target trl"},
		"zipped":    {"trl", "", export(t, "trl", map[string]int{"train.jsonl.gz": 3}), "is compressed", "weir export without --compress"},
		"empty":     {"trl", "", export(t, "trl", map[string]int{"train.jsonl": 0}), "no example", ""},
		"changed":   {"trl", "", changed, "not what manifest.json says", "export again"},
	} {
		_, err := trainer.Write(filepath.Join(t.TempDir(), "job"), p.trainer, p.platform, p.export, c)
		if err == nil || !strings.Contains(err.Error(), p.want) || !strings.Contains(lake.HintOf(err), p.hint) {
			t.Errorf("%s: %v, hint %q", name, err, lake.HintOf(err))
		}
	}
	c = read(t, good+"extra: {trl: {\"a b\": 1}}\n")
	if _, err := trainer.Write(filepath.Join(t.TempDir(), "job"), "trl", "", twoSides(t, "trl"), c); err == nil || !strings.Contains(err.Error(), `"a b"`) {
		t.Errorf("a key that is no name: %v", err)
	}
}

// A warm-up that is longer than the run is said.
func TestLongWarmup(t *testing.T) {
	c := read(t, "base_model: small-1b\ntraining: {epochs: 1, batch_size: 100, learning_rate: 1e-4, warmup_steps: 10}\n")
	w, err := trainer.Write(filepath.Join(t.TempDir(), "job"), "ms-swift", "", twoSides(t, "ms-swift"), c)
	if err != nil || len(w.Notes) != 1 || !strings.Contains(w.Notes[0], "about 10 steps") {
		t.Errorf("%v, %v", w.Notes, err)
	}
}
