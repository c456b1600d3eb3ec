package erasure

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// Finding is a place in a lake's folder that still holds what was erased.
type Finding struct {
	File   string `json:"file"`   // relative to the lake
	Where  string `json:"where"`  // bytes, a column, or within a compressed block
	Offset int64  `json:"offset"` // of the bytes, where they lie open
	Count  int    `json:"count"`  // pieces found there
}

// ScanReport is what Scan read and found.
type ScanReport struct {
	Files    int       `json:"files"`
	Bytes    int64     `json:"bytes"`   // on disk
	Decoded  int64     `json:"decoded"` // bytes of values in Parquet and of compressed blocks
	Prints   int       `json:"prints"`  // pieces that were looked for
	Findings []Finding `json:"findings"`
}

// Scan reads every byte below the lake's folder: files as they lie, the values
// of every Parquet file's columns, base64 in dead letters decoded, and what is
// compressed in any way that Kafka knows, such as batches of the embedded broker. It looks for the
// fingerprints of all that was erased, and for the plain names given. Progress is
// told the bytes read; it may be nil.
func Scan(ctx context.Context, lk *lake.Lake, names []string, progress func(bytes int64)) (ScanReport, error) {
	r, err := loadPrints(ctx, lk)
	if err != nil {
		return ScanReport{}, fmt.Errorf("scan: %w", err)
	}
	b := base(lk.ErasureKey())
	p := r.all()
	for _, name := range names {
		p.addName(b, name)
	}
	s := &scanner{searcher: p.searcher(b), report: ScanReport{Prints: p.count(), Findings: []Finding{}}}
	if progress == nil {
		progress = func(int64) {}
	}
	err = filepath.WalkDir(lk.Dir(), func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone meanwhile
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !entry.Type().IsRegular():
			return nil
		}
		relative, err := filepath.Rel(lk.Dir(), name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		if relative == printsName {
			return nil
		}
		n, err := s.file(name, relative)
		progress(n)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return s.report, fmt.Errorf("scan: %w", err)
	}
	return s.report, nil
}

type scanner struct {
	searcher
	report ScanReport
}

// file scans one file in every way that applies.
func (s *scanner) file(name, relative string) (int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	s.report.Files++
	read, err := s.raw(f, relative)
	s.report.Bytes += read
	if err != nil {
		return read, err
	}
	if strings.HasSuffix(relative, ".parquet") {
		layer, table := path.Split(path.Dir(relative))
		// A torn file is verify's to report; its bytes have been looked at.
		_ = readTexts(name, func(column string, _ int64, text []byte) {
			s.report.Decoded += int64(len(text))
			s.look(relative, "column "+column, -1, text)
			if path.Base(layer)+"."+table == deadLetters && column == "body" {
				if body, err := base64.StdEncoding.DecodeString(string(text)); err == nil {
					s.look(relative, "column body, base64", -1, body)
				}
			}
		})
	}
	return read, nil
}

const scanBlock = 1 << 20

// raw looks at the bytes as they lie, and at what is compressed within.
func (s *scanner) raw(f *os.File, relative string) (int64, error) {
	longest := max(batchBytes, s.reach) // what may lie across two blocks
	isParquet := strings.HasSuffix(relative, ".parquet")
	buffer := make([]byte, 0, scanBlock+longest)
	var at int64
	for {
		n, err := io.ReadFull(f, buffer[len(buffer):len(buffer)+scanBlock])
		fresh := len(buffer)
		buffer = buffer[:fresh+n]
		s.look(relative, "bytes", at-int64(fresh), buffer)
		if !isParquet {
			s.frames(f, relative, buffer, at-int64(fresh), fresh)
		}
		at += int64(n)
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return at, nil
			}
			return at, err
		}
		// What may go on in the next block is looked at again with it.
		keep := min(longest-1, len(buffer))
		buffer = append(buffer[:0], buffer[len(buffer)-keep:]...)
	}
}

// look searches a text. Offset is where it lies in the file; negative: nowhere
// in particular.
func (s *scanner) look(relative, where string, offset int64, text []byte) {
	s.search(text, func(at, _ int, _ uint64) {
		i := slices.IndexFunc(s.report.Findings, func(f Finding) bool { return f.File == relative && f.Where == where })
		if i < 0 {
			i = len(s.report.Findings)
			first := int64(-1)
			if offset >= 0 {
				first = offset + int64(at)
			}
			s.report.Findings = append(s.report.Findings, Finding{File: relative, Where: where, Offset: first})
		}
		s.report.Findings[i].Count++
	})
}
