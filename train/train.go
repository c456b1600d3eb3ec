// Package train has models trained by providers' job APIs, and puts on record
// what became of it: every run, its states, events, checkpoints, metrics and
// cost are events of the lake (weir.training.state.v1). It writes no training
// files (exporters does) and speaks no API (train/openai and its neighbours
// do). Start at Submit and Watch.
//
// The lake's events are the only state. A run's id follows from what is trained
// on what, so a command that was killed is just given again: the run that was
// begun is found in the lake, its files are found at the provider by their names,
// which hold the run and their hash, and its job by those files. Nothing is
// ordered before that search, so nothing is ordered twice.
package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/retry"
)

// States of a run, as events.training_runs has them.
const (
	Planned   = "planned"   // on record; its job is not there yet, as far as the lake knows
	Submitted = "submitted" // the provider has the job
	Queued    = "queued"    // it is checked, or waits
	Running   = "running"
	Succeeded = "succeeded"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// IsFinal tells whether a state is a run's last.
func IsFinal(state string) bool { return state == Succeeded || state == Failed || state == Cancelled }

// File is a file at the provider.
type File struct {
	ID    string
	Name  string
	Bytes int64 // 0: the provider does not say
	Ready bool  // checked; where a provider does not check files, at once
	Error string
}

// Job is a job at the provider.
type Job struct {
	ID            string
	Model         string // that is trained
	TrainingFile  string // its id
	RunID         string // that it was ordered with, where the provider keeps it
	Status        string // as the provider calls it
	State         string // the same as a state of ours
	ResultModel   string
	Error         string
	TrainedTokens *int64
	CostUSD       *float64  // as the provider says; nil: it does not
	CreatedAt     time.Time // zero: the provider does not say
	FinishedAt    time.Time // zero: it is not, or the provider does not say
}

// JobEvent is what the provider tells about a job.
type JobEvent struct {
	ID      string // stable; unique within the job
	Time    time.Time
	Level   string // info, warn or error; may be empty
	Message string
	Step    *int64
	Data    json.RawMessage // metrics; may be empty
}

// EventID names an event by what it says, where the provider gives it no name.
func EventID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x1f")))
	return hex.EncodeToString(sum[:12])
}

// Checkpoint is a state of the model in training that the provider keeps.
type Checkpoint struct {
	ID      string // stable; unique within the job
	Time    time.Time
	Model   string // or where it lies
	Step    *int64
	Metrics json.RawMessage
}

// Hyper are the numbers that decide how is trained; nil leaves one to the
// provider.
type Hyper struct {
	Epochs       *int64   `json:"epochs,omitempty"`
	BatchSize    *int64   `json:"batch_size,omitempty"`    // not Mistral
	LearningRate *float64 `json:"learning_rate,omitempty"` // OpenAI and Azure: a multiplier of their own rate
	LoRARank     *int64   `json:"lora_rank,omitempty"`     // not OpenAI, Azure, Mistral
	Seed         *int64   `json:"seed,omitempty"`          // not Fireworks, Mistral
}

// Spec is what a job is ordered with.
type Spec struct {
	Model          string
	TrainingFile   string // its id
	ValidationFile string // empty: none
	Method         string // sft or dpo
	Suffix         string // holds the run's tag
	RunID          string
	Hyper          Hyper
}

// ErrUnsupported says that a provider does not do what a plan asks for.
var ErrUnsupported = errors.New("the provider does not do that")

// Provider is one job API. Lists are complete: an implementation reads all
// pages. Its errors tell an order of unknown fate by api.ErrUnsure.
type Provider interface {
	// Name is as in the price table: openai, together, …
	Name() string
	// Check refuses what the provider cannot do (ErrUnsupported), before
	// anything is sent.
	Check(Spec) error
	// FilesByName finds what was uploaded under a name, the newest first.
	FilesByName(ctx context.Context, name string) ([]File, error)
	Upload(ctx context.Context, upload Upload) (File, error)
	File(ctx context.Context, id string) (File, error)
	// Jobs lists the account's jobs, the newest first.
	Jobs(ctx context.Context) ([]Job, error)
	// Create orders a job, once: it never repeats what may have been taken.
	Create(ctx context.Context, spec Spec) (Job, error)
	Job(ctx context.Context, id string) (Job, error)
	Cancel(ctx context.Context, id string) (Job, error)
	Events(ctx context.Context, id string) ([]JobEvent, error)
	Checkpoints(ctx context.Context, id string) ([]Checkpoint, error)
	// Billed is how many tokens a job of these sides' tokens is billed for.
	Billed(epochs, train, validation int64) int64
	// SuffixLimit is how many bytes a suffix may have.
	SuffixLimit() int
}

// Upload is a file to send.
type Upload struct {
	Name     string
	Bytes    int64
	Lines    int64
	Open     func() (io.ReadCloser, error)
	Progress func(done, of int64) // bytes; may be nil
}

// Send takes events towards the lake. When it returns they are durable.
type Send func(ctx context.Context, events ...lake.Event) error

// Trainer is a lake and a provider.
type Trainer struct {
	Lake     *lake.Lake
	Provider Provider
	Send     Send
	Price    *float64 // USD a million trained tokens; nil: not known
	Clock    retry.Clock
	Logger   *slog.Logger
	Progress func(what string, done, of int64) // bytes of an upload; may be nil
	// Settle is how long after an order of unknown fate the job may still turn up
	// in the provider's list; 0: 30 s.
	Settle time.Duration
	// Poll is the time between two looks; 0: 20 s.
	Poll time.Duration
}

func (t *Trainer) settle() time.Duration {
	if t.Settle > 0 {
		return t.Settle
	}
	return 30 * time.Second
}

func (t *Trainer) poll() time.Duration {
	if t.Poll > 0 {
		return t.Poll
	}
	return 20 * time.Second
}
