package trainer

import (
	"math"
	"path"
	"strings"
)

// trainers are those that training.yaml can be written for. The versions are
// those whose own schemas have read what is written here (scripts/trainers.sh).
func trainers() []trainer {
	return []trainer{
		{
			name: "axolotl", doc: "Axolotl", targets: []string{"axolotl"}, needs: []string{"axolotl==0.19.0"},
			command: "axolotl train axolotl.yaml", onSeveral: "axolotl train axolotl.yaml --num-processes {n}", file: "axolotl.yaml", format: axolotl,
		},
		{
			name: "llama-factory", doc: "LLaMA-Factory", targets: []string{"llama-factory"}, needs: []string{"llamafactory==0.9.5"},
			command: "llamafactory-cli train llama_factory.yaml", onSeveral: "env FORCE_TORCHRUN=1 NPROC_PER_NODE={n} llamafactory-cli train llama_factory.yaml", file: "llama_factory.yaml", format: llamaFactory, oneFile: true,
		},
		{
			name: "trl", doc: "TRL's SFTTrainer", targets: []string{"trl", "trl-completion"},
			needs:   []string{"trl==1.16.0", "peft>=0.18", "datasets>=4.7", "accelerate>=1.12"},
			command: "python train_trl.py", onSeveral: "accelerate launch --num_processes {n} train_trl.py", file: "train_trl.py", format: trl,
		},
		{
			name: "mlx", doc: "MLX-LM", targets: []string{"mlx"}, needs: []string{"mlx-lm[train]==0.32.2"},
			command: "mlx_lm.lora --config mlx.yaml", onSeveral: "mlx.launch -n {n} -- mlx_lm.lora --config mlx.yaml", file: "mlx.yaml", format: mlx, oneFile: true, isOnMac: true, isSilent: true,
		},
		{
			name: "ms-swift", doc: "ms-swift", targets: []string{"ms-swift"}, needs: []string{"ms-swift==4.6.0"},
			command: "swift sft ms_swift.yaml", onSeveral: "env NPROC_PER_NODE={n} swift sft ms_swift.yaml", file: "ms_swift.yaml", format: swift,
		},
	}
}

// head is the comment that a configuration begins with.
func (j job) head() []string {
	lines := []string{"Written by weir train config: " + j.doc + ", of an export for " + j.target + " with content hash " + j.hash + "."}
	return append(lines, *j.notes...)
}

// scheduler is the name that Hugging Face's Trainer has for the schedule.
func (j job) scheduler() string {
	if j.Training.Scheduler == "constant" && j.Training.WarmupSteps > 0 {
		return "constant_with_warmup"
	}
	return j.Training.Scheduler
}

// evaluates tells whether there is something to evaluate on, and says it where
// there is not.
func (j job) evaluates() bool {
	if j.Evaluation.EvalSteps == 0 {
		return false
	}
	if len(j.validation) == 0 {
		j.note("evaluation.eval_steps is left out: the export has no validation examples")
		return false
	}
	return true
}

func axolotl(j job) ([]byte, error) {
	t := j.Training
	sets := func(paths []string) []settings {
		var all []settings
		for _, p := range paths {
			all = append(all, settings{
				{"path", p}, {"ds_type", "json"}, {"type", "chat_template"}, {"field_messages", "messages"}, {"field_tools", "tools"},
				{"message_property_mappings", settings{{"role", "role"}, {"content", "content"}}},
				{"roles_to_train", []string{"assistant"}}, {"train_on_eos", "turn"}, {"message_field_training", "train"},
			})
		}
		return all
	}
	s := settings{{"base_model", j.BaseModel}, {"datasets", sets(j.train)}}
	if len(j.validation) > 0 {
		s = append(s, setting{"test_datasets", withSplit(sets(j.validation))})
	}
	s = append(s, settings{
		{"chat_template", "tokenizer_default"}, {"dataset_prepared_path", "prepared"}, {"sequence_len", t.Sequence}, {"sample_packing", t.Packing},
	}...)
	if t.Packing && len(j.validation) > 0 {
		s = append(s, setting{"eval_sample_packing", false}) // a short side does not fill a pack
	}
	if j.LoRA.IsOn() {
		s = append(s, settings{
			{"adapter", "lora"}, {"lora_r", j.LoRA.Rank}, {"lora_alpha", int64(math.Round(j.LoRA.Alpha))}, {"lora_dropout", j.LoRA.Dropout}, {"lora_target_linear", true},
		}...)
		if j.LoRA.Alpha != math.Trunc(j.LoRA.Alpha) {
			j.note("lora.alpha is rounded: Axolotl takes whole numbers")
		}
	}
	s = append(s, settings{
		{"micro_batch_size", t.BatchSize}, {"gradient_accumulation_steps", t.Accumulation}, {"num_epochs", t.Epochs}, {"learning_rate", t.LearningRate},
		{"optimizer", "adamw_torch_fused"}, {"lr_scheduler", j.scheduler()}, {"warmup_steps", t.WarmupSteps}, {"weight_decay", t.WeightDecay},
		{"bf16", t.Precision == "bf16"}, {"fp16", t.Precision == "fp16"}, {"gradient_checkpointing", *t.Checkpoint}, {"seed", t.Seed},
		{"logging_steps", j.Evaluation.LoggingSteps}, {"output_dir", "output"},
	}...)
	if j.evaluates() {
		s = append(s, setting{"eval_steps", j.Evaluation.EvalSteps})
	}
	if j.Evaluation.SaveSteps > 0 {
		s = append(s, setting{"save_steps", j.Evaluation.SaveSteps})
	}
	return s.extra(j.Extra[j.name]).file(j.head())
}

// withSplit: Axolotl names a split of what it tests on, and a file has one.
func withSplit(sets []settings) []settings {
	for i := range sets {
		sets[i] = append(sets[i], setting{"split", "train"})
	}
	return sets
}

func llamaFactory(j job) ([]byte, error) {
	t := j.Training
	s := settings{{"model_name_or_path", j.BaseModel}, {"stage", "sft"}, {"do_train", true}}
	if j.LoRA.IsOn() {
		s = append(s, settings{
			{"finetuning_type", "lora"}, {"lora_rank", j.LoRA.Rank}, {"lora_alpha", int64(math.Round(j.LoRA.Alpha))}, {"lora_dropout", j.LoRA.Dropout}, {"lora_target", "all"},
		}...)
		if j.LoRA.Alpha != math.Trunc(j.LoRA.Alpha) {
			j.note("lora.alpha is rounded: LLaMA-Factory takes whole numbers")
		}
	} else {
		s = append(s, setting{"finetuning_type", "full"})
	}
	if j.Extra[j.name]["template"] == nil {
		j.note("the chat template is read from the tokenizer; extra.llama-factory.template names one of LLaMA-Factory's own")
	}
	s = append(s, settings{{"dataset", "weir_train"}, {"dataset_dir", dataDir}, {"cutoff_len", t.Sequence}, {"packing", t.Packing}}...)
	if len(j.validation) > 0 {
		s = append(s, setting{"eval_dataset", "weir_validation"})
	}
	s = append(s, settings{
		{"per_device_train_batch_size", t.BatchSize}, {"per_device_eval_batch_size", t.BatchSize}, {"gradient_accumulation_steps", t.Accumulation},
		{"learning_rate", t.LearningRate}, {"num_train_epochs", t.Epochs}, {"lr_scheduler_type", j.scheduler()}, {"warmup_steps", t.WarmupSteps},
		{"weight_decay", t.WeightDecay}, {"bf16", t.Precision == "bf16"}, {"fp16", t.Precision == "fp16"},
		{"disable_gradient_checkpointing", !*t.Checkpoint}, {"seed", t.Seed}, {"logging_steps", j.Evaluation.LoggingSteps},
		{"output_dir", "output"}, {"plot_loss", true}, {"report_to", "none"},
	}...)
	if j.evaluates() {
		s = append(s, settings{{"eval_strategy", "steps"}, {"eval_steps", j.Evaluation.EvalSteps}}...)
	}
	if j.Evaluation.SaveSteps > 0 {
		s = append(s, settings{{"save_strategy", "steps"}, {"save_steps", j.Evaluation.SaveSteps}}...)
	}
	return s.extra(j.Extra[j.name]).file(j.head())
}

func swift(j job) ([]byte, error) {
	t := j.Training
	s := settings{{"model", j.BaseModel}, {"dataset", j.train}}
	if len(j.validation) > 0 {
		s = append(s, setting{"val_dataset", j.validation})
	}
	if j.LoRA.IsOn() {
		s = append(s, settings{
			{"tuner_type", "lora"}, {"lora_rank", j.LoRA.Rank}, {"lora_alpha", int64(math.Round(j.LoRA.Alpha))}, {"lora_dropout", j.LoRA.Dropout}, {"target_modules", []string{"all-linear"}},
		}...)
		if j.LoRA.Alpha != math.Trunc(j.LoRA.Alpha) {
			j.note("lora.alpha is rounded: ms-swift takes whole numbers")
		}
	} else {
		s = append(s, setting{"tuner_type", "full"})
	}
	words := map[string]string{"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
	s = append(s, settings{
		{"torch_dtype", words[t.Precision]}, {"max_length", t.Sequence}, {"truncation_strategy", "delete"}, {"packing", t.Packing},
		{"num_train_epochs", t.Epochs}, {"per_device_train_batch_size", t.BatchSize}, {"per_device_eval_batch_size", t.BatchSize},
		{"gradient_accumulation_steps", t.Accumulation}, {"learning_rate", t.LearningRate}, {"lr_scheduler_type", j.scheduler()},
		{"warmup_steps", t.WarmupSteps}, {"weight_decay", t.WeightDecay}, {"gradient_checkpointing", *t.Checkpoint}, {"seed", t.Seed},
		{"logging_steps", j.Evaluation.LoggingSteps}, {"output_dir", "output"}, {"add_version", false}, {"use_hf", true},
	}...)
	if t.Packing {
		s = append(s, setting{"attn_impl", "flash_attention_2"}) // without it packed examples would see each other
	}
	if j.evaluates() {
		s = append(s, settings{{"eval_strategy", "steps"}, {"eval_steps", j.Evaluation.EvalSteps}}...)
	}
	if j.Evaluation.SaveSteps > 0 {
		s = append(s, settings{{"save_strategy", "steps"}, {"save_steps", j.Evaluation.SaveSteps}}...)
	}
	return s.extra(j.Extra[j.name]).file(j.head())
}

// mlx counts iterations of one batch, not epochs; its adapter's scale is alpha
// over rank.
func mlx(j job) ([]byte, error) {
	t := j.Training
	iters := int64(math.Ceil(float64(j.lines) * t.Epochs / float64(t.BatchSize)))
	updates := max(1, iters/t.Accumulation)
	j.note("training.epochs: MLX counts batches, %d of them for %d lines", iters, j.lines)
	s := settings{{"model", j.BaseModel}, {"train", true}, {"data", path.Join(".", dataDir)}}
	if j.LoRA.IsOn() {
		j.note("lora.alpha: MLX takes alpha over rank as the scale; num_layers -1 puts an adapter on every layer")
		s = append(s, settings{
			{"fine_tune_type", "lora"}, {"num_layers", int64(-1)},
			{"lora_parameters", settings{{"rank", j.LoRA.Rank}, {"scale", j.LoRA.Alpha / float64(j.LoRA.Rank)}, {"dropout", j.LoRA.Dropout}}},
		}...)
	} else {
		s = append(s, settings{{"fine_tune_type", "full"}, {"num_layers", int64(-1)}}...)
	}
	optimizer := settings{}
	if t.WeightDecay > 0 {
		optimizer = settings{{"weight_decay", t.WeightDecay}}
	}
	s = append(s, settings{
		{"mask_prompt", true}, {"optimizer", "adamw"}, {"optimizer_config", settings{{"adamw", optimizer}}}, {"iters", iters}, {"batch_size", t.BatchSize},
		{"grad_accumulation_steps", t.Accumulation}, {"learning_rate", t.LearningRate}, {"max_seq_length", t.Sequence},
		{"grad_checkpoint", *t.Checkpoint}, {"seed", t.Seed}, {"adapter_path", "output"}, {"steps_per_report", j.Evaluation.LoggingSteps},
	}...)
	if schedule := mlxSchedule(t, max(1, updates-t.WarmupSteps)); schedule != nil {
		s = append(s, setting{"lr_schedule", schedule})
	}
	if j.evaluates() {
		s = append(s, setting{"steps_per_eval", j.Evaluation.EvalSteps * t.Accumulation})
	}
	if j.Evaluation.SaveSteps > 0 {
		s = append(s, setting{"save_every", j.Evaluation.SaveSteps * t.Accumulation})
	}
	if t.Packing {
		j.note("training.packing is left out: MLX-LM has none")
	}
	if t.Precision != "bf16" {
		j.note("training.precision is left out: MLX trains in the model's own")
	}
	return s.extra(j.Extra[j.name]).file(j.head())
}

// mlxSchedule is MLX's own way to say it; nil: the rate stands as it is.
func mlxSchedule(t Training, steps int64) settings {
	rate := t.LearningRate
	switch {
	case t.Scheduler == "cosine":
		return settings{{"name", "cosine_decay"}, {"warmup", t.WarmupSteps}, {"arguments", []any{rate, steps}}}
	case t.Scheduler == "linear":
		return settings{{"name", "linear_schedule"}, {"warmup", t.WarmupSteps}, {"arguments", []any{rate, 0.0, steps}}}
	case t.WarmupSteps > 0:
		return settings{{"name", "linear_schedule"}, {"warmup", t.WarmupSteps}, {"arguments", []any{rate, rate, steps}}}
	}
	return nil
}

// isName tells whether a key may stand as a name in Python.
func isName(key string) bool {
	for i, r := range key {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return key != "" && !strings.HasPrefix(key, "__")
}
