package train_test

import (
	"testing"

	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/localserver"
)

func TestOtherEnds(t *testing.T) {
	dir := export(t, 3, 0)
	failing := newWorld(t, localserver.Options{States: []string{"validating_files", "running", "paused", "running", "failed"}})
	r, err := run(t.Context(), failing.trainer(nil, nil), plan(dir))
	if err != nil || r.State != train.Failed || r.Error != "diverged: the loss is not a number" {
		t.Errorf("%+v, %v", r, err)
	}
	if got := failing.states(); got != "planned submitted running running failed" {
		t.Errorf("states %s", got)
	}

	stopped := newWorld(t, localserver.Options{})
	tr := stopped.trainer(nil, nil)
	if r, err = tr.Submit(t.Context(), plan(dir)); err != nil {
		t.Fatal(err)
	}
	if r, err = tr.Cancel(t.Context(), r); err != nil || r.State != train.Cancelled {
		t.Errorf("%+v, %v", r, err)
	}
	if got := stopped.states(); got != "planned submitted cancelled" {
		t.Errorf("states %s", got)
	}
}
