package bundle_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/registry"
	"github.com/weir-lake/weir/registry/bundle"
)

const minimal = "You are the harbour's \"clerk\"; be brief.\nSay | and <b>."

// endpoint serves chat completions as a model, and keeps what it was asked.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	model  string
	status int
	adds   int // tokens of a prompt that it puts before what it is sent
	bodies []string
	keys   []string
}

func newEndpoint(t *testing.T, model string) *endpoint {
	e := &endpoint{model: model, status: http.StatusOK}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/chat/completions" {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		e.bodies, e.keys = append(e.bodies, string(body)), append(e.keys, r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(e.status)
		fmt.Fprintf(w, `{"id": "c1", "object": "chat.completion", "model": %q, "choices": [{"index": 0, "message": {"role": "assistant", "content": "\"model\": \"none\""}}], "usage": {"prompt_tokens": %d}}`,
			e.model, 30+e.adds)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) base() string { return e.URL + "/v1" }

// export is a folder of four training lines, three of which have the prompt.
func export(t *testing.T) (dir, hash string) {
	t.Helper()
	dir = t.TempDir()
	var train strings.Builder
	for i := range 4 {
		prompt := minimal
		if i == 3 {
			prompt = "Another."
		}
		line, err := json.Marshal(map[string]any{"messages": []map[string]string{{"role": "system", "content": prompt}, {"role": "user", "content": fmt.Sprint(i)}}})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&train, "%s\n", line)
	}
	sum := sha256.Sum256([]byte(train.String()))
	manifest, err := json.Marshal(exporters.Manifest{
		Target: "openai", ContentHash: "files-1", Files: []exporters.File{{Name: "train.jsonl", Split: "train", Lines: 4, SHA256: hex.EncodeToString(sum[:])}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"train.jsonl": train.String(), "manifest.json": string(manifest), exporters.DistillFile: "name: short\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, "files-1"
}

// world is a lake with one model, tuned:1, that a suite has asked.
func world(t *testing.T, exportHash string) (*lake.Lake, registry.Model) {
	t.Helper()
	lk := laketest.New(t)
	at := laketest.Start
	yes, no := true, false
	laketest.Append(t, lk,
		lake.Event{ID: "r1", Source: "test://", Type: "weir.training.state.v1", Subject: "training:run-1", Time: at, Data: &lake.TrainingRun{
			RunID: "run-1", Provider: "trl", BaseModel: "base|1", ResultModel: "tuned:1", State: "succeeded", ExportHash: exportHash, Dataset: "d", DatasetVersion: "v",
		}},
		lake.Event{ID: "e1", Source: "test://", Type: "weir.eval.result.v1", Subject: "s1", Time: at, Data: &lake.EvalResult{Suite: "rules", ScenarioID: "s1", Model: "tuned:1", Metric: "judge", Passed: &yes}},
		lake.Event{ID: "e2", Source: "test://", Type: "weir.eval.result.v1", Subject: "s2", Time: at, Data: &lake.EvalResult{Suite: "rules", ScenarioID: "s2", Model: "tuned:1", Metric: "judge", Passed: &no}},
		lake.Event{ID: "e3", Source: "test://", Type: "weir.eval.result.v1", Subject: "s3", Time: at, Data: &lake.EvalResult{Suite: "rules", ScenarioID: "s3", Model: "tuned:1", Metric: "judge", Error: "timeout"}},
	)
	m, err := registry.Find(t.Context(), lk, "tuned:1")
	if err != nil {
		t.Fatal(err)
	}
	return lk, m
}

func TestBundleInstalls(t *testing.T) {
	dir, hash := export(t)
	lk, m := world(t, hash)
	server := newEndpoint(t, "tuned:1")
	out := filepath.Join(t.TempDir(), "bundle")
	opts := bundle.Options{Model: m, Dir: out, Export: dir, BaseURL: server.base(), KeyName: "TEST_KEY"}
	b, err := bundle.Write(t.Context(), lk, opts)
	if err != nil {
		t.Fatal(err)
	}
	if b.Prompt != minimal || b.Share != 0.75 || len(b.Evals) != 1 || b.Evals[0].Passed != 1 || b.Evals[0].Judged != 2 || b.Evals[0].Errors != 1 {
		t.Errorf("%+v", b)
	}
	first := contents(t, out)
	if _, err := bundle.Write(t.Context(), lk, opts); err != nil { // over itself
		t.Fatal(err)
	}
	if again := contents(t, out); again != first {
		t.Error("the same again has other bytes")
	}

	r, err := bundle.Check(t.Context(), out, bundle.CheckOptions{Key: "k-1"})
	if err != nil || len(r.Findings) > 0 || r.Answered != "tuned:1" || r.Files != 10 {
		t.Errorf("%+v, %v", r, err)
	}
	runScript(t, out, "k-1", true, "answers as tuned:1")
	if len(server.bodies) != 2 || strings.TrimSpace(server.bodies[1]) != strings.TrimSpace(server.bodies[0]) || server.keys[1] != "Bearer k-1" {
		t.Fatalf("the script sent %q with %q", server.bodies, server.keys)
	}
	var sent struct {
		Messages []struct{ Role, Content string }
	}
	if err := json.Unmarshal([]byte(server.bodies[1]), &sent); err != nil || sent.Messages[0].Content != minimal || sent.Messages[0].Role != "system" {
		t.Errorf("sent %q, %v", server.bodies[1], err)
	}

	var proxy struct {
		Models []struct {
			Name   string            `yaml:"model_name"`
			Params map[string]string `yaml:"litellm_params"`
		} `yaml:"model_list"`
	}
	if err := yaml.Unmarshal([]byte(read(t, out, bundle.LiteLLMFile)), &proxy); err != nil || proxy.Models[0].Name != "production" || proxy.Models[0].Params["model"] != "openai/tuned:1" {
		t.Errorf("%+v, %v", proxy, err)
	}
}

// Whatever is wrong with an installation is found: by weir, and by the script
// what that can see.
func TestCheckFinds(t *testing.T) {
	dir, hash := export(t)
	lk, m := world(t, hash)
	rewrite := func(name, old, fresh string) func(*testing.T, *endpoint, string) {
		return func(t *testing.T, _ *endpoint, out string) {
			if err := os.WriteFile(filepath.Join(out, name), []byte(strings.Replace(read(t, out, name), old, fresh, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	cases := map[string]struct {
		harm   func(*testing.T, *endpoint, string)
		want   string
		script bool // passes
	}{
		"another_model_answers": {func(_ *testing.T, e *endpoint, _ string) { e.model = "base|1" }, `answers as "base|1", not as "tuned:1"`, false},
		"it_is_down":            {func(_ *testing.T, e *endpoint, _ string) { e.status = 503 }, "status 503", false},
		"a_proxy_adds_a_prompt": {func(_ *testing.T, e *endpoint, _ string) { e.adds = 5000 }, "something on the way adds to the prompt", true},
		"a_file_was_changed":    {rewrite(bundle.EvalsFile, `"passed": 1`, `"passed": 2`), "evals.json was changed", false},
		"another_prompt_is_set": {rewrite(bundle.ConfigFile, "be brief", "be long"), "another system prompt", false},
		"a_file_is_missing": {func(t *testing.T, _ *endpoint, out string) {
			if err := os.Remove(filepath.Join(out, bundle.ModelFile)); err != nil {
				t.Fatal(err)
			}
		}, "model.json is missing", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			server := newEndpoint(t, "tuned:1")
			out := filepath.Join(t.TempDir(), "bundle")
			if _, err := bundle.Write(t.Context(), lk, bundle.Options{Model: m, Dir: out, Export: dir, BaseURL: server.base(), KeyName: "TEST_KEY"}); err != nil {
				t.Fatal(err)
			}
			c.harm(t, server, out)
			r, err := bundle.Check(t.Context(), out, bundle.CheckOptions{Key: "k-1"})
			if err != nil || !strings.Contains(strings.Join(r.Findings, "\n"), c.want) {
				t.Errorf("findings %q, %v; want %q", r.Findings, err, c.want)
			}
			runScript(t, out, "k-1", c.script, "")
		})
	}
}

// The rules make the bundle's prompt of the long one, or that is found.
func TestCheckAppliesTheRules(t *testing.T) {
	dir, hash := export(t)
	lk, m := world(t, hash)
	out := filepath.Join(t.TempDir(), "bundle")
	if _, err := bundle.Write(t.Context(), lk, bundle.Options{Model: m, Dir: out, Export: dir, BaseURL: "http://localhost:1/v1", KeyName: "TEST_KEY"}); err != nil {
		t.Fatal(err)
	}
	long := minimal + " And much else."
	shorten := func(by string) func(rules, request []byte) ([]byte, error) {
		return func(rules, request []byte) ([]byte, error) {
			if string(rules) != "name: short\n" {
				return nil, errors.New("other rules")
			}
			return []byte(strings.Replace(string(request), by, "", 1)), nil
		}
	}
	for by, want := range map[string]int{" And much else.": 0, " And much": 1} {
		r, err := bundle.Check(t.Context(), out, bundle.CheckOptions{Offline: true, FullPrompt: long, Shorten: shorten(by)})
		if err != nil || len(r.Findings) != want {
			t.Errorf("%q: findings %q, %v", by, r.Findings, err)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	dir, hash := export(t)
	lk, m := world(t, hash)
	other, failed := m, m
	other.ExportHash = "files-2"
	failed.Status = "failed"
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	good := bundle.Options{Model: m, Dir: filepath.Join(t.TempDir(), "b"), Export: dir, BaseURL: "http://localhost:1/v1", KeyName: "K"}
	with := func(change func(*bundle.Options)) bundle.Options {
		opts := good
		change(&opts)
		return opts
	}
	for name, c := range map[string]struct {
		opts bundle.Options
		want string
	}{
		"another_export": {with(func(o *bundle.Options) { o.Model = other }), "not what the model was trained on"},
		"a_failed_run":   {with(func(o *bundle.Options) { o.Model = failed }), "made no model"},
		"foreign_folder": {with(func(o *bundle.Options) { o.Dir = foreign }), "holds something else"},
		"code_as_name":   {with(func(o *bundle.Options) { o.KeyName = "K;rm" }), "no name of a variable"},
		"no_url":         {with(func(o *bundle.Options) { o.BaseURL = "localhost:8000" }), "want http(s)://HOST"},
	} {
		if _, err := bundle.Write(t.Context(), lk, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// runScript runs the bundle's own test.
func runScript(t *testing.T, dir, key string, pass bool, want string) {
	t.Helper()
	for _, tool := range []string{"sh", "curl", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool + " here")
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	command := exec.CommandContext(ctx, "sh", filepath.Join(dir, bundle.TestFile))
	command.Env = append(os.Environ(), "TEST_KEY="+key, "no_proxy=127.0.0.1,localhost")
	out, err := command.CombinedOutput()
	if (err == nil) != pass || !strings.Contains(string(out), want) {
		t.Errorf("install_test.sh: %v\n%s", err, out)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// contents are all files of a folder, as one text.
func contents(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, entry := range entries {
		fmt.Fprintf(&all, "== %s\n%s\n", entry.Name(), read(t, dir, entry.Name()))
	}
	return all.String()
}
