package exporters

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/exporters/tokens"
	"github.com/weir-lake/weir/lake/duck"
)

func readAgents(ctx context.Context, session *duck.Session, query string) (map[string]bool, error) {
	names, err := session.Strings(ctx, query)
	if err != nil {
		return nil, err
	}
	agents := map[string]bool{}
	for _, name := range names {
		agents[name] = true
	}
	return agents, nil
}

// base counts what an example takes besides its messages.
func (e *exporting) base(example *canonical.Example) int {
	return tokens.PerConversation + e.counter.Tools(example.Tools)
}

// write has DuckDB write the examples as sorted Parquet, and streams them into
// the files of a folder. No row leaves DuckDB as a query result: the driver
// would hold all of them.
func (e *exporting) write(ctx context.Context, session *duck.Session, temp, dir string) (err error) {
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(temp, "export-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	parquet := filepath.Join(scratch, "examples.parquet")
	if err := session.Exec(ctx, "copy (\n"+e.source.examples+"\n) to "+duck.Literal(parquet)+" (format parquet, compression zstd, row_group_size 2048)"); err != nil {
		return err
	}
	reader, err := canonical.Open(ctx, parquet)
	if err != nil {
		return err
	}
	defer reader.Close()
	out, err := createFiles(dir, e.target)
	if err != nil {
		return err
	}
	if err := e.stream(ctx, reader, out); err != nil {
		return errors.Join(err, out.close())
	}
	if err := out.close(); err != nil {
		return err
	}
	if err := e.manifest.addUp(); err != nil {
		return err
	}
	e.manifest.finish(out)
	if err := e.check(dir); err != nil {
		return err
	}
	return e.manifest.write(dir)
}

func (e *exporting) stream(ctx context.Context, reader *canonical.Reader, out *files) error {
	var done int64
	for {
		examples, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, example := range examples {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := e.example(example, out); err != nil {
				return err
			}
		}
		done += int64(len(examples))
		if e.opts.Progress != nil {
			e.opts.Progress(done, reader.Rows())
		}
	}
}

func (e *exporting) example(example canonical.Example, out *files) error {
	result, err := e.target.Convert(example, e.convert)
	if err != nil {
		return err
	}
	e.manifest.count(example, result)
	if len(result.Losses) > 0 {
		loss := lossLine{ExampleID: example.ID, Split: example.Split, Dropped: string(result.Dropped), Rules: result.Losses}
		if err := out.losses.json(loss); err != nil {
			return err
		}
	}
	var supervised int64
	for _, line := range result.Lines {
		file := out.bySplit[example.Split]
		if err := file.line(line.JSON); err != nil {
			return err
		}
		all, trained := e.tokens(line)
		e.manifest.countLine(example.Split, line.Targets, all, trained)
		supervised += trained
		origin := lineageLine{
			File: file.name, Line: file.lines, ExampleID: example.ID, SubjectID: example.SubjectID,
			ContentHash: example.ContentHash, OriginEventIDs: example.OriginEventIDs,
		}
		if err := out.lineage.json(origin); err != nil {
			return err
		}
	}
	if len(result.Losses) > 0 { // else the line has all of it
		supervised = e.supervised(example)
	}
	e.manifest.countSupervised(example.Split, supervised)
	return nil
}

// supervised counts what is to be trained of an example.
func (e *exporting) supervised(example canonical.Example) (n int64) {
	for _, m := range example.Messages {
		if canonical.IsTarget(m) {
			n += int64(e.counter.Reply(m))
		}
	}
	return n
}

// tokens counts what a line holds, and what of it is trained.
func (e *exporting) tokens(line target.Line) (all, trained int64) {
	all = int64(e.base(&line.Example))
	for _, m := range line.Example.Messages {
		all += int64(e.counter.Message(m))
		if canonical.IsTarget(m) {
			trained += int64(e.counter.Reply(m))
		}
	}
	return all, trained
}

// check reads the finished files again by the provider's rules. A file with
// too few lines is a warning: the provider will refuse it, but it is what there
// is. Anything else is a fault of weir's, and nothing is put in place.
func (e *exporting) check(dir string) error {
	for _, split := range splits {
		name := e.target.FileName(split)
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		var faults []error
		err = e.target.CheckFile(file, func(f target.Finding) {
			if f.Line == 0 {
				e.manifest.Warnings = append(e.manifest.Warnings, name+" "+f.What)
				return
			}
			if len(faults) < 5 {
				faults = append(faults, fmt.Errorf("%s:%s", name, f))
			}
		})
		if err := errors.Join(err, file.Close(), errors.Join(faults...)); err != nil {
			return err
		}
	}
	return nil
}

// lineageLine ties a line of a file to what it was made from.
type lineageLine struct {
	File           string   `json:"file"`
	Line           int64    `json:"line"` // 1-based
	ExampleID      string   `json:"example_id"`
	SubjectID      string   `json:"subject_id"`
	ContentHash    string   `json:"content_hash"`
	OriginEventIDs []string `json:"origin_event_ids"`
}

// lossLine says what a conversion did to an example.
type lossLine struct {
	ExampleID string        `json:"example_id"`
	Split     string        `json:"split"`
	Dropped   string        `json:"dropped,omitempty"` // rule that dropped it
	Rules     target.Losses `json:"rules"`             // how often each rule fired
}

// files are the files of an export while they are written.
type files struct {
	bySplit map[string]*outFile
	lineage *outFile
	losses  *outFile
	all     []*outFile // in the order of the manifest
}

func createFiles(dir string, t *target.Target) (*files, error) {
	out := &files{bySplit: map[string]*outFile{}}
	names := []string{"lineage.jsonl", "losses.jsonl"}
	for i, split := range splits {
		names = slices.Insert(names, i, t.FileName(split))
	}
	for _, name := range names {
		file, err := createFile(dir, name)
		if err != nil {
			return nil, errors.Join(err, out.close())
		}
		out.all = append(out.all, file)
	}
	for i, split := range splits {
		out.bySplit[split] = out.all[i]
		out.all[i].prefix = t.Prefix()
	}
	out.lineage, out.losses = out.all[len(splits)], out.all[len(splits)+1]
	for _, sidecar := range t.Sidecars() {
		file, err := createFile(dir, sidecar.Name)
		if err != nil {
			return nil, errors.Join(err, out.close())
		}
		out.all = append(out.all, file)
		if err := file.line(sidecar.JSON); err != nil {
			return nil, errors.Join(err, out.close())
		}
	}
	return out, nil
}

func (f *files) close() error {
	var errs []error
	for _, file := range f.all {
		errs = append(errs, file.close())
	}
	return errors.Join(errs...)
}

// outFile is a JSON Lines file that hashes what is written to it.
type outFile struct {
	name   string
	prefix []byte // before the first line
	lines  int64
	bytes  int64
	hash   hash.Hash
	file   *os.File
	buf    *bufio.Writer
}

func createFile(dir, name string) (*outFile, error) {
	file, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	return &outFile{name: name, hash: sum, file: file, buf: bufio.NewWriterSize(io.MultiWriter(file, sum), 1<<20)}, nil
}

func (f *outFile) line(text []byte) error {
	if f.lines == 0 && len(f.prefix) > 0 {
		f.bytes += int64(len(f.prefix))
		if _, err := f.buf.Write(f.prefix); err != nil {
			return err
		}
	}
	f.lines++
	f.bytes += int64(len(text)) + 1
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

func (f *outFile) close() error {
	if f.file == nil {
		return nil
	}
	err := errors.Join(f.buf.Flush(), f.file.Sync(), f.file.Close())
	f.file = nil
	return err
}

func (f *outFile) sum() string { return hex.EncodeToString(f.hash.Sum(nil)) }
