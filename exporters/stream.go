package exporters

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/exporters/tokens"
)

// worker converts examples. Each goroutine has one of its own, because counters
// remember words.
type worker struct {
	target  *target.Target
	counter *tokens.Counter
	convert target.Options
	distill Distiller // nil: without rules
	onNamed string    // of the rules
}

func (e *exporting) newWorker() (*worker, error) {
	counter, err := e.newCounter()
	if err != nil {
		return nil, err
	}
	w := &worker{target: e.target, counter: counter, distill: e.opts.Distill}
	if w.distill != nil {
		w.onNamed = w.distill.Info().OnNamed
	}
	w.convert = target.Options{
		IsAgent:   func(name string) bool { return e.agents[name] },
		MaxTokens: e.opts.MaxTokens, ModelTokens: e.manifest.Context.Tokens, Context: e.opts.Context,
		Count:   counter.Message,
		Base:    w.base,
		Trained: counter.Reply,
	}
	return w, nil
}

// base counts what an example takes besides its messages.
func (w *worker) base(example *canonical.Example) int {
	return tokens.PerConversation + w.counter.Tools(example.Tools)
}

// tokens counts what a line holds, what of it is trained, and what was read
// for that: all that stands before each trained reply.
func (w *worker) tokens(line target.Line) (all, trained, read int64) {
	all = int64(w.base(&line.Example))
	for _, m := range line.Example.Messages {
		if canonical.IsTarget(m) {
			trained += int64(w.counter.Reply(m))
			read += all
		}
		all += int64(w.counter.Message(m))
	}
	if against := line.Example.Against; against != nil {
		for _, m := range against.Messages {
			all += int64(w.counter.Message(m))
			trained += int64(w.counter.Reply(m))
		}
	}
	return all, trained, read
}

// supervised counts what is to be trained of an example; of a pair, what the
// assistant says on both sides.
func (w *worker) supervised(example canonical.Example) (n int64) {
	messages := example.Messages
	if example.Against != nil {
		messages = slices.Concat(messages[example.Against.Context:], example.Against.Messages)
	}
	for _, m := range messages {
		if canonical.IsTarget(m) || example.Against != nil && m.Role == "assistant" {
			n += int64(w.counter.Reply(m))
		}
	}
	return n
}

// converted is what became of an example: all that is left to do is to write it.
type converted struct {
	split  string
	result target.Result
	lines  []convertedLine
	// supervised are the tokens that are to be trained of the example.
	supervised int64
	loss       []byte       // its line among the losses; nil: none
	distilled  *distillLine // nil: without rules
	// origins are lines among the lineage for each line, without file and line:
	// one, of a pair two.
	origins [][]byte
}

type convertedLine struct {
	text         []byte
	targets      int
	all, trained int64 // tokens
	read         int64 // tokens before each trained reply
}

func (w *worker) example(example canonical.Example) (c converted, err error) {
	c.split = example.Split
	dropped := false
	if w.distill != nil {
		c.distilled, dropped = w.shorten(&example)
	}
	if dropped {
		c.result = target.Result{Dropped: target.RuleNamed, Losses: target.Losses{target.RuleNamed: 1}}
	} else if c.result, err = w.target.Convert(example, w.convert); err != nil {
		return c, err
	}
	if len(c.result.Losses) > 0 {
		c.loss, err = json.Marshal(lossLine{
			ExampleID: example.ID, PairID: pairID(example), Split: example.Split, Dropped: string(c.result.Dropped), Rules: c.result.Losses,
		})
		if err != nil {
			return c, err
		}
	}
	for _, line := range c.result.Lines {
		all, trained, read := w.tokens(line)
		c.lines = append(c.lines, convertedLine{line.JSON, line.Targets, all, trained, read})
		c.supervised += trained
	}
	if len(c.result.Losses) > 0 { // else the line has all of it
		c.supervised = w.supervised(example)
	}
	c.result.Lines = nil
	c.origins, err = originsOf(example)
	return c, err
}

// originsOf is where the lines of an example are from, in JSON.
func originsOf(example canonical.Example) ([][]byte, error) {
	origins := []lineageOrigin{{
		ExampleID: example.ID, SubjectID: example.SubjectID, ContentHash: example.ContentHash, OriginEventIDs: example.OriginEventIDs,
	}}
	if against := example.Against; against != nil {
		origins[0].PairID, origins[0].Role = against.PairID, "chosen"
		origins = append(origins, lineageOrigin{
			ExampleID: against.ExampleID, SubjectID: against.SubjectID, ContentHash: against.ContentHash, OriginEventIDs: against.OriginEventIDs,
			PairID: against.PairID, Role: "rejected",
		})
	}
	var texts [][]byte
	for _, origin := range origins {
		text, err := json.Marshal(origin)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func pairID(example canonical.Example) string {
	if example.Against == nil {
		return ""
	}
	return example.Against.PairID
}

// batch is some examples on their way.
type batch struct {
	examples []canonical.Example
	done     chan struct{} // closed when the rest is there
	out      []converted
	err      error
}

// stream reads, converts and writes. Workers convert side by side; this
// goroutine writes in the order of the examples, so that the bytes do not
// depend on how many there are. A few batches are in memory at a time.
func (e *exporting) stream(ctx context.Context, reader *canonical.Reader, out *files) error {
	workers := make([]*worker, e.workers)
	for i := range workers {
		var err error
		if workers[i], err = e.newWorker(); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait() // the reader is not to be closed before
	defer stop()
	work, order := make(chan *batch), make(chan *batch, 2*e.workers)
	for _, w := range workers {
		running.Go(func() {
			for b := range work {
				b.out, b.err = w.examples(ctx, b.examples)
				close(b.done)
			}
		})
	}
	running.Go(func() {
		defer close(work)
		defer close(order)
		for ctx.Err() == nil {
			b := &batch{done: make(chan struct{})}
			b.examples, b.err = reader.Next()
			// In order before it is in work: whoever writes waits for it.
			select {
			case order <- b:
			case <-ctx.Done():
				return
			}
			if b.err != nil {
				close(b.done)
				return
			}
			work <- b
		}
	})
	var done int64
	for b := range order {
		<-b.done
		if errors.Is(b.err, io.EOF) {
			return nil
		} else if b.err != nil {
			return b.err
		}
		for i := range b.out {
			if err := e.put(&b.out[i], out); err != nil {
				return err
			}
		}
		done += int64(len(b.examples))
		if e.opts.Progress != nil {
			e.opts.Progress(done, reader.Rows())
		}
	}
	return ctx.Err()
}

func (w *worker) examples(ctx context.Context, examples []canonical.Example) ([]converted, error) {
	out := make([]converted, 0, len(examples))
	for _, example := range examples {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, err := w.example(example)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// put writes and counts an example.
func (e *exporting) put(c *converted, out *files) error {
	e.manifest.count(c.split, c.result)
	e.manifest.countSupervised(c.split, c.supervised)
	if c.distilled != nil {
		e.manifest.Distill.count(c.distilled)
		if err := out.distill.json(c.distilled); err != nil {
			return err
		}
	}
	if c.loss != nil {
		if err := out.losses.line(c.loss); err != nil {
			return err
		}
	}
	for _, line := range c.lines {
		file, err := out.sides[c.split].line(line.text, line.all)
		if err != nil {
			return err
		}
		e.manifest.countLine(c.split, line.targets, line.all, line.trained, line.read)
		for _, origin := range c.origins {
			if err := out.lineage.line(lineage(file.name, file.lines, origin)); err != nil {
				return err
			}
		}
	}
	return nil
}

// lineageLine ties a line of a file to what it was made from.
type lineageLine struct {
	File string `json:"file"`
	Line int64  `json:"line"` // 1-based
	lineageOrigin
}

type lineageOrigin struct {
	ExampleID      string   `json:"example_id"`
	SubjectID      string   `json:"subject_id"`
	ContentHash    string   `json:"content_hash"`
	OriginEventIDs []string `json:"origin_event_ids"`
	PairID         string   `json:"pair_id,omitempty"` // of a preference pair, whose lines have two origins
	Role           string   `json:"role,omitempty"`    // there: chosen or rejected
}

// lineageStart is how each lineageLine begins: the name follows.
const lineageStart = `{"file":"`

// lineage is a lineageLine in JSON, from a lineageOrigin in JSON. Names of files
// have nothing to escape.
func lineage(file string, line int64, origin []byte) []byte {
	text := make([]byte, 0, len(lineageStart)+len(file)+len(origin)+32)
	text = append(append(text, lineageStart...), file...)
	text = strconv.AppendInt(append(text, `","line":`...), line, 10)
	return append(append(text, ','), origin[1:]...)
}

// lossLine says what a conversion did to an example.
type lossLine struct {
	ExampleID string        `json:"example_id"`
	PairID    string        `json:"pair_id,omitempty"`
	Split     string        `json:"split"`
	Dropped   string        `json:"dropped,omitempty"` // rule that dropped it
	Rules     target.Losses `json:"rules"`             // how often each rule fired
}
