package trainer

import (
	"bytes"
	"embed"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

// fillIn makes a Python file of a template.
func fillIn(name string, values any) ([]byte, error) {
	file := name + ".tmpl"
	t, err := template.New(file).Funcs(template.FuncMap{"py": literal}).ParseFS(templates, "templates/"+file)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, values); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// literal writes a value in Python.
func literal(value any) (string, error) {
	switch value := value.(type) {
	case nil:
		return "None", nil
	case string:
		return strconv.QuoteToASCII(value), nil
	case bool:
		if value {
			return "True", nil
		}
		return "False", nil
	case int:
		return strconv.Itoa(value), nil
	case int64:
		return strconv.FormatInt(value, 10), nil
	case float64:
		return decimal(value), nil
	case []string:
		var items []any
		for _, item := range value {
			items = append(items, item)
		}
		return literal(items)
	case []any:
		var parts []string
		for _, item := range value {
			part, err := literal(item)
			if err != nil {
				return "", err
			}
			parts = append(parts, part)
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	case settings:
		var parts []string
		for _, item := range value {
			part, err := literal(item.value)
			if err != nil {
				return "", err
			}
			parts = append(parts, strconv.QuoteToASCII(item.key)+": "+part)
		}
		return "{" + strings.Join(parts, ", ") + "}", nil
	case map[string]any:
		return literal(settings{}.extra(value))
	}
	return "", fmt.Errorf("%T: want a text, a number, true or false, a list or a mapping", value)
}

// trl is a script: TRL's own command line takes no dataset of several files.
func trl(j job) ([]byte, error) {
	t := j.Training
	s := settings{
		{"num_train_epochs", t.Epochs}, {"per_device_train_batch_size", t.BatchSize}, {"per_device_eval_batch_size", t.BatchSize},
		{"gradient_accumulation_steps", t.Accumulation}, {"learning_rate", t.LearningRate}, {"lr_scheduler_type", j.scheduler()},
		{"warmup_steps", t.WarmupSteps}, {"weight_decay", t.WeightDecay}, {"max_length", t.Sequence}, {"packing", t.Packing},
		{"bf16", t.Precision == "bf16"}, {"fp16", t.Precision == "fp16"}, {"gradient_checkpointing", *t.Checkpoint}, {"seed", t.Seed},
		{"logging_steps", j.Evaluation.LoggingSteps}, {"include_num_input_tokens_seen", true}, {"report_to", "none"},
	}
	if j.LoRA.IsOn() { // the frozen weights need no more than they were published in
		s = append(s, setting{"model_init_kwargs", settings{{"dtype", "auto"}}})
	}
	// Of messages every token would be trained; of prompt and completion the
	// completion is by itself.
	if j.target == "trl" {
		s = append(s, setting{"assistant_only_loss", true})
		j.note("assistant_only_loss needs a chat template with generation marks: TRL has them for the usual models, and says so of another")
	}
	if j.evaluates() {
		s = append(s, settings{{"eval_strategy", "steps"}, {"eval_steps", j.Evaluation.EvalSteps}}...)
	}
	if j.Evaluation.SaveSteps > 0 {
		s = append(s, settings{{"save_strategy", "steps"}, {"save_steps", j.Evaluation.SaveSteps}}...)
	}
	if j.LoRA.IsOn() && j.LoRA.Alpha != math.Trunc(j.LoRA.Alpha) {
		j.note("lora.alpha is rounded: PEFT takes whole numbers")
	}
	for key := range j.Extra[j.name] {
		if !isName(key) {
			return nil, fmt.Errorf("extra.trl: %q is no name of an argument", key)
		}
	}
	type item struct {
		Key   string
		Value any
	}
	var items []item
	for _, known := range s.extra(j.Extra[j.name]) {
		items = append(items, item{known.key, known.value})
	}
	return fillIn(j.file, map[string]any{
		"BaseModel": j.BaseModel, "Head": j.head(), "DataDir": dataDir, "Train": names(j.train), "Validation": names(j.validation),
		"Settings": items, "LoRA": j.LoRA, "Alpha": int64(math.Round(j.LoRA.Alpha)),
	})
}

func names(paths []string) []string {
	found := []string{}
	for _, p := range paths {
		found = append(found, path.Base(p))
	}
	return found
}
