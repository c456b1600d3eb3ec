package trainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
)

// dataDir is where the data lies, in the folder that is written.
const dataDir = "data"

// data are an export's files, as a trainer is told of them.
type data struct {
	dir        string // that weir export wrote
	target     string
	hash       string   // of the export's content
	train      []string // paths below the written folder, with slashes
	validation []string
	lines      int64 // to train on
	copied     []exporters.File
}

// readData reads an export's manifest, and says which of its files a trainer
// needs.
func readData(dir string, t trainer) (data, error) {
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return data{}, lake.WithHint(err, "weir export --target "+t.targets[0]+" --out "+dir)
	}
	var manifest exporters.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil {
		return data{}, fmt.Errorf("%s: %w", filepath.Join(dir, "manifest.json"), err)
	}
	if !slices.Contains(t.targets, manifest.Target) {
		return data{}, lake.WithHint(fmt.Errorf("%s was exported for %s, and %s reads another form", dir, manifest.Target, t.name),
			"weir export --target "+t.targets[0]+" --out "+dir)
	}
	d := data{dir: dir, target: manifest.Target, hash: manifest.ContentHash}
	for _, file := range manifest.Files {
		side, isSide := sideOf(file.Name)
		switch {
		case isSide && !strings.HasSuffix(file.Name, ".jsonl"):
			return d, lake.WithHint(fmt.Errorf("%s is compressed, and not every trainer reads that", file.Name), "weir export without --compress")
		case isSide && file.Lines == 0: // an empty file is an error to most loaders
		case isSide:
			at := path.Join(dataDir, file.Name)
			if side == "train" {
				d.train, d.lines = append(d.train, at), d.lines+file.Lines
			} else {
				d.validation = append(d.validation, at)
			}
			d.copied = append(d.copied, file)
		case file.Name == "dataset_info.json":
			d.copied = append(d.copied, file)
		}
	}
	if len(d.train) == 0 {
		return d, fmt.Errorf("%s: no example to train on", dir)
	}
	if t.oneFile && (len(d.train) > 1 || len(d.validation) > 1) {
		return d, lake.WithHint(fmt.Errorf("%s is in several files, and %s reads one a side", dir, t.name), "weir export without --shard-…")
	}
	return d, nil
}

// sideOf tells which side of the split a file of an export is.
func sideOf(name string) (side string, ok bool) {
	stem, _, _ := strings.Cut(name, ".")
	for prefix, side := range map[string]string{"train": "train", "validation": "validation", "valid": "validation"} {
		if stem == prefix || strings.HasPrefix(stem, prefix+"-") {
			return side, strings.Contains(name, ".jsonl")
		}
	}
	return "", false
}

// stage puts the data into the written folder, after a look that it is what the
// manifest says. A file is linked where the disk allows that: sets are large.
func (d data) stage(out string) error {
	if err := os.MkdirAll(filepath.Join(out, dataDir), 0o755); err != nil {
		return err
	}
	for _, file := range d.copied {
		from, to := filepath.Join(d.dir, file.Name), filepath.Join(out, dataDir, file.Name)
		if err := file.Check(d.dir); err != nil {
			return err
		}
		if err := os.Link(from, to); err == nil {
			continue
		}
		if err := copyFile(from, to); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
