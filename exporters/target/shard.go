package target

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// Limit is what one file may hold at most; 0: no limit. An example is never cut,
// so a file of one line may be above it.
type Limit struct {
	Bytes  int64 `json:"bytes,omitempty"` // before compression
	Lines  int64 `json:"lines,omitempty"`
	Tokens int64 `json:"tokens,omitempty"`
}

// FileLimit is what a provider takes of a side of the split.
type FileLimit struct {
	Limit
	FilesPerJob int    `json:"files_per_job,omitempty"` // 0: any number
	AsOf        string `json:"as_of"`
	Source      string `json:"source"`
}

//go:embed limits.json
var limitsJSON []byte

// FileLimit gives the target's limit of a side's files. A target that names none
// has the zero value.
func (t *Target) FileLimit(split string) (FileLimit, error) {
	var table struct {
		AsOf   string `json:"as_of"`
		Limits []struct {
			// Target also means its other forms: openai is openai-dpo as well.
			Target string `json:"target"`
			Split  string `json:"split"` // empty: each
			FileLimit
		} `json:"limits"`
	}
	dec := json.NewDecoder(bytes.NewReader(limitsJSON))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&table); err != nil {
		return FileLimit{}, fmt.Errorf("limits.json: %w", err)
	}
	for _, limit := range table.Limits {
		isOurs := t.Name == limit.Target || strings.HasPrefix(t.Name, limit.Target+"-")
		if isOurs && (limit.Split == "" || limit.Split == split) {
			return limit.FileLimit, nil
		}
	}
	return FileLimit{}, nil
}

// ShardName names the n-th of several files of a side, 1-based, as Hugging Face
// names them: train-00001-of-00003.jsonl. The only one has no number.
func (t *Target) ShardName(split string, n, of int) string {
	if of == 1 {
		return t.FileName(split)
	}
	return fmt.Sprintf("%s-%05d-of-%05d.jsonl", t.stem(split), n, of)
}

// FilePattern is the glob of all files of a side, sharded and compressed or not,
// as a dataset card's data_files has it.
func (t *Target) FilePattern(split string) string { return t.stem(split) + "*.jsonl*" }

// CheckShards refuses to divide what the trainer reads from one file by its name.
func (t *Target) CheckShards() error {
	if t.oneFile {
		return lake.WithHint(fmt.Errorf("%s reads one file a side", t.Name), "leave --shard-bytes, --shard-lines and --shard-tokens away")
	}
	return nil
}

// Compression is how files are packed.
type Compression string

// The compressions that loaders know by the file's ending.
const (
	NoCompression Compression = ""
	Gzip          Compression = "gzip"
	Zstd          Compression = "zstd"
)

// Suffix is what the compression puts behind a file's name.
func (c Compression) Suffix() string {
	switch c {
	case Gzip:
		return ".gz"
	case Zstd:
		return ".zst"
	}
	return ""
}

// CheckCompression refuses what the target's loader cannot read. Hugging Face's
// datasets, which TRL and Axolotl load with, unpacks both; LLaMA-Factory and
// ms-swift go by the last ending of the name, and providers want .jsonl.
// (datasets 5.2.0, run; sources of the others as of 2026-08.)
func (t *Target) CheckCompression(c Compression) error {
	switch {
	case c == NoCompression:
		return nil
	case c != Gzip && c != Zstd:
		return lake.WithHint(fmt.Errorf("unknown compression %q", c), "--compress gzip or --compress zstd")
	case !t.unpacks:
		var takers []string
		for _, other := range All() {
			if other.unpacks {
				takers = append(takers, other.Name)
			}
		}
		return lake.WithHint(fmt.Errorf("%s takes no compressed files", t.Name), "leave --compress away; it is for "+strings.Join(slices.Sorted(slices.Values(takers)), ", "))
	}
	return nil
}
