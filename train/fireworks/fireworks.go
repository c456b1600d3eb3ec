// Package fireworks is Fireworks AI's managed fine-tuning as a provider. Facts
// are of the Python client 1.2.30, which is made from the published description.
// Start at New.
//
// Data sets and jobs bear names of the client's choice, and a second one of a
// name is refused: what is ordered twice is there once, whatever the line did.
package fireworks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/api"
)

const (
	suffixLimit = 40
	pageSize    = 200
	// uploadLimit is what one request may bring.
	uploadLimit = 150 << 20
	largestRank = 32
	// namePrefix and a run's id are the name of its job.
	namePrefix = "weir-"

	sftJobs = "supervisedFineTuningJobs"
	dpoJobs = "dpoJobs"
)

// BaseURL is an account's.
func BaseURL(account string) string {
	return "https://api.fireworks.ai/v1/accounts/" + url.PathEscape(account)
}

// Provider is train.Provider. It is safe for concurrent use.
type Provider struct{ client *api.Client }

// New is the provider behind a client, whose base URL is an account's.
func New(client *api.Client) *Provider { return &Provider{client: client} }

// Name is fireworks.
func (*Provider) Name() string { return "fireworks" }

// SuffixLimit is how many characters a suffix may have.
func (*Provider) SuffixLimit() int { return suffixLimit }

// Billed is train.Provider: the tokens of the training set, each epoch.
func (*Provider) Billed(epochs, train, _ int64) int64 { return epochs * train }

// Check refuses what the API does not take.
func (*Provider) Check(s train.Spec) error {
	h := s.Hyper
	switch {
	case s.Method != "sft" && s.Method != "dpo":
		return fmt.Errorf("fireworks: method %q: %w", s.Method, train.ErrUnsupported)
	case h.Seed != nil:
		return fmt.Errorf("fireworks: seed: %w", train.ErrUnsupported)
	case h.Epochs != nil && *h.Epochs < 1 || h.BatchSize != nil && *h.BatchSize < 1:
		return errors.New("fireworks: epochs and batch size: want 1 or more")
	case h.LearningRate != nil && *h.LearningRate <= 0:
		return fmt.Errorf("fireworks: learning rate %g: want one above 0", *h.LearningRate)
	case h.LoRARank != nil && (*h.LoRARank < 1 || *h.LoRARank > largestRank || *h.LoRARank&(*h.LoRARank-1) != 0):
		return fmt.Errorf("fireworks: LoRA rank %d: want a power of 2 up to %d", *h.LoRARank, largestRank)
	}
	for _, r := range s.Suffix {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return fmt.Errorf("fireworks: suffix %q: want lower-case letters, digits and hyphens", s.Suffix)
		}
	}
	return nil
}

type status struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (s *status) text() string {
	if s == nil || s.Code == "OK" {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(s.Code+": "+s.Message, ": "), ": ")
}

type wireDataset struct {
	Name   string  `json:"name"`
	State  string  `json:"state"`
	Status *status `json:"status"`
}

// file: a data set has the file's name without its ending.
func (w wireDataset) file() train.File {
	return train.File{ID: path.Base(w.Name), Name: path.Base(w.Name), Ready: w.State == "READY", Error: w.Status.text()}
}

// datasetID makes a name of a file's: letters, digits and hyphens.
func datasetID(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(strings.TrimSuffix(name, path.Ext(name))))
}

// FilesByName is train.Provider. A data set that is not ready counts as not
// sent: whether its file is on its way or was cut off is not told, and sending
// it again does no harm.
func (p *Provider) FilesByName(ctx context.Context, name string) ([]train.File, error) {
	file, err := p.File(ctx, datasetID(name))
	switch {
	case api.IsMissing(err):
		return nil, nil
	case err != nil:
		return nil, err
	case !file.Ready && file.Error == "":
		return nil, nil
	}
	return []train.File{file}, nil
}

// Upload is train.Provider: the data set is named, then its file is sent.
func (p *Provider) Upload(ctx context.Context, u train.Upload) (train.File, error) {
	if u.Bytes > uploadLimit {
		return train.File{}, lake.WithHint(fmt.Errorf("file %s: %d MiB: fireworks takes %d MiB in one request", u.Name, u.Bytes>>20, uploadLimit>>20),
			"a smaller set, or firectl create dataset")
	}
	id := datasetID(u.Name)
	order := map[string]any{"datasetId": id, "dataset": map[string]any{
		"displayName": u.Name, "format": "CHAT", "exampleCount": strconv.FormatInt(u.Lines, 10), "userUploaded": map[string]any{},
	}}
	if err := p.client.Post(ctx, "datasets", order, nil); err != nil && !api.IsConflict(err) {
		return train.File{}, err
	}
	err := p.client.Upload(ctx, "datasets/"+id+":upload", api.Form{Name: u.Name, Bytes: u.Bytes, Open: u.Open, Progress: u.Progress}, nil)
	if err != nil {
		return train.File{}, err
	}
	return p.File(ctx, id)
}

// File is train.Provider.
func (p *Provider) File(ctx context.Context, id string) (train.File, error) {
	var w wireDataset
	err := p.client.Get(ctx, "datasets/"+url.PathEscape(id), nil, &w)
	if err == nil && w.Name == "" {
		err = errors.New("reply names no data set")
	}
	return w.file(), err
}

type wireJob struct {
	Name           string      `json:"name"`
	BaseModel      string      `json:"baseModel"`
	Dataset        string      `json:"dataset"`
	State          string      `json:"state"`
	OutputModel    string      `json:"outputModel"`
	Status         *status     `json:"status"`
	CreateTime     time.Time   `json:"createTime"`
	CompletedTime  time.Time   `json:"completedTime"`
	UpdateTime     time.Time   `json:"updateTime"`
	Progress       *progress   `json:"jobProgress"`
	EstimatedCost  *money      `json:"estimatedCost"`
	TrainingConfig *wireConfig `json:"trainingConfig"` // where a DPO job says how it trains
}

type wireConfig struct {
	BaseModel   string `json:"baseModel"`
	OutputModel string `json:"outputModel"`
}

type progress struct {
	Percent int64 `json:"percent"`
	Epoch   int64 `json:"epoch"`
}

type money struct {
	Currency string      `json:"currencyCode"`
	Units    json.Number `json:"units"` // a string on the wire
	Nanos    int64       `json:"nanos"`
}

// job: its id is the last two parts of its name, because what it is decides
// where it is asked for. The cost is the provider's own estimate: it tells no
// other, and no tokens.
func (w wireJob) job() train.Job {
	if w.TrainingConfig != nil {
		w.BaseModel, w.OutputModel = w.TrainingConfig.BaseModel, w.TrainingConfig.OutputModel
	}
	kind, id := path.Split(w.Name)
	j := train.Job{
		ID: path.Join(path.Base(kind), id), Model: w.BaseModel, TrainingFile: path.Base(w.Dataset), Status: w.State, State: stateOf(w.State), CreatedAt: w.CreateTime.UTC(),
	}
	j.RunID, _ = strings.CutPrefix(id, namePrefix)
	if !train.IsFinal(j.State) {
		return j
	}
	j.FinishedAt = w.CompletedTime.UTC()
	if w.CompletedTime.IsZero() {
		j.FinishedAt = w.UpdateTime.UTC()
	}
	if j.State == train.Succeeded {
		j.ResultModel = w.OutputModel
	}
	if j.State == train.Failed {
		j.Error = w.Status.text()
		if j.Error == "" {
			j.Error = w.State
		}
	}
	if c := w.EstimatedCost; c != nil && c.Currency == "USD" {
		if units, err := strconv.ParseFloat(string(c.Units), 64); err == nil || c.Units == "" {
			usd := units + float64(c.Nanos)/1e9
			j.CostUSD = &usd
		}
	}
	return j
}

func stateOf(state string) string {
	switch strings.TrimPrefix(state, "JOB_STATE_") {
	case "CREATING", "PENDING", "VALIDATING", "RE_QUEUEING", "CREATING_INPUT_DATASET", "UNSPECIFIED", "":
		return train.Queued
	case "COMPLETED", "EARLY_STOPPED":
		return train.Succeeded
	case "FAILED", "EXPIRED":
		return train.Failed
	case "CANCELLED", "DELETING", "DELETING_CLEANING_UP":
		return train.Cancelled
	}
	return train.Running // WRITING_RESULTS, PAUSED, CANCELLING: it goes on
}

// Jobs is train.Provider: those of both kinds.
func (p *Provider) Jobs(ctx context.Context) ([]train.Job, error) {
	var jobs []train.Job
	for _, kind := range []string{sftJobs, dpoJobs} {
		query := url.Values{"pageSize": {strconv.Itoa(pageSize)}}
		for {
			var reply map[string]json.RawMessage
			if err := p.client.Get(ctx, kind, query, &reply); err != nil {
				return nil, err
			}
			var page []wireJob
			var next string
			if err := errors.Join(unmarshal(reply[kind], &page), unmarshal(reply["nextPageToken"], &next)); err != nil {
				return nil, fmt.Errorf("GET %s: reply: %w", kind, err)
			}
			for _, w := range page {
				jobs = append(jobs, w.job())
			}
			if next == "" || next == query.Get("pageToken") {
				break
			}
			query.Set("pageToken", next)
		}
	}
	slices.SortStableFunc(jobs, func(a, b train.Job) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return jobs, nil
}

func unmarshal(text json.RawMessage, out any) error {
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, out)
}

// Create is train.Provider. The job bears the run's name: of two orders one is
// taken, and the other refused.
func (p *Provider) Create(ctx context.Context, s train.Spec) (train.Job, error) {
	how := map[string]any{"baseModel": s.Model, "outputModel": s.Suffix}
	if s.Hyper.Epochs != nil {
		how["epochs"] = *s.Hyper.Epochs
	}
	if s.Hyper.BatchSize != nil {
		how["batchSizeSamples"] = *s.Hyper.BatchSize
	}
	if s.Hyper.LearningRate != nil {
		how["learningRate"] = *s.Hyper.LearningRate
	}
	if s.Hyper.LoRARank != nil {
		how["loraRank"] = *s.Hyper.LoRARank
	}
	kind, order, id := sftJobs, how, "supervisedFineTuningJobId"
	if s.Method == "dpo" {
		kind, order, id = dpoJobs, map[string]any{"trainingConfig": how}, "dpoJobId"
	}
	order["dataset"], order["displayName"] = p.datasetName(s.TrainingFile), s.Suffix
	if s.ValidationFile != "" && kind == sftJobs { // a DPO job takes none
		order["evaluationDataset"] = p.datasetName(s.ValidationFile)
	}
	var w wireJob
	err := p.client.PostQuery(ctx, kind, url.Values{id: {namePrefix + s.RunID}}, order, &w)
	if err == nil && w.Name == "" {
		err = fmt.Errorf("reply names no job: %w", api.ErrUnsure)
	}
	return w.job(), err
}

// datasetName is a data set's whole name: the account is the base URL's last
// part.
func (p *Provider) datasetName(id string) string {
	return "accounts/" + path.Base(p.client.BasePath()) + "/datasets/" + id
}

func (p *Provider) get(ctx context.Context, id string) (w wireJob, err error) {
	err = p.client.Get(ctx, id, nil, &w)
	if err == nil && w.State == "" {
		err = errors.New("reply has no state")
	}
	return w, err
}

// Job is train.Provider.
func (p *Provider) Job(ctx context.Context, id string) (train.Job, error) {
	w, err := p.get(ctx, id)
	return w.job(), err
}

// Cancel is train.Provider. The reply is empty; a look tells what is so.
func (p *Provider) Cancel(ctx context.Context, id string) (train.Job, error) {
	if err := p.client.Post(ctx, id+":cancel", map[string]any{}, nil); err != nil {
		return train.Job{}, err
	}
	return p.Job(ctx, id)
}

// Events is train.Provider. The API keeps none: what it tells is how far the
// job is, and each step of that is one.
func (p *Provider) Events(ctx context.Context, id string) ([]train.JobEvent, error) {
	w, err := p.get(ctx, id)
	if err != nil || w.Progress == nil {
		return nil, err
	}
	data, err := json.Marshal(map[string]int64{"percent": w.Progress.Percent, "epoch": w.Progress.Epoch})
	return []train.JobEvent{{ID: fmt.Sprintf("progress-%d-%d", w.Progress.Epoch, w.Progress.Percent), Data: data}}, err
}

// Checkpoints is train.Provider: the API lists none.
func (p *Provider) Checkpoints(context.Context, string) ([]train.Checkpoint, error) { return nil, nil }

var _ train.Provider = (*Provider)(nil)
