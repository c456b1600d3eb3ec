// Package target turns canonical examples into the lines of providers'
// training files and checks such lines by each provider's rules. What a target
// cannot carry is converted by a named rule or drops the example; every rule
// that fired is reported. It reads and writes no files.
//
// A target is one file: a Target value with its encoder and its checker, and an
// entry in All. The passes that make an example fit are shared; a target's
// fields say which it needs. Start at Named and Target.Convert.
package target

import (
	"fmt"
	"strings"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// Target is one provider's file format.
type Target struct {
	Name     string // as in --target
	Doc      string // what the files are for, in a phrase
	Provider string // as in the price table

	Model     string // base model that tokens and costs are stated for where none is named
	MinLines  int    // fewest lines that the provider takes
	MaxTokens int    // longest example; a longer one is divided. 0: no limit of the format's own
	MaxTools  int    // most tools an example may declare; 0: no limit
	MaxImages int    // most images a message; 0: maxImages

	HasNames     bool // a message can name its speaker; else the name goes before the text
	HasReasoning bool // an assistant message carries the reasoning before it
	Alternates   bool // system stands first and user and assistant take turns
	Pairs        bool // its lines are preference pairs
	OneReply     bool // of a pair, each way to go on is one message
	HasFormat    bool // what the request wanted of the output's format can be said
	CanForbid    bool // parallel_tool_calls can be said
	BOM          bool // files begin with a byte order mark; elsewhere none may

	allOrNone  string // key that every line of a file has where one has it
	validation string // stem of the validation file's name, where it has another
	oneFile    bool   // its trainer reads one file a side, by its name
	unpacks    bool   // its loader reads gzip and zstd

	loss     loss
	fits     []pass           // what its lines need beside the passes of all targets, in order
	sidecars func() []Sidecar // files that its trainer wants beside the lines
	calls    callForm

	encode     func(*canonical.Example) ([]byte, error)
	encodePair func(*preference) ([]byte, error)
	check      func(*checker, object)
}

// pass makes an example fit, or says why it does not.
type pass = func(*canonical.Example, Losses) Rule

// callForm is how a target's lines have calls.
type callForm struct {
	arguments  string // "string", "object", or "either"
	anyID      bool   // a call may go without an id
	anyKey     bool   // calls and tools may have keys of a template's own
	toolsInOne bool   // tools may be one JSON text
}

// Sidecar is a file that stands beside the training files.
type Sidecar struct {
	Name string
	JSON []byte // without a newline
}

// Sidecars gives the files that the target's trainer wants beside the lines.
func (t *Target) Sidecars() []Sidecar {
	if t.sidecars == nil {
		return nil
	}
	return t.sidecars()
}

// FileName names the file of a side of the split: train or validation.
func (t *Target) FileName(split string) string { return t.stem(split) + ".jsonl" }

func (t *Target) stem(split string) string {
	if split == "validation" && t.validation != "" {
		return t.validation
	}
	return split
}

// All lists the targets in the order of the documentation.
func All() []*Target {
	return []*Target{
		openAI(), azure(), fireworks(), together(), mistral(),
		gemini(), bedrockNova(), bedrockClaude(),
		trl(), trlCompletion(), axolotl(), llamaFactory(), mlx(), swift(),
		openAIDPO(), azureDPO(), fireworksDPO(), togetherDPO(), trlDPO(), axolotlDPO(), llamaFactoryDPO(), swiftDPO(),
		openAIRFT(),
	}
}

// Named finds a target. The error has a hint with the names.
func Named(name string) (*Target, error) {
	var names []string
	for _, t := range All() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return nil, lake.WithHint(fmt.Errorf("unknown target %q", name), "--target "+strings.Join(names, " or --target "))
}

// Options are what a conversion depends on besides the example.
type Options struct {
	// IsAgent tells which speakers are agents. The others are people, and get a
	// pseudonym. Nil: nobody is known to be an agent.
	IsAgent func(name string) bool
	// MaxTokens is the longest example; 0: the smaller of the target's limit and
	// ModelTokens decides.
	MaxTokens   int
	ModelTokens int           // longest example of the model; 0: not known
	Context     ContextPolicy // what becomes of longer ones
	// Count counts what a message takes; nil: nothing is divided. Base counts
	// what an example takes besides its messages.
	Count func(lake.Message) int
	Base  func(*canonical.Example) int
	// Trained counts what a trainer learns of a message; nil: its bytes. It
	// decides whether an example is expanded.
	Trained func(lake.Message) int
}

// Line is one line of a file.
type Line struct {
	JSON    []byte // without a newline
	Example canonical.Example
	Targets int // messages that are trained
}

// Result is what became of an example.
type Result struct {
	Lines   []Line // none: the example was dropped
	Dropped Rule   // why; empty where it was not
	Losses  Losses // rules that changed it, the drop among them
}

// Convert makes an example's lines: one, or several where it is too long or the
// target trains one reply a line; of a preference pair one. The example is not
// changed. An error is a fault of weir's, never of the data.
func (t *Target) Convert(example canonical.Example, opts Options) (Result, error) {
	if t.Pairs {
		return t.convertPair(example, opts)
	}
	work := example.Clone()
	losses := Losses{}
	if rule := t.prepare(&work, opts, losses); rule != "" {
		return dropped(rule, losses), nil
	}
	pieces := []canonical.Example{work}
	if limit := t.limit(opts); limit > 0 && opts.Count != nil {
		var rule Rule
		if pieces, rule = shorten(work, limit, opts, losses); rule != "" {
			return dropped(rule, losses), nil
		}
	}
	var result Result
	for _, piece := range pieces {
		// Parts of an example are not exported: the targets of its lines must
		// add up to its own.
		if rule := t.fit(&piece, losses); rule != "" {
			return dropped(rule, losses), nil
		}
		expanded, rule := t.expand(piece, opts, losses)
		if rule != "" {
			return dropped(rule, losses), nil
		}
		for _, one := range expanded {
			text, err := t.encode(&one)
			if err != nil {
				return Result{}, fmt.Errorf("%s: example %s: %w", t.Name, example.ID, err)
			}
			result.Lines = append(result.Lines, Line{JSON: text, Example: one, Targets: canonical.Targets(one.Messages)})
		}
	}
	if len(result.Lines) == 0 {
		return dropped(RuleTooLong, losses), nil
	}
	result.Losses = losses
	return result, nil
}

func dropped(rule Rule, losses Losses) Result {
	losses.add(rule)
	return Result{Dropped: rule, Losses: losses}
}

func (t *Target) limit(opts Options) int {
	switch {
	case opts.MaxTokens > 0:
		return opts.MaxTokens
	case t.MaxTokens > 0 && opts.ModelTokens > 0:
		return min(t.MaxTokens, opts.ModelTokens)
	}
	return max(t.MaxTokens, opts.ModelTokens)
}

// fit is what is left to do once an example has its length.
func (t *Target) fit(piece *canonical.Example, losses Losses) Rule {
	fits := t.fits
	if t.Alternates {
		fits = append([]pass{alternate}, fits...)
	}
	for _, fit := range fits {
		if rule := fit(piece, losses); rule != "" {
			return rule
		}
	}
	return ""
}
