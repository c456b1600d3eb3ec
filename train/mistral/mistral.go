// Package mistral is Mistral's fine-tuning API as a provider. Facts are of the
// published description of 2026-08 and of the last Python client that has the
// API (2.4): Mistral calls it deprecated. Start at New.
package mistral

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/api"
	"github.com/weir-lake/weir/train/rest"
)

const (
	// BaseURL of the provider.
	BaseURL = "https://api.mistral.ai/v1"

	suffixLimit = 18
	pageSize    = 100
)

// Provider is train.Provider. It is safe for concurrent use.
type Provider struct{ client *api.Client }

// New is the provider behind a client.
func New(client *api.Client) *Provider { return &Provider{client: client} }

// Name is mistral.
func (*Provider) Name() string { return "mistral" }

// SuffixLimit is how many characters a suffix may have.
func (*Provider) SuffixLimit() int { return suffixLimit }

// Billed is train.Provider: validation is not said to be billed.
func (*Provider) Billed(epochs, train, _ int64) int64 { return epochs * train }

// Check refuses what the API does not take.
func (*Provider) Check(s train.Spec) error {
	h := s.Hyper
	for _, unknown := range []struct {
		name  string
		given bool
	}{{"method " + s.Method, s.Method != "sft"}, {"batch size", h.BatchSize != nil}, {"LoRA rank", h.LoRARank != nil}, {"seed", h.Seed != nil}} {
		if unknown.given {
			return fmt.Errorf("mistral: %s: %w", unknown.name, train.ErrUnsupported)
		}
	}
	switch {
	case h.Epochs != nil && *h.Epochs < 1:
		return fmt.Errorf("mistral: %d epochs: want 1 or more", *h.Epochs)
	case h.LearningRate != nil && *h.LearningRate <= 0:
		return fmt.Errorf("mistral: learning rate %g: want one above 0", *h.LearningRate)
	}
	return nil
}

// list reads all pages: they go by number, and the last is not full.
func list[T any](ctx context.Context, c *api.Client, path string, query url.Values, id func(T) string) ([]T, error) {
	all, seen := []T{}, map[string]bool{}
	query.Set("page_size", strconv.Itoa(pageSize))
	for page := 0; ; page++ {
		query.Set("page", strconv.Itoa(page))
		var reply struct {
			Data  []T  `json:"data"`
			Total *int `json:"total"`
		}
		if err := c.Get(ctx, path, query, &reply); err != nil {
			return nil, err
		}
		fresh := false
		for _, item := range reply.Data {
			if !seen[id(item)] { // what is added meanwhile moves the pages
				seen[id(item)], fresh = true, true
				all = append(all, item)
			}
		}
		if !fresh || reply.Total != nil && len(all) >= *reply.Total {
			return all, nil
		}
	}
}

type wireFile struct {
	ID       string `json:"id"`
	Bytes    int64  `json:"bytes"`
	Filename string `json:"filename"`
}

// File: what Mistral takes it has checked.
func (w wireFile) File() train.File {
	return train.File{ID: w.ID, Name: w.Filename, Bytes: w.Bytes, Ready: true}
}

// FilesByName is train.Provider.
func (p *Provider) FilesByName(ctx context.Context, name string) ([]train.File, error) {
	all, err := list(ctx, p.client, "files", url.Values{"purpose": {"fine-tune"}}, func(f wireFile) string { return f.ID })
	return rest.Named(all, name), err
}

// Upload is train.Provider.
func (p *Provider) Upload(ctx context.Context, u train.Upload) (train.File, error) {
	return rest.Upload[wireFile](ctx, p.client, "files", u)
}

// File is train.Provider.
func (p *Provider) File(ctx context.Context, id string) (train.File, error) {
	return rest.File[wireFile](ctx, p.client, "files/"+url.PathEscape(id))
}

type wireJob struct {
	ID             string          `json:"id"`
	Model          string          `json:"model"`
	Status         string          `json:"status"`
	TrainingFiles  []string        `json:"training_files"`
	FineTunedModel string          `json:"fine_tuned_model"`
	TrainedTokens  *int64          `json:"trained_tokens"`
	CreatedAt      int64           `json:"created_at"`
	ModifiedAt     int64           `json:"modified_at"`
	Events         []wireEvent     `json:"events"`
	Checkpoints    []wirePoint     `json:"checkpoints"`
	Metadata       json.RawMessage `json:"metadata"`
}

type wireEvent struct {
	Name      string          `json:"name"`
	CreatedAt int64           `json:"created_at"`
	Data      json.RawMessage `json:"data"`
}

type wirePoint struct {
	Step      *int64          `json:"step_number"`
	CreatedAt int64           `json:"created_at"`
	Metrics   json.RawMessage `json:"metrics"`
}

// Job: it is modified the last time when it ends. What it costs is told in a
// currency of Mistral's choice, and counts where that is the dollar.
func (w wireJob) Job() train.Job {
	j := train.Job{
		ID: w.ID, Model: w.Model, Status: w.Status, State: stateOf(w.Status), ResultModel: w.FineTunedModel, TrainedTokens: w.TrainedTokens, CreatedAt: rest.Time(w.CreatedAt),
	}
	if len(w.TrainingFiles) > 0 {
		j.TrainingFile = w.TrainingFiles[0]
	}
	var metadata struct {
		Cost     *float64 `json:"cost"`
		Currency string   `json:"cost_currency"`
	}
	if json.Unmarshal(w.Metadata, &metadata) == nil && metadata.Currency == "USD" && train.IsFinal(j.State) {
		j.CostUSD = metadata.Cost
	}
	if train.IsFinal(j.State) {
		j.FinishedAt = rest.Time(w.ModifiedAt)
	}
	if j.State == train.Failed {
		j.Error = w.Status
		for _, e := range slices.Backward(w.ordered()) {
			var data struct {
				Error string `json:"error"`
			}
			if json.Unmarshal(e.Data, &data) == nil && data.Error != "" {
				j.Error += ": " + data.Error
				break
			}
		}
	}
	return j
}

// ordered are the events in the order of time, whatever the reply's.
func (w wireJob) ordered() []wireEvent {
	events := slices.Clone(w.Events)
	slices.SortStableFunc(events, func(a, b wireEvent) int { return int(a.CreatedAt - b.CreatedAt) })
	return events
}

func stateOf(status string) string {
	switch status {
	case "QUEUED", "VALIDATING", "VALIDATED":
		return train.Queued
	case "SUCCESS":
		return train.Succeeded
	case "FAILED", "FAILED_VALIDATION":
		return train.Failed
	case "CANCELLED":
		return train.Cancelled
	}
	return train.Running // STARTED, CANCELLATION_REQUESTED: it goes on
}

// Jobs is train.Provider.
func (p *Provider) Jobs(ctx context.Context) ([]train.Job, error) {
	all, err := list(ctx, p.client, "fine_tuning/jobs", url.Values{}, func(j wireJob) string { return j.ID })
	jobs := rest.Jobs(all)
	slices.SortStableFunc(jobs, func(a, b train.Job) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return jobs, err
}

// Create is train.Provider. The job starts by itself; a line that Mistral cannot
// read ends it, rather than being left out without a word.
func (p *Provider) Create(ctx context.Context, s train.Spec) (train.Job, error) {
	hyper := map[string]any{}
	if s.Hyper.Epochs != nil {
		hyper["epochs"] = *s.Hyper.Epochs
	}
	if s.Hyper.LearningRate != nil {
		hyper["learning_rate"] = *s.Hyper.LearningRate
	}
	order := map[string]any{
		"model": s.Model, "training_files": []any{map[string]any{"file_id": s.TrainingFile, "weight": 1}}, "suffix": s.Suffix,
		"hyperparameters": hyper, "auto_start": true, "invalid_sample_skip_percentage": 0,
	}
	if s.ValidationFile != "" {
		order["validation_files"] = []string{s.ValidationFile}
	}
	return rest.Create[wireJob](ctx, p.client, "fine_tuning/jobs", order)
}

func (p *Provider) get(ctx context.Context, id string) (wireJob, error) {
	return rest.Get[wireJob](ctx, p.client, "fine_tuning/jobs/"+url.PathEscape(id))
}

// Job is train.Provider.
func (p *Provider) Job(ctx context.Context, id string) (train.Job, error) {
	w, err := p.get(ctx, id)
	return w.Job(), err
}

// Cancel is train.Provider.
func (p *Provider) Cancel(ctx context.Context, id string) (train.Job, error) {
	return rest.Cancel[wireJob](ctx, p.client, "fine_tuning/jobs/"+url.PathEscape(id)+"/cancel")
}

// Events is train.Provider. They have no ids: one is known by when it was, what
// it is called and what it says; of two that are equal the second bears a
// number.
func (p *Provider) Events(ctx context.Context, id string) ([]train.JobEvent, error) {
	w, err := p.get(ctx, id)
	var events []train.JobEvent
	times := map[string]int{}
	for _, e := range w.ordered() {
		name := train.EventID(strconv.FormatInt(e.CreatedAt, 10), e.Name, string(e.Data))
		times[name]++
		event := train.JobEvent{ID: fmt.Sprintf("%s-%d", name, times[name]), Time: rest.Time(e.CreatedAt), Message: e.Name}
		var data struct {
			Step  *int64 `json:"step"`
			Error string `json:"error"`
		}
		if json.Unmarshal(e.Data, &data) == nil && len(e.Data) > 0 && string(e.Data) != "null" {
			event.Data, event.Step = e.Data, data.Step
		}
		if data.Error != "" {
			event.Level = "error"
		}
		events = append(events, event)
	}
	return events, err
}

// Checkpoints is train.Provider: a step and its metrics. Mistral keeps the
// weights to itself, so the name is ours.
func (p *Provider) Checkpoints(ctx context.Context, id string) ([]train.Checkpoint, error) {
	w, err := p.get(ctx, id)
	var points []train.Checkpoint
	for _, c := range w.Checkpoints {
		name := "0"
		if c.Step != nil {
			name = strconv.FormatInt(*c.Step, 10)
		}
		points = append(points, train.Checkpoint{ID: name, Time: rest.Time(c.CreatedAt), Model: id + ":step-" + name, Step: c.Step, Metrics: c.Metrics})
	}
	return points, err
}

var _ train.Provider = (*Provider)(nil)
