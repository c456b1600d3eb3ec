package train_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/api"
	"github.com/weir-lake/weir/train/localserver"
	"github.com/weir-lake/weir/train/openai"
)

// What fails on the way, at one kind of request: the outcome, and never two jobs.
func TestFaults(t *testing.T) {
	const order, upload, look, list = "POST fine_tuning/jobs", "POST files", "GET fine_tuning/jobs/{id}", "GET fine_tuning/jobs"
	cases := []struct {
		name  string
		kind  string
		fault localserver.Fault
		times int // 0: always
		fails bool
		jobs  int
	}{
		{name: "order throttled", kind: order, fault: localserver.Fault{Status: 429, RetryAfter: "7"}, times: 3, jobs: 1},
		{name: "order refused", kind: order, fault: localserver.Fault{Status: 400}, times: 1, fails: true},
		{name: "order may have failed", kind: order, fault: localserver.Fault{Status: 500}, times: 1, fails: true},
		{name: "order broke off", kind: order, fault: localserver.Fault{BreakOff: true}, times: 1, fails: true},
		{name: "answer to the order lost", kind: order, fault: localserver.Fault{Lost: true}, times: 1, jobs: 1},
		{name: "answer to the upload lost", kind: upload, fault: localserver.Fault{Lost: true}, times: 1, jobs: 1},
		{name: "upload broke off", kind: upload, fault: localserver.Fault{BreakOff: true}, times: 2, jobs: 1},
		{name: "upload fails", kind: upload, fault: localserver.Fault{Status: 502}, fails: true},
		{name: "list fails", kind: list, fault: localserver.Fault{Status: 503}, times: 2, jobs: 1},
		{name: "wrong key", kind: list, fault: localserver.Fault{Status: 401}, fails: true},
		{name: "provider is away while we watch", kind: look, fault: localserver.Fault{Status: 503}, times: 20, jobs: 1},
		{name: "job is gone", kind: look, fault: localserver.Fault{Status: 404}, fails: true, jobs: 1},
	}
	dir := export(t, 3, 0)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, localserver.Options{Fault: func(kind string, n int) localserver.Fault {
				if kind == c.kind && (c.times == 0 || n < c.times) {
					return c.fault
				}
				return localserver.Fault{}
			}})
			r, err := run(t.Context(), w.trainer(nil, nil), plan(dir))
			if (err != nil) != c.fails || len(w.server.Jobs()) != c.jobs {
				t.Fatalf("%d jobs, %v", len(w.server.Jobs()), err)
			}
			if err == nil && (r.State != train.Succeeded || len(w.column("select distinct id from events.training_runs")) != 20) {
				t.Errorf("%s, %s", r.State, w.states())
			}
			if err != nil && (strings.Contains(err.Error(), "k-test") || !strings.HasPrefix(err.Error(), "train ")) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestStuckOrderTimesOut(t *testing.T) {
	w := newWorld(t, localserver.Options{Fault: func(kind string, n int) localserver.Fault {
		return localserver.Fault{Stuck: kind == "POST fine_tuning/jobs" && n == 0}
	}})
	client, err := api.New(api.Options{BaseURL: w.server.BaseURL(), Clock: w.clock, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	tr := w.trainer(nil, nil)
	tr.Provider = openai.New(client)
	if r, err := tr.Submit(t.Context(), plan(export(t, 3, 0))); err != nil || r.JobID != "ftjob-1" || len(w.server.Jobs()) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
