package train_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/localserver"
)

// killer cuts a process off at its n-th touch of the world, when the work is
// done and before it hears of it.
type killer struct {
	mu     sync.Mutex
	left   int
	cancel context.CancelFunc
}

var errKilled = errors.New("killed")

func (k *killer) now() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left--; k.left >= 0 {
		return nil
	}
	k.cancel()
	return errKilled
}

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.left < 0 {
		return nil, errKilled
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := k.now(); err != nil {
		response.Body.Close()
		return nil, err
	}
	return response, nil
}

// places counts where a life can be killed.
func places(t *testing.T, opts localserver.Options, life func(context.Context, *train.Trainer) error) int {
	t.Helper()
	const enough = 1 << 20
	w := newWorld(t, opts)
	k := &killer{left: enough, cancel: func() {}}
	if err := life(t.Context(), w.trainer(k, k.now)); err != nil {
		t.Fatal(err)
	}
	return enough - k.left
}

// Whenever the process is killed, and the command is given again: one job, and
// every event once.
func TestKilledAnywhere(t *testing.T) {
	dir := export(t, 3, 0)
	// The list is behind: a job shows at the third look.
	opts := localserver.Options{HideJobs: 2, States: []string{"queued", "running", "succeeded"}}
	life := func(ctx context.Context, tr *train.Trainer) error {
		_, err := run(ctx, tr, plan(dir))
		return err
	}
	all := places(t, opts, life)
	if all < 15 {
		t.Fatalf("only %d places to be killed at", all)
	}
	for n := range all {
		t.Run(fmt.Sprint("at ", n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, opts)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			k := &killer{left: n, cancel: cancel}
			if err := life(ctx, w.trainer(k, k.now)); err == nil {
				t.Error("it was not killed")
			}
			r, err := run(t.Context(), w.trainer(nil, nil), plan(dir))
			if err != nil {
				t.Fatal(err)
			}
			// Five events and a checkpoint of the provider, and at least these states.
			const query = "select string_agg(state, ' ' order by time, id) || ' | ' || count(*) || ' ' || count(distinct id) || ' ' || count(*) filter (where state is null) from events.training_runs"
			states, counts, _ := strings.Cut(w.column(query)[0], " | ")
			told := strings.Fields(counts)
			if len(w.server.Jobs()) != 1 || told[0] != told[1] || told[2] != "6" || r.State != train.Succeeded || !strings.HasPrefix(states, "planned submitted ") {
				t.Errorf("%d jobs, events %v, %s", len(w.server.Jobs()), told, states)
			}
		})
	}
}

// A submission that is killed anywhere, and given again: one job, each provider's.
func TestKilledWhileSubmitting(t *testing.T) {
	for _, provider := range []string{"azure", "fireworks", "mistral"} {
		dir := exportFor(t, provider, 3, 0)
		opts := localserver.Options{Provider: provider, HideJobs: 1}
		life := func(ctx context.Context, tr *train.Trainer) error {
			_, err := tr.Submit(ctx, plan(dir))
			return err
		}
		for n := range places(t, opts, life) {
			t.Run(fmt.Sprint(provider, " at ", n), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, opts)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				k := &killer{left: n, cancel: cancel}
				if err := life(ctx, w.trainer(k, k.now)); err == nil {
					t.Error("it was not killed")
				}
				err := life(t.Context(), w.trainer(nil, nil))
				if err != nil && !errors.Is(err, train.ErrSubmitted) || len(w.server.Jobs()) != 1 {
					t.Errorf("%d jobs, %v", len(w.server.Jobs()), err)
				}
			})
		}
	}
}
