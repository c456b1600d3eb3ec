// Package trainer writes what open trainers and rented machines start from: one
// training.yaml and an export become a folder with the trainer's own
// configuration, the data, a script that starts it, and, where it is asked for,
// an app for Modal or a pod for RunPod. It trains nothing and sends nothing; what
// comes out of a run is read by train/trainerlog. Start at Read and Write.
//
// Keys of training.yaml mean the same for every trainer. What a trainer cannot
// do is said (Written.Notes) and stands as a comment in its file.
package trainer

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"gopkg.in/yaml.v3"
)

// Example is a training.yaml with every key.
//
//go:embed training.yaml
var Example string

// Config is training.yaml.
type Config struct {
	BaseModel  string     `yaml:"base_model" json:"base_model"`
	Training   Training   `yaml:"training" json:"training"`
	LoRA       LoRA       `yaml:"lora" json:"lora"`
	Evaluation Evaluation `yaml:"evaluation" json:"evaluation"`
	Platform   Machine    `yaml:"platform" json:"platform"`
	// Export is the folder that weir export wrote; --data goes before it.
	Export string `yaml:"export,omitempty" json:"export,omitempty"`
	// Extra are keys of a trainer's own, by its name: they go over what is written
	// for it.
	Extra map[string]map[string]any `yaml:"extra,omitempty" json:"extra,omitempty"`
}

// Training says how is trained.
type Training struct {
	Epochs       float64 `yaml:"epochs" json:"epochs"`
	BatchSize    int64   `yaml:"batch_size" json:"batch_size"`     // examples of one device and one pass
	Accumulation int64   `yaml:"accumulation" json:"accumulation"` // passes to a step
	LearningRate float64 `yaml:"learning_rate" json:"learning_rate"`
	WarmupSteps  int64   `yaml:"warmup_steps" json:"warmup_steps"`
	Scheduler    string  `yaml:"scheduler" json:"scheduler"` // cosine, linear or constant
	WeightDecay  float64 `yaml:"weight_decay" json:"weight_decay"`
	Sequence     int64   `yaml:"sequence_length" json:"sequence_length"` // tokens; longer examples are cut or dropped, as the trainer does
	Packing      bool    `yaml:"packing" json:"packing"`
	Seed         int64   `yaml:"seed" json:"seed"`
	Checkpoint   *bool   `yaml:"gradient_checkpointing" json:"gradient_checkpointing"` // nil: on
	Precision    string  `yaml:"precision" json:"precision"`                           // bf16, fp16 or fp32
}

// LoRA says what of the model is trained. Without it, all is.
type LoRA struct {
	Enabled *bool   `yaml:"enabled" json:"enabled"` // nil: on
	Rank    int64   `yaml:"rank" json:"rank"`
	Alpha   float64 `yaml:"alpha" json:"alpha"` // 0: twice the rank
	Dropout float64 `yaml:"dropout" json:"dropout"`
}

// IsOn tells whether an adapter is trained rather than the whole model.
func (l LoRA) IsOn() bool { return l.Enabled == nil || *l.Enabled }

// Evaluation says what is done every so many steps; 0 leaves it to the trainer.
type Evaluation struct {
	EvalSteps    int64 `yaml:"eval_steps" json:"eval_steps"`
	SaveSteps    int64 `yaml:"save_steps" json:"save_steps"`
	LoggingSteps int64 `yaml:"logging_steps" json:"logging_steps"`
}

// Machine is what is rented.
type Machine struct {
	GPU    string  `yaml:"gpu" json:"gpu"`         // as Modal or RunPod calls it, or a name that both have here
	GPUs   int64   `yaml:"gpus" json:"gpus"`       // 0: one
	Hours  float64 `yaml:"hours" json:"hours"`     // at most: then it is stopped; 0: 12
	DiskGB int64   `yaml:"disk_gb" json:"disk_gb"` // 0: 100
}

// Defaults of what training.yaml leaves out.
const (
	defaultSequence = 4096
	defaultRank     = 16
	defaultHours    = 12
	defaultDiskGB   = 100
	defaultGPU      = "A100-80GB"
	defaultLogging  = 10
)

// Read reads training.yaml and fills in what it leaves out. An unknown key is an
// error: a misspelt one would be trained without.
func Read(r io.Reader) (Config, error) {
	var c Config
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("training.yaml: %w", err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return c, errors.New("training.yaml: a second document follows")
	}
	c.fill()
	if err := c.check(); err != nil {
		return c, fmt.Errorf("training.yaml: %w", err)
	}
	return c, nil
}

func (c *Config) fill() {
	or := func(n *int64, value int64) {
		if *n == 0 {
			*n = value
		}
	}
	or(&c.Training.Accumulation, 1)
	or(&c.Training.Sequence, defaultSequence)
	or(&c.Evaluation.LoggingSteps, defaultLogging)
	or(&c.Platform.GPUs, 1)
	or(&c.Platform.DiskGB, defaultDiskGB)
	if c.LoRA.IsOn() {
		or(&c.LoRA.Rank, defaultRank)
		if c.LoRA.Alpha == 0 {
			c.LoRA.Alpha = 2 * float64(c.LoRA.Rank)
		}
	}
	if c.Training.Scheduler == "" {
		c.Training.Scheduler = "cosine"
	}
	if c.Training.Precision == "" {
		c.Training.Precision = "bf16"
	}
	if c.Training.Checkpoint == nil {
		on := true
		c.Training.Checkpoint = &on
	}
	if c.Platform.Hours == 0 {
		c.Platform.Hours = defaultHours
	}
	if c.Platform.GPU == "" {
		c.Platform.GPU = defaultGPU
	}
}

func (c *Config) check() error {
	t := c.Training
	for _, wrong := range []struct {
		is   bool
		what string
	}{
		{c.BaseModel == "", "base_model is missing"},
		{strings.ContainsAny(c.BaseModel, "\"'\n\\"), "base_model: want a name or a path without quotes"},
		{!(t.Epochs > 0) || math.IsInf(t.Epochs, 0), "training.epochs: want more than 0"},
		{t.BatchSize < 1, "training.batch_size: want 1 or more"},
		{t.Accumulation < 1, "training.accumulation: want 1 or more"},
		{!(t.LearningRate > 0) || t.LearningRate >= 1, "training.learning_rate: want more than 0 and less than 1"},
		{t.WarmupSteps < 0, "training.warmup_steps: want 0 or more"},
		{!(t.WeightDecay >= 0), "training.weight_decay: want 0 or more"},
		{t.Sequence < 1, "training.sequence_length: want 1 or more"},
		{t.Seed < 0, "training.seed: want 0 or more"},
		{t.Scheduler != "cosine" && t.Scheduler != "linear" && t.Scheduler != "constant", "training.scheduler: want cosine, linear or constant"},
		{t.Precision != "bf16" && t.Precision != "fp16" && t.Precision != "fp32", "training.precision: want bf16, fp16 or fp32"},
		{c.LoRA.IsOn() && (c.LoRA.Rank < 1 || !(c.LoRA.Alpha > 0)), "lora: rank and alpha: want more than 0"},
		{!(c.LoRA.Dropout >= 0 && c.LoRA.Dropout < 1), "lora.dropout: want 0 or more and less than 1"},
		{c.Evaluation.EvalSteps < 0 || c.Evaluation.SaveSteps < 0 || c.Evaluation.LoggingSteps < 0, "evaluation: want 0 steps or more"},
		{c.Platform.GPUs < 1 || !(c.Platform.Hours > 0) || c.Platform.DiskGB < 1, "platform: gpus, hours and disk_gb: want more than 0"},
		{strings.ContainsAny(c.Platform.GPU, "\"'\n\\:"), "platform.gpu: want a name; how many are platform.gpus"},
	} {
		if wrong.is {
			return errors.New(wrong.what)
		}
	}
	for name := range c.Extra {
		if _, err := find(name); err != nil {
			return fmt.Errorf("extra: %w", err)
		}
	}
	return nil
}
