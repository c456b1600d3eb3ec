package train_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/localserver"
	"github.com/weir-lake/weir/train/trainerlog"
)

// A log that is recorded as it grows is there once, entry by entry.
func TestRecordLog(t *testing.T) {
	w := &world{t: t, lake: laketest.New(t)}
	sent := 0
	send := func(_ context.Context, events ...lake.Event) error {
		sent += len(events)
		laketest.Append(t, w.lake, events...)
		return nil
	}
	cost := 4.5
	local := train.Local{CostUSD: &cost, Run: train.Run{
		RunID: "january", Provider: "trl", BaseModel: "small-1b", ResultModel: "models/january", Config: `{"epochs":3}`, Dataset: "export-trl", DatasetVersion: "v", Method: "sft",
	}}
	at := localserver.Start
	log := trainerlog.Log{
		Step: 10, MaxSteps: 20, At: at, Steps: []trainerlog.Step{{Step: 10, Metrics: json.RawMessage(`{"loss":1.5,"step":10}`)}},
		Checkpoints: []trainerlog.Checkpoint{{Path: "out/checkpoint-10", Step: 10, At: at.Add(time.Hour)}}, // copied later
	}
	for range 2 {
		if _, err := train.RecordLog(t.Context(), w.lake, send, local, log); err != nil {
			t.Fatal(err)
		}
	}
	if sent != 3 {
		t.Errorf("%d events, want an entry, a checkpoint and a state", sent)
	}
	tokens := int64(900)
	log.Step, log.Ended, log.Tokens, log.At = 20, true, &tokens, at.Add(time.Minute)
	log.Steps = slices.Concat(log.Steps, []trainerlog.Step{{Step: 20, Metrics: json.RawMessage(`{"loss":0.5,"step":20}`)}})
	if _, err := train.RecordLog(t.Context(), w.lake, send, local, log); err != nil {
		t.Fatal(err)
	}
	r, err := train.Find(t.Context(), w.lake, "january")
	if err != nil || r.State != train.Succeeded || r.ResultModel != "models/january" || r.Config != `{"epochs":3}` || *r.TrainedTokens != 900 || *r.CostUSD != 4.5 || r.Events != 5 || r.Checkpoints != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if got := w.states(); got != "running succeeded" {
		t.Errorf("states %s", got)
	}
	local.Run.BaseModel = "large-9b"
	if _, err := train.RecordLog(t.Context(), w.lake, send, local, log); err == nil || sent != 5 {
		t.Errorf("another run under the same name: %v", err)
	}
	local.State = "resting"
	if _, err := train.RecordLog(t.Context(), w.lake, send, local, log); err == nil {
		t.Error("an unknown state was taken")
	}
}
