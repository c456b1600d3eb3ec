package exporters

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/weir-lake/weir/exporters/target"
)

// Finding is a fault in a file that a target would refuse or misread.
type Finding struct {
	File string `json:"file"`
	target.Finding
}

// String is file:line: path: what (rule).
func (f Finding) String() string { return f.File + ":" + f.Finding.String() }

// Validate checks files, weir's or not, by a target's rules. Those that gzip or
// zstd packed are unpacked.
func Validate(targetName string, paths []string, report func(Finding)) error {
	t, err := target.Named(targetName)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := validateFile(t, path, report); err != nil {
			return fmt.Errorf("validate: %w", err)
		}
	}
	return nil
}

func validateFile(t *target.Target, path string, report func(Finding)) error {
	return checkFile(t, path, func(f target.Finding) { report(Finding{File: path, Finding: f}) })
}

// checkFile checks a file by a target's rules, unpacked where it is packed.
func checkFile(t *target.Target, path string, report func(target.Finding)) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines, done, err := unpack(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer done()
	if err := t.CheckFile(lines, report); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// unpack goes by a file's first bytes: a name may say anything.
func unpack(file io.Reader) (lines io.Reader, done func(), err error) {
	in := bufio.NewReaderSize(file, 1<<16)
	start, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		unpacked, err := gzip.NewReader(in)
		return unpacked, func() {}, err
	case bytes.Equal(start, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		unpacked, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		return unpacked, unpacked.Close, nil
	}
	return in, func() {}, nil
}
