// Package openai is OpenAI's fine-tuning API as a provider, and whatever
// speaks it: Azure's has the same paths, another header for the key, and
// shorter names. Facts are of OpenAI's published description of 2026-08-21.
// Start at New.
package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/api"
	"github.com/weir-lake/weir/train/rest"
)

const (
	// BaseURL of OpenAI itself. Azure's is the resource's own, ending in /openai/v1.
	BaseURL = "https://api.openai.com/v1"
	// AzureKeyHeader bears a key at Azure.
	AzureKeyHeader = "api-key"

	pageSize = 100
	// runKey is the metadata that a job bears.
	runKey = "weir_run"
)

// Provider is train.Provider. It is safe for concurrent use.
type Provider struct {
	client *api.Client
	name   string
	suffix int
	marks  bool // jobs take metadata
}

// New is OpenAI, or a server that speaks as it does.
func New(client *api.Client) *Provider {
	return &Provider{client: client, name: "openai", suffix: 64, marks: true}
}

// NewAzure is Azure OpenAI.
func NewAzure(client *api.Client) *Provider {
	return &Provider{client: client, name: "azure", suffix: 18}
}

// Name is openai or azure.
func (p *Provider) Name() string { return p.name }

// SuffixLimit is how many characters a suffix may have.
func (p *Provider) SuffixLimit() int { return p.suffix }

// Billed is train.Provider: validation is free.
func (p *Provider) Billed(epochs, train, _ int64) int64 { return epochs * train }

// Check refuses what the API does not take.
func (p *Provider) Check(s train.Spec) error {
	switch {
	case s.Method != "sft" && s.Method != "dpo":
		return fmt.Errorf("%s: method %q: %w", p.name, s.Method, train.ErrUnsupported)
	case s.Hyper.LoRARank != nil:
		return fmt.Errorf("%s: LoRA rank: %w", p.name, train.ErrUnsupported)
	case s.Hyper.Epochs != nil && (*s.Hyper.Epochs < 1 || *s.Hyper.Epochs > 50):
		return fmt.Errorf("%s: %d epochs: want 1 to 50", p.name, *s.Hyper.Epochs)
	case s.Hyper.BatchSize != nil && (*s.Hyper.BatchSize < 1 || *s.Hyper.BatchSize > 256):
		return fmt.Errorf("%s: batch size %d: want 1 to 256", p.name, *s.Hyper.BatchSize)
	case s.Hyper.LearningRate != nil && *s.Hyper.LearningRate <= 0:
		return fmt.Errorf("%s: learning rate multiplier %g: want one above 0", p.name, *s.Hyper.LearningRate)
	}
	return nil
}

type wireFile struct {
	ID            string `json:"id"`
	Bytes         int64  `json:"bytes"`
	Filename      string `json:"filename"`
	CreatedAt     int64  `json:"created_at"`
	Status        string `json:"status"`
	StatusDetails string `json:"status_details"`
}

// File: the status is deprecated, and may be missing.
func (w wireFile) File() train.File {
	f := train.File{ID: w.ID, Name: w.Filename, Bytes: w.Bytes}
	switch w.Status {
	case "error", "deleted", "deleting":
		f.Error = w.Status
		if w.StatusDetails != "" {
			f.Error = w.StatusDetails
		}
	case "pending", "running", "uploaded": // Azure has the first two; it checks before it takes
		f.Ready = w.Status == "uploaded"
	default:
		f.Ready = true
	}
	return f
}

type page[T any] struct {
	Data    []T  `json:"data"`
	HasMore bool `json:"has_more"`
}

// list reads all pages. Servers that know no pages give all at once.
func list[T any](ctx context.Context, c *api.Client, path string, query url.Values, id func(T) string) ([]T, error) {
	all, seen := []T{}, map[string]bool{}
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", strconv.Itoa(pageSize))
	for {
		var p page[T]
		if err := c.Get(ctx, path, query, &p); err != nil {
			return nil, err
		}
		fresh := false
		for _, item := range p.Data {
			if !seen[id(item)] {
				seen[id(item)], fresh = true, true
				all = append(all, item)
			}
		}
		if !p.HasMore || !fresh { // one that gives the same page for ever gives nothing new
			return all, nil
		}
		query.Set("after", id(p.Data[len(p.Data)-1]))
	}
}

// FilesByName is train.Provider.
func (p *Provider) FilesByName(ctx context.Context, name string) ([]train.File, error) {
	all, err := list(ctx, p.client, "files", url.Values{"purpose": {"fine-tune"}, "order": {"desc"}}, func(f wireFile) string { return f.ID })
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
	ID             string            `json:"id"`
	Model          string            `json:"model"`
	TrainingFile   string            `json:"training_file"`
	Status         string            `json:"status"`
	FineTunedModel string            `json:"fine_tuned_model"`
	TrainedTokens  *int64            `json:"trained_tokens"`
	CreatedAt      int64             `json:"created_at"`
	FinishedAt     int64             `json:"finished_at"`
	Metadata       map[string]string `json:"metadata"`
	Error          *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Param   string `json:"param"`
	} `json:"error"`
}

func (w wireJob) Job() train.Job {
	j := train.Job{
		ID: w.ID, Model: w.Model, TrainingFile: w.TrainingFile, RunID: w.Metadata[runKey], Status: w.Status, State: stateOf(w.Status),
		ResultModel: w.FineTunedModel, TrainedTokens: w.TrainedTokens, CreatedAt: rest.Time(w.CreatedAt), FinishedAt: rest.Time(w.FinishedAt),
	}
	if w.Error != nil {
		j.Error = w.Error.Message
		if w.Error.Code != "" {
			j.Error = strings.TrimSuffix(w.Error.Code+": "+j.Error, ": ")
		}
	}
	return j
}

// stateOf: what is not known, as the paused of the description's example, is
// no end.
func stateOf(status string) string {
	switch status {
	case "validating_files", "queued", "pending", "created", "notRunning":
		return train.Queued
	case "succeeded":
		return train.Succeeded
	case "failed":
		return train.Failed
	case "cancelled", "canceled":
		return train.Cancelled
	}
	return train.Running
}

// Jobs is train.Provider.
func (p *Provider) Jobs(ctx context.Context) ([]train.Job, error) {
	all, err := list(ctx, p.client, "fine_tuning/jobs", nil, func(j wireJob) string { return j.ID })
	return rest.Jobs(all), err
}

type hyperparameters struct {
	Epochs       *int64   `json:"n_epochs,omitempty"`
	BatchSize    *int64   `json:"batch_size,omitempty"`
	LearningRate *float64 `json:"learning_rate_multiplier,omitempty"`
}

// Create is train.Provider.
func (p *Provider) Create(ctx context.Context, s train.Spec) (train.Job, error) {
	kind := map[string]string{"sft": "supervised", "dpo": "dpo"}[s.Method]
	method := map[string]any{"type": kind, kind: map[string]any{
		"hyperparameters": hyperparameters{Epochs: s.Hyper.Epochs, BatchSize: s.Hyper.BatchSize, LearningRate: s.Hyper.LearningRate},
	}}
	order := map[string]any{"model": s.Model, "training_file": s.TrainingFile, "suffix": s.Suffix, "method": method}
	if s.ValidationFile != "" {
		order["validation_file"] = s.ValidationFile
	}
	if s.Hyper.Seed != nil {
		order["seed"] = *s.Hyper.Seed
	}
	if p.marks {
		order["metadata"] = map[string]string{runKey: s.RunID}
	}
	return rest.Create[wireJob](ctx, p.client, "fine_tuning/jobs", order)
}

// Job is train.Provider.
func (p *Provider) Job(ctx context.Context, id string) (train.Job, error) {
	w, err := rest.Get[wireJob](ctx, p.client, "fine_tuning/jobs/"+url.PathEscape(id))
	return w.Job(), err
}

// Cancel is train.Provider.
func (p *Provider) Cancel(ctx context.Context, id string) (train.Job, error) {
	return rest.Cancel[wireJob](ctx, p.client, "fine_tuning/jobs/"+url.PathEscape(id)+"/cancel")
}

type wireEvent struct {
	ID        string          `json:"id"`
	CreatedAt int64           `json:"created_at"`
	Level     string          `json:"level"`
	Message   string          `json:"message"`
	Type      string          `json:"type"`
	Data      json.RawMessage `json:"data"`
}

// Events is train.Provider. A metrics event's message only repeats its data.
func (p *Provider) Events(ctx context.Context, id string) ([]train.JobEvent, error) {
	all, err := list(ctx, p.client, "fine_tuning/jobs/"+url.PathEscape(id)+"/events", nil, func(e wireEvent) string { return e.ID })
	events := make([]train.JobEvent, len(all))
	for i, e := range all {
		events[i] = train.JobEvent{ID: e.ID, Time: rest.Time(e.CreatedAt), Level: e.Level, Message: e.Message}
		var data struct {
			Step *int64 `json:"step"`
		}
		if json.Unmarshal(e.Data, &data) == nil && string(e.Data) != "null" && string(e.Data) != "{}" && len(e.Data) > 0 {
			events[i].Data, events[i].Step = e.Data, data.Step
		}
		if e.Type == "metrics" && len(events[i].Data) > 0 {
			events[i].Message = ""
		}
	}
	return events, err
}

type wireCheckpoint struct {
	ID        string          `json:"id"`
	CreatedAt int64           `json:"created_at"`
	Model     string          `json:"fine_tuned_model_checkpoint"`
	Step      *int64          `json:"step_number"`
	Metrics   json.RawMessage `json:"metrics"`
}

// Checkpoints is train.Provider.
func (p *Provider) Checkpoints(ctx context.Context, id string) ([]train.Checkpoint, error) {
	all, err := list(ctx, p.client, "fine_tuning/jobs/"+url.PathEscape(id)+"/checkpoints", nil, func(c wireCheckpoint) string { return c.ID })
	points := make([]train.Checkpoint, len(all))
	for i, c := range all {
		points[i] = train.Checkpoint{ID: c.ID, Time: rest.Time(c.CreatedAt), Model: c.Model, Step: c.Step, Metrics: c.Metrics}
	}
	return points, err
}

var _ train.Provider = (*Provider)(nil)
