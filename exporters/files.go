package exporters

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/weir-lake/weir/exporters/target"
)

const (
	lineageName = "lineage.jsonl"
	lossesName  = "losses.jsonl"
)

// files are the files of an export while they are written.
type files struct {
	dir     string
	sides   map[string]*side
	lineage *outFile
	losses  *outFile
	distill *outFile   // nil: without rules
	more    []*outFile // sidecars
}

func createFiles(dir string, t *target.Target, opts Options) (_ *files, err error) {
	out := &files{dir: dir, sides: map[string]*side{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.close())
		}
	}()
	for _, split := range splits {
		limit, err := t.FileLimit(split)
		if err != nil {
			return nil, err
		}
		s := &side{dir: dir, split: split, target: t, limit: least(limit.Limit, opts.Shard), compression: opts.Compress}
		out.sides[split] = s
		if err := s.open(); err != nil {
			return nil, err
		}
	}
	if out.lineage, err = createFile(dir, lineageName, target.NoCompression); err != nil {
		return nil, err
	}
	if out.losses, err = createFile(dir, lossesName, target.NoCompression); err != nil {
		return nil, err
	}
	sidecars := t.Sidecars()
	if opts.Distill != nil {
		if out.distill, err = createFile(dir, distillLinesName, target.NoCompression); err != nil {
			return nil, err
		}
		out.more = append(out.more, out.distill)
		sidecars = append(sidecars, target.Sidecar{Name: DistillFile, JSON: bytes.TrimSuffix(opts.Distill.File(), []byte("\n"))})
	}
	for _, sidecar := range sidecars {
		file, err := createFile(dir, sidecar.Name, target.NoCompression)
		if err != nil {
			return nil, err
		}
		out.more = append(out.more, file)
		if err := file.line(sidecar.JSON); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// all lists the files in the order of the manifest.
func (f *files) all() []*outFile {
	var all []*outFile
	for _, split := range splits {
		if s := f.sides[split]; s != nil {
			all = append(all, s.shards...)
		}
	}
	for _, file := range append([]*outFile{f.lineage, f.losses}, f.more...) {
		if file != nil {
			all = append(all, file)
		}
	}
	return all
}

func (f *files) close() error {
	var errs []error
	for _, file := range f.all() {
		errs = append(errs, file.close())
	}
	return errors.Join(errs...)
}

// finish closes the files and gives each its last name: how many shards a side
// has is known only now.
func (f *files) finish() error {
	if err := f.close(); err != nil {
		return err
	}
	renamed := map[string]string{}
	for _, split := range splits {
		s := f.sides[split]
		for i, shard := range s.shards {
			name := s.target.ShardName(split, i+1, len(s.shards)) + s.compression.Suffix()
			if name == shard.name {
				continue
			}
			renamed[shard.name] = name
			if err := os.Rename(filepath.Join(s.dir, shard.name), filepath.Join(s.dir, name)); err != nil {
				return err
			}
			shard.name = name
		}
	}
	if len(renamed) == 0 {
		return nil
	}
	return f.renameInLineage(renamed)
}

// renameInLineage writes the lineage again with the last names of the shards.
func (f *files) renameInLineage(renamed map[string]string) (err error) {
	path := filepath.Join(f.dir, lineageName)
	old, err := os.Open(path)
	if err != nil {
		return err
	}
	defer old.Close()
	// The open file outlives its name.
	if err := os.Remove(path); err != nil {
		return err
	}
	fresh, err := createFile(f.dir, lineageName, target.NoCompression)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fresh.close()) }()
	f.lineage = fresh
	for in := bufio.NewReaderSize(old, 1<<20); ; {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		} else if err != nil {
			return err
		}
		name, rest, ok := bytes.Cut(bytes.TrimPrefix(line, []byte(lineageStart)), []byte(`"`))
		if to, isRenamed := renamed[string(name)]; ok && isRenamed {
			line = fmt.Appendf(nil, `%s%s"%s`, lineageStart, to, rest)
		}
		if err := fresh.line(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return err
		}
	}
}

// side is a side of the split: a file, or several where one would be too large.
type side struct {
	dir         string
	split       string
	target      *target.Target
	limit       target.Limit
	compression target.Compression
	shards      []*outFile // the last is open
	tokens      int64      // of the last
}

// open begins the next shard.
func (s *side) open() error {
	name := s.target.FileName(s.split)
	if n := len(s.shards); n > 0 {
		if err := s.shards[n-1].close(); err != nil {
			return err
		}
		name = s.target.ShardName(s.split, n+1, 0)
	}
	file, err := createFile(s.dir, name+s.compression.Suffix(), s.compression)
	if err != nil {
		return err
	}
	file.split, file.prefix = s.split, s.target.Prefix()
	s.shards, s.tokens = append(s.shards, file), 0
	return nil
}

// line writes a line of so many tokens and gives the file that has it.
func (s *side) line(text []byte, tokens int64) (*outFile, error) {
	file := s.shards[len(s.shards)-1]
	// A file has a line, however large: an example is not cut.
	isFull := above(file.raw+int64(len(text))+1, s.limit.Bytes) || above(file.lines+1, s.limit.Lines) || above(s.tokens+tokens, s.limit.Tokens)
	if file.lines > 0 && isFull {
		if err := s.open(); err != nil {
			return nil, err
		}
		file = s.shards[len(s.shards)-1]
	}
	s.tokens += tokens
	return file, file.line(text)
}

func above(n, limit int64) bool { return limit > 0 && n > limit }

// least is what keeps both limits.
func least(a, b target.Limit) target.Limit {
	smaller := func(a, b int64) int64 {
		if a == 0 || b > 0 && b < a {
			return b
		}
		return a
	}
	return target.Limit{Bytes: smaller(a.Bytes, b.Bytes), Lines: smaller(a.Lines, b.Lines), Tokens: smaller(a.Tokens, b.Tokens)}
}

// outFile is a JSON Lines file that hashes what is written to it.
type outFile struct {
	name   string
	split  string // whose lines it has; empty: no training file
	prefix []byte // before the first line
	lines  int64
	raw    int64 // bytes before compression
	bytes  int64
	hash   hash.Hash
	file   *os.File
	buf    *bufio.Writer
	pack   io.WriteCloser // between the buffer and the file; nil: nothing
}

func createFile(dir, name string, compression target.Compression) (*outFile, error) {
	file, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	f := &outFile{name: name, hash: sha256.New(), file: file}
	var below io.Writer = written{f}
	switch compression {
	case target.Gzip:
		f.pack = gzip.NewWriter(below) // no name and no time: the same bytes each time
	case target.Zstd:
		if f.pack, err = zstd.NewWriter(below, zstd.WithEncoderConcurrency(1)); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	if f.pack != nil {
		below = f.pack
	}
	f.buf = bufio.NewWriterSize(below, 1<<20)
	return f, nil
}

// written passes bytes on to the file, its hash and its count.
type written struct{ *outFile }

func (w written) Write(p []byte) (int, error) {
	w.hash.Write(p)
	w.outFile.bytes += int64(len(p))
	return w.file.Write(p)
}

func (f *outFile) line(text []byte) error {
	if f.lines == 0 && len(f.prefix) > 0 {
		f.raw += int64(len(f.prefix))
		if _, err := f.buf.Write(f.prefix); err != nil {
			return err
		}
	}
	f.lines++
	f.raw += int64(len(text)) + 1
	if _, err := f.buf.Write(text); err != nil {
		return err
	}
	return f.buf.WriteByte('\n')
}

func (f *outFile) json(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.line(text)
}

// close ends the file and makes it durable. Closing again does nothing.
func (f *outFile) close() error {
	if f.file == nil {
		return nil
	}
	errs := []error{f.buf.Flush()}
	if f.pack != nil {
		errs = append(errs, f.pack.Close())
	}
	errs = append(errs, f.file.Sync(), f.file.Close())
	f.file, f.buf, f.pack = nil, nil, nil // an export may have many shards
	return errors.Join(errs...)
}

func (f *outFile) sum() string { return hex.EncodeToString(f.hash.Sum(nil)) }
