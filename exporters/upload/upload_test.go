package upload_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/upload"
	"github.com/weir-lake/weir/lake"
)

const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// export writes a folder that has the shape of one.
func export(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	manifest := exporters.Manifest{Target: "openai", ContentHash: hash}
	for name, text := range map[string]string{
		"train.jsonl":      strings.Repeat("{\"messages\":[]}\n", 100),
		"validation.jsonl": "{\"messages\":[]}\n",
		"lineage.jsonl":    strings.Repeat("{\"file\":\"train.jsonl\"}\n", 90),
	} {
		sum := sha256.Sum256([]byte(text))
		file := exporters.File{Name: name, Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:])}
		if name != "lineage.jsonl" {
			file.Split = strings.TrimSuffix(name, ".jsonl")
		}
		manifest.Files = append(manifest.Files, file)
		write(t, filepath.Join(dir, name), text)
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "manifest.json"), string(text))
	write(t, filepath.Join(dir, "README.md"), "what it is")
	write(t, filepath.Join(dir, "plots", "lengths.svg"), "<svg/>")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func options(endpoint string) upload.Options {
	return upload.Options{Endpoint: endpoint, AccessKey: "key", SecretKey: "secret", PartBytes: 200}
}

const root = "team/0123456789abcdef"

// same compares a store with the export's folder.
func (s *store) same(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(at string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		name, _ := filepath.Rel(dir, at)
		text, err := os.ReadFile(at)
		if got := s.objects[path.Join(root, filepath.ToSlash(name))]; !bytes.Equal(got.body, text) {
			t.Errorf("%s is not the file: %d bytes, want %d", name, len(got.body), len(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.objects) != files+1 || len(s.pending) != 0 {
		t.Errorf("%d objects and %d begun ones, want %d and 0", len(s.objects), len(s.pending), files+1)
	}
	// A run that was killed at the very end says latest.json twice.
	order := slices.Compact(slices.Clone(s.order))
	if n := len(order); n < 2 || order[n-2] != root+"/manifest.json" || order[n-1] != "team/latest.json" {
		t.Errorf("the order was %q: the manifest and latest.json go last", s.order)
	}
	var latest upload.Latest
	if err := json.Unmarshal(s.objects["team/latest.json"].body, &latest); err != nil || latest.ContentHash != hash || latest.Manifest != "0123456789abcdef/manifest.json" {
		t.Errorf("latest.json: %+v, %v", latest, err)
	}
}

func TestExportIsUploadedOnce(t *testing.T) {
	s, endpoint := newStore(t)
	dir := export(t)
	report, err := upload.Export(t.Context(), dir, "s3://lakes/team/", options(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	if report.URI != "s3://lakes/"+root || report.Sent != 6 || report.There != 0 {
		t.Errorf("%+v", report)
	}
	s.same(t, dir)
	written := len(s.order)
	var done, of int64
	opts := options(endpoint)
	opts.Progress = func(d, o int64) { done, of = d, o }
	again, err := upload.Export(t.Context(), dir, "s3://lakes/team", opts)
	if err != nil || again.Sent != 0 || again.SentBytes != 0 || again.There != 6 || done != of || done == 0 {
		t.Errorf("again: %+v, %d of %d, %v", again, done, of, err)
	}
	if sent := len(s.order) - written; sent != 1 {
		t.Errorf("%d objects were written again, latest.json is one", sent)
	}
	// An object that is not the file is replaced.
	s.objects[root+"/train.jsonl"] = object{body: []byte("x"), meta: s.objects[root+"/train.jsonl"].meta}
	if third, err := upload.Export(t.Context(), dir, "s3://lakes/team", options(endpoint)); err != nil || third.Sent != 1 {
		t.Errorf("a cut object: %+v, %v", third, err)
	}
	if got := s.objects[root+"/train.jsonl"]; len(got.body) < 100 {
		t.Error("it is still cut")
	}
}

// Killed at any call, an upload shows no manifest without its files, and the next
// run goes on: no part is sent twice.
func TestKilledUploadGoesOn(t *testing.T) {
	dir := export(t)
	for kill := 1; ; kill++ {
		s, endpoint := newStore(t)
		ctx, cancel := context.WithCancel(t.Context())
		calls, parts := 0, map[string]int{}
		s.refuse = func(kind, key string) (int, string) {
			if calls++; calls == kill {
				cancel()
				return http.StatusInternalServerError, "Killed"
			}
			if kind == "PUT partNumber" {
				parts[key]++
			}
			return 0, ""
		}
		_, err := upload.Export(ctx, dir, "s3://lakes/team", options(endpoint))
		killed := ctx.Err() != nil
		cancel()
		if killed != (err != nil) {
			t.Fatalf("call %d: killed %t, error %v", kill, killed, err)
		}
		if _, isWhole := s.objects[root+"/manifest.json"]; isWhole && len(s.objects) < 6 {
			t.Errorf("call %d: the manifest is there before its files: %q", kill, s.order)
		}
		if _, err := upload.Export(t.Context(), dir, "s3://lakes/team", options(endpoint)); err != nil {
			t.Fatalf("call %d: the next run: %v", kill, err)
		}
		s.same(t, dir)
		if n := parts[root+"/train.jsonl"]; n != 8 {
			t.Errorf("call %d: %d parts of train.jsonl were sent, it has 8", kill, n)
		}
		if !killed {
			if kill < 20 {
				t.Errorf("only %d calls", kill)
			}
			return
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	_, endpoint := newStore(t)
	damaged := export(t)
	write(t, filepath.Join(damaged, "train.jsonl"), strings.Repeat("{\"messages\":{}}\n", 100))
	missing := export(t)
	if err := os.Remove(filepath.Join(missing, "lineage.jsonl")); err != nil {
		t.Fatal(err)
	}
	whole := export(t)
	noKeys, badKey := options(endpoint), options(endpoint)
	noKeys.AccessKey, badKey.AccessKey = "", "other"
	for _, test := range []struct {
		name, dir, uri, want string
		opts                 upload.Options
	}{
		{"no_uri", whole, "lakes/team", "is no s3://bucket/prefix", options(endpoint)},
		{"no_bucket", whole, "s3://", "is no s3://bucket/prefix", options(endpoint)},
		{"unknown_bucket", whole, "s3://ponds/team", "NoSuchBucket", options(endpoint)},
		{"no_keys", whole, "s3://lakes/team", "no credentials", noKeys},
		{"bad_key", whole, "s3://lakes/team", "", badKey},
		{"no_export", t.TempDir(), "s3://lakes/team", "manifest.json", options(endpoint)},
		{"damaged", damaged, "s3://lakes/team", "train.jsonl: it is not what manifest.json says", options(endpoint)},
		{"missing", missing, "s3://lakes/team", "lineage.jsonl is not there", options(endpoint)},
		{"bad_endpoint", whole, "s3://lakes/team", "is no http:// or https:// address", options("localhost:9000")},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := upload.Export(t.Context(), test.dir, test.uri, test.opts)
			if err == nil || !strings.Contains(err.Error(), test.want) || lake.HintOf(err) == "" {
				t.Errorf("error %v (%s), want %q with a hint", err, lake.HintOf(err), test.want)
			}
		})
	}
}
