package slack

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// workspace is what the lists of an export say of ids.
type workspace struct {
	names    map[string]string      // of users, bots and channels, by id
	bots     map[string]bool        // users that are bots
	channels map[string]channelInfo // by folder
}

type channelInfo struct{ id, name string }

// lists are the files that hold names.
var lists = []string{"channels.json", "groups.json", "mpims.json", "dms.json", "users.json"}

// load reads the lists of an export that are there. What it cannot read gives
// no names; the file's own reading reports what is wrong with it.
func load(ctx context.Context, root fs.FS) *workspace {
	w := &workspace{names: map[string]string{}, bots: map[string]bool{}, channels: map[string]channelInfo{}}
	for _, name := range lists {
		f, err := root.Open(name)
		if err != nil {
			continue
		}
		for record, err := range source.Records(ctx, &source.Input{Name: name, R: f}, discard{}, source.RecordOptions{}) {
			if err != nil {
				break
			}
			w.add(rawjson.Parse(record.Raw))
		}
		f.Close()
	}
	return w
}

func (w *workspace) add(o rawjson.Object) {
	id := o.String("id")
	switch shapeOf(o) {
	case user:
		profile := o.Object("profile")
		name := displayName(profile, o)
		w.names[id] = name
		if is := o.Bool("is_bot"); is != nil && *is {
			w.bots[id] = true
		}
		if bot := profile.String("bot_id"); bot != "" {
			w.names[bot] = name
		}
	case channel:
		info := channelInfo{id, o.String("name")}
		if info.name != "" {
			w.names[id] = info.name
		}
		w.channels[cmp.Or(info.name, id)] = info // direct messages have no name: their folder is the id
		w.channels[id] = info
	}
}

// displayName is the name that others see. Profiles may have it empty.
func displayName(objects ...rawjson.Object) string {
	for _, o := range objects {
		if name := o.String("display_name", "real_name", "name"); name != "" {
			return name
		}
	}
	return ""
}

// channelOf is the channel whose messages lie in a folder. Without the lists
// the folder is all that names it.
func (w *workspace) channelOf(folder string) channelInfo {
	if info, ok := w.channels[folder]; ok {
		return info
	}
	return channelInfo{cmp.Or(folder, "channel"), folder}
}

// discard takes what is wrong with a list.
type discard struct{}

func (discard) Emit(lake.Event) error      { return nil }
func (discard) Reject(source.Reject) error { return nil }

// memo holds the workspace of the folder that was asked for last.
type memo struct {
	mu        sync.Mutex
	root      string
	workspace *workspace
}

// of finds the workspace and the channel's folder of a file. A stream, or a
// file that was compressed alone, has no neighbours to read.
func (m *memo) of(ctx context.Context, in *source.Input) (*workspace, string) {
	if in.Path == "" {
		return load(ctx, emptyFS{}), folderOf(in.Name)
	}
	absolute, err := filepath.Abs(in.Path)
	if err != nil {
		return load(ctx, emptyFS{}), folderOf(in.Name)
	}
	root := filepath.Dir(filepath.Dir(absolute))
	if slices.Contains(lists, filepath.Base(absolute)) {
		root = filepath.Dir(absolute)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.workspace == nil || m.root != root {
		m.root, m.workspace = root, load(ctx, os.DirFS(root))
	}
	return m.workspace, folderOf(absolute)
}

type emptyFS struct{}

func (emptyFS) Open(string) (fs.File, error) { return nil, fs.ErrNotExist }

// dayFile is a member of a zip that holds messages.
var dayFile = regexp.MustCompile(`^[^/]+/\d{4}-\d\d-\d\d\.json$`)

// readZip reads an export as it is downloaded, one member after the other. It
// may have been packed again with a folder around it.
func readZip(ctx context.Context, in *source.Input, out source.Out) error {
	refuse := func(reason, detail string) error {
		return out.Reject(source.Reject{Reason: reason, Detail: detail, Record: -1, Body: []byte(in.Name), Length: int64(len(in.Name))})
	}
	if in.Path == "" {
		return refuse("not_a_file", "a zip cannot be read from a stream: give the plain file")
	}
	archive, err := zip.OpenReader(in.Path)
	if err != nil {
		return refuse("corrupt_archive", err.Error())
	}
	defer archive.Close()
	prefix := ""
	for _, file := range archive.File {
		if slices.Contains(lists, path.Base(file.Name)) && strings.Count(file.Name, "/") <= 1 {
			prefix = strings.TrimSuffix(file.Name, path.Base(file.Name))
			break
		}
	}
	var root fs.FS = &archive.Reader
	if prefix != "" {
		if sub, err := fs.Sub(&archive.Reader, path.Clean(prefix)); err == nil {
			root = sub
		}
	}
	workspace := load(ctx, root)
	files := slices.Clone(archive.File)
	slices.SortStableFunc(files, func(a, b *zip.File) int { return cmp.Compare(a.Name, b.Name) })
	isExport := false
	for _, file := range files {
		name := strings.TrimPrefix(file.Name, prefix)
		if !dayFile.MatchString(name) && !slices.Contains(lists, name) {
			continue
		}
		isExport = true
		r := newReader(out, workspace, folderOf(name))
		r.member = name
		if err := r.readMember(ctx, in, file); err != nil {
			return err
		}
	}
	if !isExport {
		return refuse(source.ReasonUnknownType, "a zip without the lists and days of an export, or with several exports in it")
	}
	return nil
}

// readMember reads a file of a zip. One that cannot be unpacked does not stop
// the others.
func (r *reader) readMember(ctx context.Context, in *source.Input, file *zip.File) error {
	corrupt := func(err error) error {
		return r.Reject(source.Reject{Reason: "corrupt_archive", Detail: err.Error(), Record: -1, Body: []byte(file.Name), Length: int64(len(file.Name))})
	}
	content, err := file.Open()
	if err != nil {
		return corrupt(err)
	}
	defer content.Close()
	unpacked := &remembers{r: content}
	in.R = unpacked
	err = r.read(ctx, in)
	if err == nil {
		err = unpacked.err
	}
	if unpacked.err != nil && errors.Is(err, unpacked.err) {
		return corrupt(unpacked.err)
	}
	return err
}

// remembers tells an error of the archive from those of others.
type remembers struct {
	r   io.Reader
	err error
}

func (m *remembers) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil && err != io.EOF {
		m.err = err
	}
	return n, err
}
