package exporters_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

// contentOf is what a side of an export holds, its files in the order of the
// manifest, each checked against it and unpacked.
func contentOf(t *testing.T, dir string, manifest exporters.Manifest, split string) (content string, names []string) {
	t.Helper()
	for _, file := range manifest.Files {
		if file.Split != split {
			continue
		}
		names = append(names, file.Name)
		text, err := os.ReadFile(filepath.Join(dir, file.Name))
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(text)) != file.Bytes {
			t.Errorf("%s has %d bytes, the manifest says %d", file.Name, len(text), file.Bytes)
		}
		var in io.Reader = bytes.NewReader(text)
		switch filepath.Ext(file.Name) {
		case ".gz":
			if in, err = gzip.NewReader(in); err != nil {
				t.Fatal(err)
			}
		case ".zst":
			unpacked, err := zstd.NewReader(in)
			if err != nil {
				t.Fatal(err)
			}
			defer unpacked.Close()
			in = unpacked
		}
		if text, err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
		if lines := int64(bytes.Count(text, []byte("\n"))); lines != file.Lines {
			t.Errorf("%s has %d lines, the manifest says %d", file.Name, lines, file.Lines)
		}
		content += string(text)
	}
	return content, names
}

// However an export is divided and packed, and whatever the number of workers,
// its lines are the same, in the same order, and the lineage names each by its place.
func TestShardsHoldTheSameLines(t *testing.T) {
	lk := built(t, 60)
	whole := filepath.Join(t.TempDir(), "whole")
	manifest, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "trl", Dir: whole})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, split := range []string{"train", "validation"} {
		want[split], _ = contentOf(t, whole, manifest.Manifest, split)
	}
	lines := strings.Count(want["train"], "\n")
	for _, test := range []struct {
		name   string
		opts   exporters.Options
		shards int // of train
	}{
		{"lines", exporters.Options{Shard: target.Limit{Lines: 10}}, (lines + 9) / 10},
		{"as_many_lines_as_there_are", exporters.Options{Shard: target.Limit{Lines: int64(lines)}}, 1},
		{"bytes_below_a_line", exporters.Options{Shard: target.Limit{Bytes: 5}}, lines},
		{"tokens", exporters.Options{Shard: target.Limit{Tokens: manifest.Splits[0].Tokens/2 + 30}}, 2},
		{"gzip", exporters.Options{Compress: target.Gzip}, 1},
		{"zstd_in_shards", exporters.Options{Compress: target.Zstd, Shard: target.Limit{Lines: 20}}, (lines + 19) / 20},
		{"five_workers", exporters.Options{Session: duck.Options{Threads: 5}}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			test.opts.Target, test.opts.Dir = "trl", dir
			manifest, err := exporters.Export(t.Context(), lk, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			for _, split := range []string{"train", "validation"} {
				content, names := contentOf(t, dir, manifest.Manifest, split)
				if content != want[split] {
					t.Errorf("%s holds other lines", split)
				}
				if split == "train" {
					checkNames(t, names, test.shards, test.opts.Compress)
				}
				var paths []string
				for _, name := range names {
					paths = append(paths, filepath.Join(dir, name))
				}
				if found, err := filepath.Glob(filepath.Join(dir, mustTarget(t, "trl").FilePattern(split))); err != nil || !slices.Equal(found, paths) {
					t.Errorf("the pattern of %s finds %q, %v", split, found, err)
				}
				if err := exporters.Validate("trl", paths, func(f exporters.Finding) { t.Error(f) }); err != nil {
					t.Error(err)
				}
			}
			checkPlaces(t, dir, manifest.Manifest, filepath.Join(whole, "lineage.jsonl"))
			if _, sent := recording(t, lk, dir, laketest.Start); len(sent) == 0 {
				t.Error("not recorded")
			}
		})
	}
}

func mustTarget(t *testing.T, name string) *target.Target {
	t.Helper()
	found, err := target.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func checkNames(t *testing.T, names []string, shards int, compression target.Compression) {
	t.Helper()
	var want []string
	for i := range shards {
		name := "train.jsonl"
		if shards > 1 {
			name = fmt.Sprintf("train-%05d-of-%05d.jsonl", i+1, shards)
		}
		want = append(want, name+compression.Suffix())
	}
	if !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
}

// checkPlaces compares a lineage with that of the undivided export: the same
// examples in the same order, each line of each file once.
func checkPlaces(t *testing.T, dir string, manifest exporters.Manifest, whole string) {
	t.Helper()
	type place struct {
		File      string
		Line      int64
		ExampleID string `json:"example_id"`
	}
	read := func(path string) (places []place) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var p place
			if err := json.Unmarshal([]byte(line), &p); err != nil {
				t.Fatal(err)
			}
			places = append(places, p)
		}
		return places
	}
	got, want := read(filepath.Join(dir, "lineage.jsonl")), read(whole)
	if len(got) != len(want) {
		t.Fatalf("%d places, want %d", len(got), len(want))
	}
	next := map[string]int64{}
	for i, p := range got {
		next[p.File]++
		if p.ExampleID != want[i].ExampleID || p.Line != next[p.File] {
			t.Fatalf("place %d is %+v, want line %d and %s", i, p, next[p.File], want[i].ExampleID)
		}
	}
	for _, file := range manifest.Files {
		if file.Split != "" && next[file.Name] != file.Lines {
			t.Errorf("the lineage has %d of the %d lines of %s", next[file.Name], file.Lines, file.Name)
		}
	}
}

func TestWhatATrainerCannotReadIsRefused(t *testing.T) {
	lk := laketest.New(t)
	for _, test := range []struct {
		name string
		opts exporters.Options
		want string
	}{
		{"openai_packed", exporters.Options{Target: "openai", Compress: target.Gzip}, "openai takes no compressed files"},
		{"mlx_divided", exporters.Options{Target: "mlx", Shard: target.Limit{Lines: 3}}, "mlx reads one file a side"},
		{"unknown_packing", exporters.Options{Target: "trl", Compress: "rar"}, `unknown compression "rar"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.opts.Dir = filepath.Join(t.TempDir(), "out")
			_, err := exporters.Export(t.Context(), lk, test.opts)
			if err == nil || !strings.Contains(err.Error(), test.want) || lake.HintOf(err) == "" {
				t.Errorf("error %v, want %q with a hint", err, test.want)
			}
			if _, err := os.Stat(test.opts.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder is there: %v", err)
			}
		})
	}
}
