package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/weir-lake/weir/lake"
)

// Artifact is a checkpoint, or the resulting weights, of a run.
type Artifact struct {
	RunID     string     `json:"run_id"`
	Model     string     `json:"model,omitempty"`
	Kind      string     `json:"kind"`  // weights or checkpoint
	Place     string     `json:"place"` // folder, URI, or the provider's name of it
	Step      *int64     `json:"step,omitempty"`
	Hash      string     `json:"sha256,omitempty"`
	Bytes     *int64     `json:"bytes,omitempty"`
	KeepUntil *time.Time `json:"keep_until,omitempty"`
	MayGo     bool       `json:"may_go"` // nothing asks that it be kept
	Why       string     `json:"why"`    // it may go, or stays
}

// Artifacts lists where checkpoints and weights lie, in the order of the runs,
// and whether they may be deleted at a time. It deletes nothing: most lie where
// weir has no business. A promoted model's stay whatever their date says.
func Artifacts(ctx context.Context, lk *lake.Lake, now time.Time) (_ []Artifact, err error) {
	session, err := Open(ctx, lk)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	models, err := read(ctx, session)
	if err != nil {
		return nil, fmt.Errorf("model weights: %w", err)
	}
	rows, err := session.DB().QueryContext(ctx, `
with kept as (
    select
        coalesce(run_id, job_id, subject_id) as run_id,
        weights is null as is_checkpoint,
        coalesce(weights, checkpoint) as artifact,
        step,
        artifact_hash,
        artifact_bytes,
        keep_until,
        (occurred_at, event_id) as place,

    from curated.training

    where weights is not null or checkpoint is not null
)

select
    run_id, is_checkpoint, artifact, max(step), coalesce(arg_max(artifact_hash, place), ''), arg_max(artifact_bytes, place), arg_max(keep_until, place)

from kept

group by run_id, is_checkpoint, artifact

order by is_checkpoint, max(step) desc, artifact`)
	if err != nil {
		return nil, fmt.Errorf("model weights: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	byRun := map[string][]Artifact{}
	for rows.Next() {
		a := Artifact{Kind: "weights"}
		var isCheckpoint bool
		var keep sql.NullTime
		if err := rows.Scan(&a.RunID, &isCheckpoint, &a.Place, &a.Step, &a.Hash, &a.Bytes, &keep); err != nil {
			return nil, fmt.Errorf("model weights: %w", err)
		}
		if isCheckpoint {
			a.Kind = "checkpoint"
		}
		a.KeepUntil = timeOf(keep)
		byRun[a.RunID] = append(byRun[a.RunID], a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("model weights: %w", err)
	}
	list := []Artifact{}
	for _, m := range models {
		hasWeights := slices.ContainsFunc(byRun[m.RunID], func(a Artifact) bool { return a.Kind == "weights" })
		for _, a := range byRun[m.RunID] {
			a.Model = m.ResultModel
			a.MayGo, a.Why = m.mayGo(a, hasWeights, now)
			list = append(list, a)
		}
	}
	return list, nil
}

// mayGo tells whether nothing asks that an artifact be kept, and why.
func (m Model) mayGo(a Artifact, hasWeights bool, now time.Time) (bool, string) {
	final := m.Status == "succeeded" || m.Status == "failed" || m.Status == "cancelled"
	switch {
	case m.Standing == "promoted":
		return false, "the model is promoted"
	case a.KeepUntil != nil && now.Before(*a.KeepUntil):
		return false, "to be kept until " + a.KeepUntil.Format(time.DateOnly)
	case !final:
		return false, "the run has not ended"
	case a.KeepUntil != nil:
		return true, "kept until " + a.KeepUntil.Format(time.DateOnly)
	case m.Standing == "retired":
		return true, "the model is retired"
	case m.Status != "succeeded":
		return true, "the run was " + m.Status
	case a.Kind == "checkpoint" && (hasWeights || a.Place != m.LastCheckpoint):
		return true, "the run went on from it"
	case m.Standing == "superseded":
		return false, "superseded: it is what to go back to"
	}
	return false, "nobody has decided on the model"
}

// Kept is what Keep puts on record of a run's weights, or of a checkpoint.
type Kept struct {
	Model      string // as Find takes it
	Place      string // folder, file or URI; of a local one hash and size are read
	Hash       string // sha256, where the place is not local
	Checkpoint bool   // it is a checkpoint, not the resulting weights
	Step       *int64
	KeepUntil  *time.Time
}

// Keep records where a run's weights lie, their hash, and until when they are to
// be kept. The latest counts.
func Keep(ctx context.Context, lk *lake.Lake, send Send, k Kept, at time.Time) (Artifact, error) {
	a, err := keep(ctx, lk, send, k, at)
	if err != nil {
		return a, fmt.Errorf("model weights: %w", err)
	}
	return a, nil
}

func keep(ctx context.Context, lk *lake.Lake, send Send, k Kept, at time.Time) (Artifact, error) {
	m, err := Find(ctx, lk, k.Model)
	if err != nil {
		return Artifact{}, err
	}
	a := Artifact{RunID: m.RunID, Model: m.ResultModel, Kind: "weights", Place: k.Place, Step: k.Step, Hash: k.Hash, KeepUntil: k.KeepUntil}
	if _, err := os.Stat(k.Place); err == nil {
		hash, size, err := HashTree(ctx, k.Place)
		if err != nil {
			return a, err
		}
		if k.Hash != "" && k.Hash != hash {
			return a, fmt.Errorf("%s has the hash %s, not %s", k.Place, hash, k.Hash)
		}
		if a.Place, err = filepath.Abs(k.Place); err != nil {
			return a, err
		}
		a.Hash, a.Bytes = hash, &size
	} else if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	change := &lake.TrainingRun{
		RunID: m.RunID, JobID: m.JobID, Provider: m.Provider, BaseModel: m.BaseModel, Dataset: m.Dataset, DatasetVersion: m.DatasetVersion,
		DatasetHash: m.DatasetHash, Method: m.Method, Phase: m.Phase, Plan: m.Plan, ExportHash: m.ExportHash, DistillHash: m.DistillHash,
		Step: k.Step, ArtifactHash: a.Hash, ArtifactBytes: a.Bytes, KeepUntil: k.KeepUntil,
	}
	if k.Checkpoint {
		a.Kind, change.Checkpoint = "checkpoint", a.Place
	} else {
		change.Weights = a.Place
	}
	at = at.UTC().Truncate(time.Microsecond)
	return a, send(ctx, lake.Event{
		ID:     lake.StableID("training-run", m.RunID, "kept", a.Kind, a.Place, at.Format(time.RFC3339Nano)),
		Source: "weir://model", Type: "weir.training.state.v1", Subject: "training:" + m.RunID, Time: at, Data: change,
	})
}

// HashTree is the sha256 of a file, or of a folder: over a line a file, its
// sha256, two blanks and its name with slashes, in the order of the names. It is
// what `find . -type f | sort | xargs sha256sum | sha256sum` gives in the folder
// in the C locale, without the names' "./". Links are not followed.
func HashTree(ctx context.Context, path string) (hash string, size int64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", 0, err
	}
	if !info.IsDir() {
		return lake.HashFile(path)
	}
	var names []string
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			name, err = filepath.Rel(path, name)
			names = append(names, filepath.ToSlash(name))
		}
		return errors.Join(err, ctx.Err())
	})
	if err != nil {
		return "", 0, err
	}
	slices.Sort(names)
	all := sha256.New()
	for _, name := range names {
		one, n, err := lake.HashFile(filepath.Join(path, filepath.FromSlash(name)))
		if err = errors.Join(err, ctx.Err()); err != nil {
			return "", 0, err
		}
		size += n
		fmt.Fprintf(all, "%s  %s\n", one, name)
	}
	return hex.EncodeToString(all.Sum(nil)), size, nil
}
