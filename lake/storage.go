package lake

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Storage is where a lake lies: a local folder now, an object store later. All
// that this package reads or writes goes through it. Names are slash-separated
// and relative to the lake (see fs.ValidPath). Errors match fs.ErrNotExist and
// fs.ErrExist where they mean that.
type Storage interface {
	// Create starts a file that nobody sees before its Commit names it.
	Create(ctx context.Context) (FileWriter, error)
	// Open opens a file for reading.
	Open(ctx context.Context, name string) (FileReader, error)
	// List gives what stands directly in a folder, sorted by name. A folder
	// that does not exist is empty.
	List(ctx context.Context, dir string) ([]FileInfo, error)
	// Stat describes one file.
	Stat(ctx context.Context, name string) (FileInfo, error)
	// Remove deletes one file.
	Remove(ctx context.Context, name string) error
}

// FileWriter writes one new file.
type FileWriter interface {
	io.Writer
	// Commit makes the file durable and visible, whole, under a name that is
	// free: put if absent. An error that matches fs.ErrExist says that the name
	// was taken and nothing was changed. After any other error the file may be
	// there or not; it is never there in part. Nothing may be called
	// afterwards but Abort.
	Commit(name string) error
	// Replace is Commit under a name that may be taken: readers see the old
	// file or the new one, each whole. It is for what points at other files;
	// data files and log entries are never replaced.
	Replace(name string) error
	// Private keeps everyone but the owner from reading the file.
	Private() error
	// Abort drops what is not committed; afterwards it does nothing.
	Abort()
}

// FileReader reads one file.
type FileReader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// FileInfo describes a file or folder.
type FileInfo struct {
	Name       string // last element of the path
	Bytes      int64
	ModifiedAt time.Time
	IsDir      bool
	IsPrivate  bool // nobody but its owner can read it
}

// PutIfAbsent writes a small file whole, or fails with fs.ErrExist where the
// name is taken. See FileWriter.Commit for other errors.
func PutIfAbsent(ctx context.Context, s Storage, name string, data []byte) error {
	return put(ctx, s, data, func(w FileWriter) error { return w.Commit(name) })
}

// putPrivate is PutIfAbsent of a file that only its owner can read.
func putPrivate(ctx context.Context, s Storage, name string, data []byte) error {
	return put(ctx, s, data, func(w FileWriter) error {
		if err := w.Private(); err != nil {
			return err
		}
		return w.Commit(name)
	})
}

// replace writes a small file whole, in place of one that may be there.
func replace(ctx context.Context, s Storage, name string, data []byte) error {
	return put(ctx, s, data, func(w FileWriter) error { return w.Replace(name) })
}

func put(ctx context.Context, s Storage, data []byte, finish func(FileWriter) error) error {
	w, err := s.Create(ctx)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return err
	}
	return finish(w)
}

// ReadFile reads a small file whole.
func ReadFile(ctx context.Context, s Storage, name string) ([]byte, error) {
	r, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data := make([]byte, r.Size())
	// ReadAt may say io.EOF with a full read.
	if n, err := r.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// tempDir holds files that are not committed yet, on the lake's own file
// system so that they can be linked into place.
const tempDir = "_tmp"

// LocalStorage is the storage of a folder on a file system with hard links.
func LocalStorage(root string) Storage { return localStorage{root} }

type localStorage struct{ root string }

func (s localStorage) path(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return filepath.Join(s.root, filepath.FromSlash(name)), nil
}

func (s localStorage) Create(context.Context) (FileWriter, error) {
	temp := filepath.Join(s.root, tempDir, randomName())
	// Not os.CreateTemp: its files can be read by their owner alone.
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.mkdir(filepath.Dir(temp)); err != nil {
			return nil, err
		}
		file, err = os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		return nil, err
	}
	return &localWriter{storage: s, file: file, temp: temp}, nil
}

func randomName() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

type localWriter struct {
	storage localStorage
	file    *os.File
	temp    string
}

func (w *localWriter) Write(p []byte) (int, error) { return w.file.Write(p) }

func (w *localWriter) Commit(name string) error {
	// link(2) refuses a name that is taken, which rename(2) would replace.
	err := w.finish(name, os.Link)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) {
		return WithHint(err, "a lake needs a file system with hard links")
	}
	return err
}

func (w *localWriter) Replace(name string) error { return w.finish(name, os.Rename) }

// finish makes the file durable and gives it its name.
func (w *localWriter) finish(name string, give func(from, to string) error) error {
	defer w.Abort()
	target, err := w.storage.path("link", name)
	if err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	err = give(w.temp, target)
	if errors.Is(err, fs.ErrNotExist) {
		if err := w.storage.mkdir(filepath.Dir(target)); err != nil {
			return err
		}
		err = give(w.temp, target)
	}
	if err != nil {
		return err
	}
	return SyncPath(filepath.Dir(target))
}

func (w *localWriter) Private() error { return w.file.Chmod(0o600) }

func (w *localWriter) Abort() {
	w.file.Close()
	os.Remove(w.temp) // after a crash it stays, where nobody reads it
}

// mkdir makes a folder and its parents below the root, durably.
func (s localStorage) mkdir(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for dir != s.root && len(dir) > len(s.root) {
		dir = filepath.Dir(dir)
		if err := SyncPath(dir); err != nil {
			return err
		}
	}
	return nil
}

// SyncPath makes a local file, or the names in a folder, durable: it outlives
// a power cut once this returns.
func SyncPath(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

func (s localStorage) Open(_ context.Context, name string) (FileReader, error) {
	p, err := s.path("open", name)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(p)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &localReader{file, info.Size()}, nil
}

type localReader struct {
	*os.File
	size int64
}

func (r *localReader) Size() int64 { return r.size }

func (s localStorage) List(_ context.Context, dir string) ([]FileInfo, error) {
	p, err := s.path("list", dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(p) // sorted
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var infos []FileInfo
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		infos = append(infos, fileInfo(info))
	}
	return infos, nil
}

func (s localStorage) Stat(_ context.Context, name string) (FileInfo, error) {
	p, err := s.path("stat", name)
	if err != nil {
		return FileInfo{}, err
	}
	info, err := os.Stat(p)
	if err != nil {
		return FileInfo{}, err
	}
	return fileInfo(info), nil
}

func fileInfo(info fs.FileInfo) FileInfo {
	return FileInfo{Name: info.Name(), Bytes: info.Size(), ModifiedAt: info.ModTime().UTC(), IsDir: info.IsDir(), IsPrivate: info.Mode().Perm()&0o077 == 0}
}

func (s localStorage) Remove(_ context.Context, name string) error {
	p, err := s.path("remove", name)
	if err != nil {
		return err
	}
	return os.Remove(p)
}
