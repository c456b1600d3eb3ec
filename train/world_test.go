package train_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/api"
	"github.com/weir-lake/weir/train/fireworks"
	"github.com/weir-lake/weir/train/localserver"
	"github.com/weir-lake/weir/train/mistral"
	"github.com/weir-lake/weir/train/openai"
	"github.com/weir-lake/weir/train/together"
)

// clock passes only when somebody sleeps.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(max(d, 0))
	return ctx.Err()
}

// export makes a folder as weir export does for OpenAI: so many lines a side.
func export(t *testing.T, train, validation int) string {
	t.Helper()
	return exportFor(t, "openai", train, validation)
}

func exportFor(t *testing.T, target string, train, validation int) string {
	t.Helper()
	dir := t.TempDir()
	manifest := exporters.Manifest{
		Target: target, ContentHash: "files-1", Distill: &exporters.Distilled{DistillRules: exporters.DistillRules{Hash: "rules-1"}},
		Splits: []exporters.Split{{Split: "train", Tokens: 1_000_000}, {Split: "validation", Tokens: 500_000}},
	}
	for _, side := range []struct {
		name  string
		lines int
	}{{"train.jsonl", train}, {"validation.jsonl", validation}} {
		var text strings.Builder
		for i := range side.lines {
			fmt.Fprintf(&text, `{"messages":[{"role":"user","content":"question %d"},{"role":"assistant","content":"answer"}]}`+"\n", i)
		}
		sum := sha256.Sum256([]byte(text.String()))
		manifest.Files = append(manifest.Files, exporters.File{
			Name: side.name, Lines: int64(side.lines), Bytes: int64(text.Len()), SHA256: hex.EncodeToString(sum[:]),
		})
		write(t, filepath.Join(dir, side.name), text.String())
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "manifest.json"), string(text))
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func plan(dir string) train.Plan {
	epochs := int64(2)
	return train.Plan{
		Export: dir, Dataset: "export-openai", DatasetVersion: "0123456789abcdef", DatasetHash: "h", Model: "gpt-4o-mini",
		Method: "sft", Hyper: train.Hyper{Epochs: &epochs},
	}
}

// world is a lake and a server; a trainer of it is a process.
type world struct {
	t        *testing.T
	lake     *lake.Lake
	server   *localserver.Server
	provider string // empty: openai
	clock    *clock
}

func newWorld(t *testing.T, opts localserver.Options) *world {
	server := localserver.New(opts)
	t.Cleanup(server.Close)
	return &world{t: t, lake: laketest.New(t), server: server, provider: opts.Provider, clock: &clock{now: localserver.Start}}
}

func (w *world) trainer(transport http.RoundTripper, sent func() error) *train.Trainer {
	w.t.Helper()
	header := ""
	if w.provider == "azure" {
		header = openai.AzureKeyHeader
	}
	client, err := api.New(api.Options{
		BaseURL: w.server.BaseURL(), Key: "k-test", KeyHeader: header, Clock: w.clock, Timeout: 5 * time.Second, HTTP: &http.Client{Transport: transport},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	price := 3.0
	return &train.Trainer{
		Lake: w.lake, Provider: providerOf(w.provider, client), Price: &price, Clock: w.clock, Logger: slog.New(slog.DiscardHandler),
		Send: func(_ context.Context, events ...lake.Event) error {
			laketest.Append(w.t, w.lake, events...)
			if sent != nil {
				return sent()
			}
			return nil
		},
	}
}

func providerOf(name string, client *api.Client) train.Provider {
	switch name {
	case "azure":
		return openai.NewAzure(client)
	case "together":
		return together.New(client)
	case "fireworks":
		return fireworks.New(client)
	case "mistral":
		return mistral.New(client)
	}
	return openai.New(client)
}

// run is a whole life: submit and watch.
func run(ctx context.Context, tr *train.Trainer, p train.Plan) (train.Run, error) {
	r, err := tr.Submit(ctx, p)
	if err != nil && !errors.Is(err, train.ErrSubmitted) {
		return r, err
	}
	return tr.Watch(ctx, r, false)
}

// column reads one column of a run's events, in the order of time.
func (w *world) column(sql string) []string {
	w.t.Helper()
	session, _, err := duck.OpenLake(w.t.Context(), w.lake, duck.Options{Threads: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	defer session.Close()
	found, err := session.Strings(w.t.Context(), sql)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func (w *world) states() string {
	return strings.Join(w.column("select state from events.training_runs where state is not null order by time, id"), " ")
}
