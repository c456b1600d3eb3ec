package exporters

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/flock"
)

// ErrBusy says that another export writes to the folder.
var ErrBusy = errors.New("another export writes there")

// place is where an export goes: the folder itself, or, where versions are kept,
// a folder in it that is named by its content, with a link to the latest.
type place struct {
	dir    string // absolute
	target string
	keep   int // 0: the folder itself
}

const (
	// latestName is the link to the version that was exported last.
	latestName = "latest"
	// versionDigits of the content hash name a version.
	versionDigits = 16
)

var versionName = regexp.MustCompile(`^[0-9a-f]{16}$`)

func newPlace(opts Options, target string) (place, error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return place{}, err
	}
	// A link to a folder means the folder.
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	} else if !errors.Is(err, fs.ErrNotExist) {
		return place{}, err
	}
	if filepath.Dir(dir) == dir {
		return place{}, fmt.Errorf("%s: %w", dir, ErrForeignDir)
	}
	return place{dir: dir, target: target, keep: opts.Keep}, nil
}

// beside names a file of the export's own next to the folder.
func (p place) beside(what string) string {
	return filepath.Join(filepath.Dir(p.dir), "."+filepath.Base(p.dir)+".weir-"+what)
}

// lock keeps two exports to the folder apart, of any lake. The kernel drops
// it with the process.
func (p place) lock(ctx context.Context, busy func() error) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(p.dir), 0o755); err != nil {
		return nil, err
	}
	return flock.Passing(ctx, p.beside("lock"), busy)
}

// work makes an empty folder on the same file system. What a killed export
// left of it goes.
func (p place) work() (string, error) {
	work := p.beside("export")
	if err := os.RemoveAll(work); err != nil {
		return "", err
	}
	return work, os.Mkdir(work, 0o755)
}

// current is the folder of the export that stands, if one does.
func (p place) current() string {
	if p.keep > 0 {
		return filepath.Join(p.dir, latestName)
	}
	return p.dir
}

// check refuses a folder that holds anything else.
func (p place) check() error {
	if p.keep == 0 {
		return checkDir(p.dir, p.target)
	}
	entries, err := os.ReadDir(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == latestName && entry.Type() == fs.ModeSymlink || isHalf(entry.Name()) {
			continue
		}
		found, err := readManifest(filepath.Join(p.dir, entry.Name(), manifestName))
		if err != nil || found.Target != p.target || !versionName.MatchString(entry.Name()) {
			return lake.WithHint(fmt.Errorf("%s: %w", filepath.Join(p.dir, entry.Name()), ErrForeignDir), "name a new folder for the versions")
		}
	}
	return nil
}

// Names that begin so are on their way in or out.
const halfPrefix = ".weir-"

func isHalf(name string) bool {
	return len(name) > len(halfPrefix) && name[:len(halfPrefix)] == halfPrefix
}

// of is the folder of an export within dir, which is the place's as somebody wrote it.
func (p place) of(dir string, manifest Manifest) string {
	if p.keep == 0 {
		return dir
	}
	return filepath.Join(dir, manifest.ContentHash[:versionDigits])
}

// put moves the finished folder in place.
func (p place) put(work string, manifest Manifest) (changed bool, err error) {
	dir := p.of(p.dir, manifest)
	if p.keep == 0 {
		return put(work, dir)
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return false, err
	}
	if changed, err = put(work, dir); err != nil {
		return false, err
	}
	before, err := os.Readlink(filepath.Join(p.dir, latestName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if version := filepath.Base(dir); before != version {
		return true, p.setLatest(version)
	}
	return changed, nil
}

// setLatest swaps the link in one step.
func (p place) setLatest(version string) error {
	// Its time is when it became the latest, by which old ones go.
	now := time.Now()
	if err := os.Chtimes(filepath.Join(p.dir, version), now, now); err != nil {
		return err
	}
	fresh := filepath.Join(p.dir, halfPrefix+latestName)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(version, fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, filepath.Join(p.dir, latestName)); err != nil {
		return err
	}
	return lake.SyncPath(p.dir)
}

// prune deletes versions beyond the last ones that are to be kept, and gives
// their names. The latest stays, and each that a training run is on record for.
func (p place) prune(ctx context.Context, lk *lake.Lake) (gone []string, err error) {
	if p.keep == 0 {
		return nil, nil
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return nil, err
	}
	latest, err := os.Readlink(filepath.Join(p.dir, latestName))
	if err != nil {
		return nil, err
	}
	type version struct {
		name string
		at   time.Time
	}
	var old []version
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return nil, err
		}
		switch {
		case isHalf(entry.Name()): // of an export that was killed
			if err := os.RemoveAll(filepath.Join(p.dir, entry.Name())); err != nil {
				return nil, err
			}
		case entry.IsDir() && entry.Name() != latest:
			old = append(old, version{entry.Name(), info.ModTime()})
		}
	}
	if len(old) < p.keep {
		return nil, nil
	}
	slices.SortFunc(old, func(a, b version) int { return b.at.Compare(a.at) })
	trained, err := trainedOn(ctx, lk)
	if err != nil {
		return nil, err
	}
	for _, v := range old[p.keep-1:] {
		dir := filepath.Join(p.dir, v.name)
		manifest, err := readManifest(filepath.Join(dir, manifestName))
		if err != nil {
			return gone, err
		}
		if trained[manifest.ContentHash] {
			continue
		}
		// Whoever looks finds the whole version or none.
		half := filepath.Join(p.dir, halfPrefix+v.name)
		if err := os.Rename(dir, half); err != nil {
			return gone, err
		}
		if err := os.RemoveAll(half); err != nil {
			return gone, err
		}
		gone = append(gone, v.name)
	}
	return gone, lake.SyncPath(p.dir)
}

// trainedOn are the content hashes of the exports that training runs name, by
// themselves or by a dataset version that was recorded of them.
func trainedOn(ctx context.Context, lk *lake.Lake) (_ map[string]bool, err error) {
	session, _, err := duck.OpenLake(ctx, lk, duck.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	hashes, err := session.Strings(ctx, `
select export_hash from events.training_runs where export_hash is not null

union

select json_extract_string(versions.manifest, '$.content_hash')

from events.training_runs as runs

inner join events.dataset_versions as versions on versions.dataset = runs.dataset and versions.version = runs.dataset_version

where json_extract_string(versions.manifest, '$.content_hash') is not null`)
	trained := map[string]bool{}
	for _, hash := range hashes {
		trained[hash] = true
	}
	return trained, err
}
