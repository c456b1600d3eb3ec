package exporters

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// membersPerEvent keeps an event well below lake.MaxEventBytes.
const membersPerEvent = 5_000

// Recorded is an export as a dataset version.
type Recorded struct {
	Dataset     string `json:"dataset"` // export-<target>
	Version     string `json:"version"` // of the members and the files: the same export has the same
	ContentHash string `json:"content_hash"`
	ExportHash  string `json:"export_hash"`            // of the files
	DistillHash string `json:"distill_hash,omitempty"` // of the rules that shortened the examples
	Members     int64  `json:"members"`                // examples that have a line
	IsNew       bool   `json:"is_new"`                 // false: the lake has it already, and nothing was sent
}

// Record sends what an export holds as events: up to 5,000 members each, and
// then the version, so that the version is there when its members are. From then
// on the split ledger keeps every member and its group on their side, and an
// erasure tells which versions held somebody. Ids follow from the content: what is
// recorded twice is there once. Now is the time of the events.
func Record(ctx context.Context, lk *lake.Lake, dir string, now time.Time, send func(context.Context, ...lake.Event) error) (Recorded, error) {
	recorded, err := record(ctx, lk, dir, now, send)
	if err != nil {
		return recorded, fmt.Errorf("record %s: %w", dir, err)
	}
	return recorded, nil
}

func record(ctx context.Context, lk *lake.Lake, dir string, now time.Time, send func(context.Context, ...lake.Event) error) (Recorded, error) {
	manifest, err := readManifest(filepath.Join(dir, manifestName))
	if err != nil {
		return Recorded{}, err
	}
	r := Recorded{Dataset: "export-" + manifest.Target, ExportHash: manifest.ContentHash}
	if manifest.Distill != nil {
		r.DistillHash = manifest.Distill.Hash
	}
	content := lake.NewMemberHash()
	err = readMembers(dir, manifest, func(m lake.DatasetMember) error {
		r.Members++
		content.Add(m)
		return nil
	})
	if err != nil {
		return r, err
	}
	r.ContentHash = content.String()
	version := sha256.Sum256([]byte(r.ContentHash + manifest.ContentHash + manifest.Dataset.ref()))
	r.Version = hex.EncodeToString(version[:8])
	id := lake.StableID("dataset-version", r.Dataset, r.Version)
	if known, err := isRecorded(ctx, lk, id); err != nil || known {
		return r, err
	}
	r.IsNew = true
	event := func(id, kind string, data any) lake.Event {
		return lake.Event{ID: id, Source: "weir://export", Type: kind, Subject: "dataset:" + r.Dataset, Time: now.UTC(), Data: data}
	}
	var batch int64
	var members []lake.DatasetMember
	flush := func() error {
		if len(members) == 0 {
			return nil
		}
		err := send(ctx, event(lake.StableID("dataset-members", r.Dataset, r.Version, fmt.Sprint(batch)), "weir.dataset.members.v1",
			&lake.DatasetMembers{Dataset: r.Dataset, Version: r.Version, ContentHash: r.ContentHash, Members: members, Batch: batch}))
		batch, members = batch+1, nil
		return err
	}
	err = readMembers(dir, manifest, func(m lake.DatasetMember) error {
		if members = append(members, m); len(members) < membersPerEvent {
			return nil
		}
		return flush()
	})
	if err != nil {
		return r, err
	}
	if err := flush(); err != nil {
		return r, err
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		return r, err
	}
	return r, send(ctx, event(id, "weir.dataset.version.v1",
		&lake.DatasetVersion{Dataset: r.Dataset, Version: r.Version, ContentHash: r.ContentHash, Manifest: string(text), MemberCount: r.Members}))
}

// readMembers gives the examples that have a line in an export, by id.
func readMembers(dir string, manifest Manifest, each func(lake.DatasetMember) error) error {
	read := func(each func(lake.DatasetMember) error) error { return readLineage(dir, manifest, each) }
	if manifest.Unit == UnitPair {
		return pairMembers(read, each)
	}
	return read(each)
}

// readLineage gives the example of each line of an export, in the order of the
// lines; lines in a row of one example count once.
func readLineage(dir string, manifest Manifest, each func(lake.DatasetMember) error) error {
	const name = lineageName
	i := slices.IndexFunc(manifest.Files, func(f File) bool { return f.Name == name })
	if i < 0 {
		return fmt.Errorf("%s names no %s", manifestName, name)
	}
	sides, err := sidesOf(manifest)
	if err != nil {
		return err
	}
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	read := io.TeeReader(file, sum)
	dec := json.NewDecoder(read)
	before := ""
	for {
		var line lineageLine
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if line.ExampleID == before { // a long one was divided
			continue
		}
		before = line.ExampleID
		err := each(lake.DatasetMember{
			ExampleID: line.ExampleID, ContentHash: line.ContentHash, SubjectID: line.SubjectID, Side: sides[line.File],
		})
		if err != nil {
			return err
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != manifest.Files[i].SHA256 {
		return lake.WithHint(fmt.Errorf("%s is not what %s says", name, manifestName), "export again")
	}
	return nil
}

// sidesOf tells which side of the split a file has. Manifests before shards did
// not say.
func sidesOf(manifest Manifest) (map[string]string, error) {
	t, err := target.Named(manifest.Target)
	if err != nil {
		return nil, err
	}
	sides := map[string]string{}
	for _, split := range splits {
		sides[t.FileName(split)] = split
	}
	for _, file := range manifest.Files {
		if file.Split != "" {
			sides[file.Name] = file.Split
		}
	}
	return sides, nil
}

// isRecorded tells whether an event of a version is in the lake.
func isRecorded(ctx context.Context, lk *lake.Lake, id string) (_ bool, err error) {
	session, _, err := duck.OpenLake(ctx, lk, duck.Options{Threads: 1})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	found, err := session.Strings(ctx, "select id from events.dataset_versions where id = ? limit 1", id)
	return len(found) > 0, err
}
