// Package together is Together AI's fine-tuning API as a provider. Facts are of
// the published description of 2026-04-28. Start at New.
package together

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/api"
	"github.com/weir-lake/weir/train/rest"
)

// BaseURL of the provider.
const BaseURL = "https://api.together.ai/v1"

const suffixLimit = 40

// Provider is train.Provider. It is safe for concurrent use.
type Provider struct{ client *api.Client }

// New is the provider behind a client.
func New(client *api.Client) *Provider { return &Provider{client: client} }

// Name is together.
func (*Provider) Name() string { return "together" }

// SuffixLimit is how many characters a suffix may have.
func (*Provider) SuffixLimit() int { return suffixLimit }

// Billed is train.Provider: the one evaluation that Create asks for counts.
func (*Provider) Billed(epochs, train, validation int64) int64 { return epochs*train + validation }

// Check refuses what the API does not take.
func (*Provider) Check(s train.Spec) error {
	h := s.Hyper
	switch {
	case s.Method != "sft" && s.Method != "dpo":
		return fmt.Errorf("together: method %q: %w", s.Method, train.ErrUnsupported)
	case h.Epochs != nil && *h.Epochs < 1 || h.BatchSize != nil && *h.BatchSize < 1 || h.LoRARank != nil && *h.LoRARank < 1:
		return errors.New("together: epochs, batch size and LoRA rank: want 1 or more")
	case h.LearningRate != nil && *h.LearningRate <= 0:
		return fmt.Errorf("together: learning rate %g: want one above 0", *h.LearningRate)
	}
	return nil
}

type wireFile struct {
	ID        string `json:"id"`
	Filename  string `json:"filename"`
	Bytes     int64  `json:"bytes"`
	Processed bool   `json:"Processed"`
}

func (w wireFile) File() train.File {
	return train.File{ID: w.ID, Name: w.Filename, Bytes: w.Bytes, Ready: w.Processed}
}

type list[T any] struct {
	Data []T `json:"data"`
}

// FilesByName is train.Provider. The API's lists have no pages.
func (p *Provider) FilesByName(ctx context.Context, name string) ([]train.File, error) {
	var all list[wireFile]
	err := p.client.Get(ctx, "files", nil, &all)
	return rest.Named(all.Data, name), err
}

// Upload is train.Provider.
func (p *Provider) Upload(ctx context.Context, u train.Upload) (train.File, error) {
	return rest.Upload[wireFile](ctx, p.client, "files/upload", u, [2]string{"file_name", u.Name})
}

// File is train.Provider.
func (p *Provider) File(ctx context.Context, id string) (train.File, error) {
	return rest.File[wireFile](ctx, p.client, "files/"+url.PathEscape(id))
}

type wireJob struct {
	ID           string     `json:"id"`
	Status       string     `json:"status"`
	Model        string     `json:"model"`
	TrainingFile string     `json:"training_file"`
	Output       string     `json:"model_output_name"`
	TokenCount   *int64     `json:"token_count"`
	CreatedAt    *time.Time `json:"created_at"`
	UpdatedAt    *time.Time `json:"updated_at"`
}

// Job: the name of what comes out is there from the start, so it counts at the
// end only; tokens are billed once it is there.
func (w wireJob) Job() train.Job {
	j := train.Job{ID: w.ID, Model: w.Model, TrainingFile: w.TrainingFile, Status: w.Status, State: stateOf(w.Status), TrainedTokens: w.TokenCount}
	if w.CreatedAt != nil {
		j.CreatedAt = w.CreatedAt.UTC()
	}
	if train.IsFinal(j.State) && w.UpdatedAt != nil {
		j.FinishedAt = w.UpdatedAt.UTC()
	}
	switch j.State {
	case train.Succeeded:
		j.ResultModel = w.Output
	case train.Failed:
		j.Error = w.Status + ": see the last events"
	}
	return j
}

func stateOf(status string) string {
	switch status {
	case "pending", "queued":
		return train.Queued
	case "completed":
		return train.Succeeded
	case "error", "user_error":
		return train.Failed
	case "cancelled":
		return train.Cancelled
	}
	return train.Running // compressing, uploading, cancel_requested: it goes on
}

// Jobs is train.Provider.
func (p *Provider) Jobs(ctx context.Context) ([]train.Job, error) {
	var all list[wireJob]
	err := p.client.Get(ctx, "fine-tunes", nil, &all)
	jobs := rest.Jobs(all.Data)
	slices.SortStableFunc(jobs, func(a, b train.Job) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return jobs, err
}

// Create is train.Provider. A batch size is sent always: the description calls
// it optional, and the server has been seen to want it.
func (p *Provider) Create(ctx context.Context, s train.Spec) (train.Job, error) {
	order := map[string]any{
		"model": s.Model, "training_file": s.TrainingFile, "suffix": s.Suffix, "batch_size": "max",
		"training_method": map[string]any{"method": s.Method},
	}
	if s.ValidationFile != "" {
		order["validation_file"], order["n_evals"] = s.ValidationFile, 1
	}
	if s.Hyper.Epochs != nil {
		order["n_epochs"] = *s.Hyper.Epochs
	}
	if s.Hyper.BatchSize != nil {
		order["batch_size"] = *s.Hyper.BatchSize
	}
	if s.Hyper.LearningRate != nil {
		order["learning_rate"] = *s.Hyper.LearningRate
	}
	if s.Hyper.Seed != nil {
		order["random_seed"] = *s.Hyper.Seed
	}
	if s.Hyper.LoRARank != nil {
		order["training_type"] = map[string]any{"type": "Lora", "lora_r": *s.Hyper.LoRARank, "lora_alpha": 2 * *s.Hyper.LoRARank}
	}
	return rest.Create[wireJob](ctx, p.client, "fine-tunes", order)
}

// Job is train.Provider.
func (p *Provider) Job(ctx context.Context, id string) (train.Job, error) {
	w, err := rest.Get[wireJob](ctx, p.client, "fine-tunes/"+url.PathEscape(id))
	return w.Job(), err
}

// Cancel is train.Provider.
func (p *Provider) Cancel(ctx context.Context, id string) (train.Job, error) {
	return rest.Cancel[wireJob](ctx, p.client, "fine-tunes/"+url.PathEscape(id)+"/cancel")
}

// Events is train.Provider. They have no ids, so what one says names it; of two
// that say the same at one time the second bears a number.
func (p *Provider) Events(ctx context.Context, id string) ([]train.JobEvent, error) {
	var all list[json.RawMessage]
	err := p.client.Get(ctx, "fine-tunes/"+url.PathEscape(id)+"/events", nil, &all)
	if err != nil {
		return nil, err
	}
	var events []train.JobEvent
	times := map[string]int{}
	for i, raw := range all.Data {
		var w struct {
			CreatedAt string `json:"created_at"`
			Level     string `json:"level"`
			Message   string `json:"message"`
			Type      string `json:"type"`
			Step      *int64 `json:"step"`
		}
		if err := json.Unmarshal(raw, &w); err != nil {
			return nil, fmt.Errorf("events[%d]: %w", i, err)
		}
		step := "-"
		if w.Step != nil {
			step = fmt.Sprint(*w.Step)
		}
		name := train.EventID(w.CreatedAt, w.Type, step, w.Message)
		times[name]++
		events = append(events, train.JobEvent{
			ID: fmt.Sprintf("%s-%d", name, times[name]), Time: timeOf(w.CreatedAt), Level: strings.ToLower(w.Level), Message: w.Message, Step: w.Step, Data: raw,
		})
	}
	return events, nil
}

// Checkpoints is train.Provider.
func (p *Provider) Checkpoints(ctx context.Context, id string) ([]train.Checkpoint, error) {
	var all list[struct {
		Step      *int64 `json:"step"`
		CreatedAt string `json:"created_at"`
		Path      string `json:"path"`
		Kind      string `json:"checkpoint_type"`
	}]
	err := p.client.Get(ctx, "fine-tunes/"+url.PathEscape(id)+"/checkpoints", nil, &all)
	var points []train.Checkpoint
	for _, w := range all.Data {
		points = append(points, train.Checkpoint{ID: w.Path + " " + w.Kind, Time: timeOf(w.CreatedAt), Model: w.Path, Step: w.Step})
	}
	return points, err
}

// timeOf is zero for what is no time.
func timeOf(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

var _ train.Provider = (*Provider)(nil)
