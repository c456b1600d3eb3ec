package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weir-lake/weir/augment/llm/llmtest"
	"github.com/weir-lake/weir/train/localserver"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"weir": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			code := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
			stop()
			os.Exit(code)
		},
	})
}

// TestScripts runs the commands end to end: testdata/script/*.txtar.
// UPDATE=1 rewrites the expected output in them.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("WEIR_LAKE", "")
			env.Setenv("TZ", "America/New_York") // nothing may depend on the zone
			server := llmtest.New(newFakeModel())
			env.Defer(server.Close)
			env.Values[modelServer] = server
			env.Setenv("WEIR_LLM_URL", server.BaseURL())
			env.Setenv("WEIR_LLM_KEY", "k-script")
			provider := localserver.New(localserver.Options{Key: "k-train", Fault: stuckOnce})
			env.Defer(provider.Close)
			env.Values[jobServer] = provider
			env.Setenv("WEIR_TRAIN_URL", provider.BaseURL())
			env.Setenv("WEIR_TRAIN_KEY", "k-train")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"asked": asked, "ordered": ordered, "leak": plantLeak},
	})
}

// Where a script's environment keeps its servers.
const (
	modelServer = "model server"
	jobServer   = "job server"
)

// stuckOnce: the provider takes the first order, and does not answer; nor does
// it when it is asked for a job's events the second time.
func stuckOnce(kind string, n int) localserver.Fault {
	return localserver.Fault{Stuck: kind == "POST fine_tuning/jobs" && n == 0 || kind == "GET fine_tuning/jobs/{id}/events" && n == 1}
}

// ordered JOBS KIND N waits until the provider was asked N times or more, and
// fails if it then has not just so many jobs.
func ordered(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: ordered JOBS KIND N")
	}
	jobs, err := strconv.Atoi(args[0])
	ts.Check(err)
	least, err := strconv.Atoi(args[2])
	ts.Check(err)
	server, ok := ts.Value(jobServer).(*localserver.Server)
	if !ok {
		ts.Fatalf("the script has no job server")
	}
	for end := time.Now().Add(time.Minute); server.Asked(args[1]) < least || len(server.Jobs()) < jobs; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("%s came %d times, and there are %d jobs", args[1], server.Asked(args[1]), len(server.Jobs()))
		}
	}
	if got := len(server.Jobs()); got != jobs {
		ts.Fatalf("%d jobs, want %d", got, jobs)
	}
}

// asked MODEL N waits until the model was asked N times, and fails if it is
// asked more often.
func asked(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: asked MODEL N")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	server, ok := ts.Value(modelServer).(*llmtest.Server)
	if !ok {
		ts.Fatalf("the script has no model server")
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		got := 0
		for _, request := range server.Requests() {
			if request.Model == args[0] {
				got++
			}
		}
		switch {
		case got > want || time.Now().After(end):
			ts.Fatalf("%s was asked %d times, want %d", args[0], got, want)
		case got == want:
			return
		}
	}
}

// newFakeModel is fakeModel with one that answers three times and then sits
// over the next question until whoever asks is gone: stuck.
func newFakeModel() func(int, llmtest.Request) llmtest.Reply {
	var mu sync.Mutex
	answers := map[string]int{} // of the models called stuck…
	return func(n int, r llmtest.Request) llmtest.Reply {
		reply := fakeModel(n, r)
		if strings.HasPrefix(r.Model, "stuck") {
			mu.Lock()
			defer mu.Unlock()
			if answers[r.Model]++; answers[r.Model] == 4 {
				reply.Delay = time.Minute
			}
		}
		return reply
	}
}

// fakeModel answers what augment and judge ask. The model's name says how it
// behaves: fine, mumbling (no JSON), hurried (throttles every second request).
func fakeModel(n int, r llmtest.Request) llmtest.Reply {
	if r.Model == "mumbling" {
		return llmtest.Reply{Text: "I would say it is about a 4."}
	}
	if r.Model == "hurried" && n%2 == 0 {
		return llmtest.Reply{Status: 429, RetryAfter: "0.01", Text: "slow down"}
	}
	system, user := r.Messages[0].Content, r.Messages[1].Content
	reply := map[string]any{"reasons": "it helps", "score": 4, "better": "A"} // A both times: the places decide, so it is even
	if strings.Contains(system, "reword") {
		_, request, _ := strings.Cut(user, "\n\n")
		reply = map[string]any{"request": "If you would: " + request}
	}
	if strings.Contains(system, "You write training conversations") {
		_, section, _ := strings.Cut(user, "The text:")
		sum := sha256.Sum256([]byte(section))
		reply = map[string]any{"messages": []map[string]string{
			{"role": "user", "content": fmt.Sprintf("What about %x?", sum[:8])}, {"role": "assistant", "content": fmt.Sprintf("Let me look at %x before I say more.", sum[8:16])},
		}}
	}
	text, err := json.Marshal(reply)
	if err != nil {
		return llmtest.Reply{Status: 500, Text: err.Error()}
	}
	return llmtest.Reply{Text: string(text)}
}
