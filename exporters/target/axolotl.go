package target

import (
	"github.com/weir-lake/weir/exporters/canonical"
)

// axolotl is the form of Axolotl's chat_template datasets, with
// message_field_training: train, which says of each message whether it is
// trained. Arguments are JSON texts, which Axolotl reads itself: as objects
// they would need one type a key over the whole file. Tools likewise.
//
// The config needs sequence_len, whose default is 512; longer examples are
// dropped by default. (Axolotl 0.18 documentation and source, 2026-07.)
func axolotl() *Target {
	return &Target{
		Name: "axolotl", Doc: "Axolotl chat_template datasets with message_field_training", Provider: "local",
		Model: "Qwen/Qwen3-4B-Instruct-2507", MinLines: 1, HasReasoning: true, unpacks: true,
		fits:  []pass{systemFirst, objectArguments},
		calls: callForm{arguments: "either", anyID: true, toolsInOne: true, anyKey: true},
		encode: func(e *canonical.Example) ([]byte, error) {
			tools, err := inOneText(chatTools(e.Tools))
			if err != nil {
				return nil, err
			}
			messages := openMessages(e.Messages, true)
			for i, m := range e.Messages {
				train := canonical.IsTarget(m)
				messages[i].Train = &train
			}
			return encodeLine(openLine{Messages: messages, Tools: tools})
		},
		check: openForm("train", "weight"),
	}
}

// mlx is the form of MLX-LM's chat datasets, for mask_prompt: true: the last
// message alone is trained, so an example becomes a line for each of its
// trained messages. Without it, all tokens are. The validation file is
// valid.jsonl; the trainer cuts at max_seq_length, 2,048 tokens by default.
// (MLX-LM documentation and source, 2026-08.)
func mlx() *Target {
	return &Target{
		Name: "mlx", Doc: "MLX-LM chat datasets, for mask_prompt", Provider: "local",
		Model: "mlx-community/Qwen3-4B-Instruct-2507-4bit", MinLines: 1,
		HasReasoning: true,
		validation:   "valid", oneFile: true,
		loss:  lossLast,
		fits:  []pass{systemFirst, objectArguments},
		calls: callForm{arguments: "either", anyID: true, anyKey: true},
		encode: func(e *canonical.Example) ([]byte, error) {
			line := openLine{Messages: openMessages(e.Messages, false)}
			if tools := chatTools(e.Tools); tools != nil {
				line.Tools = tools
			}
			return encodeLine(line)
		},
		check: openForm(),
	}
}
