package exporters

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/weir-lake/weir/exporters/prices"
	"github.com/weir-lake/weir/lake"
)

// inputs hashes all that decides what an export holds, before a row is read: the
// data files of its tables, what the lake says of them, the options, and the
// program. The files of a table say more than its version: a build that changed
// nothing makes a version of the same files.
func (e *exporting) inputs(ctx context.Context, lk *lake.Lake) (string, error) {
	manifest := e.manifest
	manifest.Tables = nil
	known := struct {
		Manifest  Manifest
		MaxTokens int
		Prices    []prices.Price
		Shard     any
		Program   string
		Tables    map[string][]string
	}{manifest, e.opts.MaxTokens, e.manifest.priced.all(), e.opts.Shard, e.opts.Program, map[string][]string{}}
	for _, name := range e.source.tables {
		table, err := lk.Table(name)
		if err != nil {
			return "", err
		}
		snapshot, err := table.SnapshotAt(ctx, e.source.versions[name])
		if err != nil {
			return "", err
		}
		for _, file := range snapshot.Files {
			sum := file.SHA256
			if sum == "" {
				sum = file.Path // another writer's, who never gives a name twice
			}
			known.Tables[name] = append(known.Tables[name], sum)
		}
		slices.Sort(known.Tables[name])
	}
	text, err := json.Marshal(known)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// standing gives the export in a folder where it was made from the same inputs
// and its files have their sizes. They are not read: what was damaged in place
// is found by an export without Options.IfChanged.
func standing(dir, inputs string) (m Manifest, isSame bool, err error) {
	m, err = readManifest(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	} else if err != nil || m.Inputs != inputs {
		return m, false, err
	}
	for _, file := range m.Files {
		info, err := os.Stat(filepath.Join(dir, file.Name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() != file.Bytes {
			return m, false, nil
		} else if err != nil {
			return m, false, err
		}
	}
	return m, true, nil
}
