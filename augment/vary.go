package augment

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/weir-lake/weir/augment/llm"
	"github.com/weir-lake/weir/augment/method"
	"github.com/weir-lake/weir/lake"
)

// vary makes what is missing of one root, its methods in turn, until the cap.
func (r *run) vary(ctx context.Context, root root, methods []int) error {
	// Each root begins at another method, or the first would make nearly all.
	start := method.Random(root.ID, "", r.opts.Seed, 0).IntN(len(methods))
	have := len(root.Children)
	for variation := range int64(r.opts.PerRoot) {
		for i := range methods {
			if have >= r.opts.PerRoot {
				return nil
			}
			index := methods[(start+i)%len(methods)]
			m := r.opts.Methods[index]
			id := EventID(root.ID, m.Name, r.opts.Seed, variation)
			if slices.Contains(root.Children, id) {
				r.count(index, func(c *Count) { c.AlreadyThere++ })
				continue
			}
			made, err := r.one(ctx, root, m, index, id, variation)
			if err != nil {
				return err
			}
			if made {
				have++
			}
		}
	}
	return nil
}

func (r *run) count(index int, f func(*Count)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.report.Methods[index])
}

// take reserves one of what the caps allow; give returns it.
func (r *run) take() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left <= 0 {
		return errEnough
	}
	r.left--
	return nil
}

func (r *run) give() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left++
}

func (r *run) one(ctx context.Context, root root, m method.Method, index int, id string, variation int64) (made bool, err error) {
	if err := r.take(); err != nil {
		return false, err
	}
	defer func() {
		if !made {
			r.give()
		}
	}()
	random := method.Random(root.ID, m.Name+"/"+m.Version, r.opts.Seed, variation)
	asked := &asking{client: r.opts.Client, seed: int64(random.Uint64() >> 12)}
	var varied method.Example
	if r.opts.DryRun && m.NeedsModel() {
		err = r.plan(root, m, random)
	} else {
		varied, err = r.make(ctx, root, m, random, asked)
	}
	switch {
	case errors.Is(err, method.ErrNotApplicable):
		r.count(index, func(c *Count) { c.NotApplicable++ })
		return false, nil
	case ctx.Err() != nil || errors.Is(err, llm.ErrBudget):
		return false, err
	case err != nil:
		reason, fatal := failure(err)
		if fatal {
			return false, fmt.Errorf("%s of %s: %w", m.Name, root.ID, err)
		}
		r.count(index, func(c *Count) { c.Failed[reason]++ })
		return false, nil
	}
	r.count(index, func(c *Count) { c.Made++ })
	if r.opts.DryRun {
		return true, nil
	}
	return true, r.append(ctx, r.event(root, m, id, variation, varied, asked), m.NeedsModel())
}

func (r *run) make(ctx context.Context, root root, m method.Method, random *rand.Rand, asked *asking) (method.Example, error) {
	example := method.Example{Messages: root.Messages, Tools: root.Tools, ResponseFormat: root.Format}
	switch {
	case m.Rule != nil:
		return m.Rule(example, random)
	case m.Show != nil:
		document := root.Document
		document.Terms = r.opts.Terms
		return m.Show(ctx, document, random, asked.ask)
	}
	return m.Ask(ctx, example, random, asked.ask)
}

// plan adds what the method would cost at most to the report.
func (r *run) plan(root root, m method.Method, random *rand.Rand) error {
	var question method.Question
	var err error
	if m.FromDocuments() {
		document := root.Document
		document.Terms = r.opts.Terms
		question, err = m.ShowFirst(document, random)
	} else {
		question, err = m.First(method.Example{Messages: root.Messages, Tools: root.Tools, ResponseFormat: root.Format}, random)
	}
	if err != nil {
		return err
	}
	request := toRequest(question, 0)
	input, output := request.InputTokens()*m.Calls, request.MaxTokens*m.Calls
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Spent.Calls += m.Calls
	r.report.Spent.InputTokens += input
	r.report.Spent.OutputTokens += output
	if r.opts.Price != nil {
		r.report.Spent.USD += r.opts.Price.Cost(input, output)
	}
	return nil
}

// failure names what went wrong with one variation. What would go wrong with
// the next one too is fatal: a wrong key, a server that is not there.
func failure(err error) (reason string, fatal bool) {
	var status *llm.StatusError
	switch {
	case errors.Is(err, method.ErrRejected):
		return err.Error(), false
	case errors.Is(err, llm.ErrCutOff):
		return "cut off", false
	case errors.Is(err, llm.ErrMalformed):
		return "malformed reply", false
	case errors.As(err, &status) && (status.Status == 400 || status.Status == 413 || status.Status == 422):
		return fmt.Sprintf("status %d", status.Status), false // this prompt is what the server refuses
	}
	return "", true
}

func (r *run) event(root root, m method.Method, id string, variation int64, varied method.Example, asked *asking) lake.Event {
	data := &lake.GeneratedExample{
		Persons: lake.Persons{PersonIDs: root.PersonIDs}, Method: m.Name, TaskType: root.TaskType,
		Messages: slices.Clone(varied.Messages), Tools: varied.Tools, Seed: &r.opts.Seed, Variation: &variation,
		ResponseFormat: root.Format, ToolChoice: root.Choice, ParallelToolCalls: root.Parallel,
	}
	subject := root.SubjectID
	if m.FromDocuments() {
		subject = m.Name + ":" + id
		data.DocumentIDs, data.KnowledgeID = root.Documents, root.ID
	} else {
		data.ParentIDs = []string{root.ID}
	}
	if m.NeedsModel() {
		data.GeneratorModel, data.PromptHash, data.CostUSD = asked.model, asked.hash, asked.usd
		data.InputTokens, data.OutputTokens = &asked.input, &asked.output
	}
	for i := range data.Messages {
		message := &data.Messages[i]
		message.EventID = "" // the output is the root's, not this example's
		// What a model wrote here bears its name; the root's targets keep theirs.
		if m.NeedsModel() && message.Role == "assistant" && message.Model == "" {
			message.Model = asked.model
		}
	}
	event := lake.Event{
		ID: id, Source: "weir://augment/" + m.Name, Type: "weir.example.generated.v1", Subject: subject,
		Time: r.opts.Clock().UTC(), Data: data,
	}
	if r.opts.Redact != nil {
		r.opts.Redact(&event)
	}
	return event
}

// append sends an event on. What was paid for is acknowledged before the next
// is asked for.
func (r *run) append(ctx context.Context, event lake.Event, paid bool) error {
	// A run that is being stopped still keeps what it has paid for.
	ctx = context.WithoutCancel(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.out.Append(ctx, event); err != nil || !paid {
		return err
	}
	_, err := r.out.Flush(ctx)
	return err
}

// asking adds up what one variation asked.
type asking struct {
	client *llm.Client
	seed   int64

	model, hash   string // of the last question
	input, output int64
	usd           *float64
}

func (a *asking) ask(ctx context.Context, q method.Question) (string, error) {
	request := toRequest(q, a.seed)
	answer, err := a.client.Complete(ctx, request)
	if err != nil {
		return "", err
	}
	a.model, a.hash = answer.Model, request.Hash()
	a.input += answer.InputTokens
	a.output += answer.OutputTokens
	if answer.USD != nil {
		sum := *answer.USD
		if a.usd != nil {
			sum += *a.usd
		}
		a.usd = &sum
	}
	return answer.Text, nil
}

func toRequest(q method.Question, seed int64) llm.Request {
	return llm.Request{
		Messages:  []llm.Message{{Role: "system", Content: q.System}, {Role: "user", Content: q.User}},
		MaxTokens: q.MaxTokens, Seed: seed,
	}
}
