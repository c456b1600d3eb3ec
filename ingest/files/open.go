package files

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/weir-lake/weir/ingest/source"
)

// headBytes is what detection may look at.
const headBytes = 64 << 10

// input is an open file.
type input struct {
	source.Input
	probe    source.Probe
	empty    bool
	stored   *counter // of the bytes as stored
	unpacked *unpacker
	close    func()
}

// counter counts what goes through, and remembers an error of the disk.
type counter struct {
	R        io.Reader
	count    int64
	err      error
	progress func(int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.R.Read(p)
	c.count += int64(n)
	if n > 0 && c.progress != nil {
		c.progress(int64(n))
	}
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// unpacker remembers the error of a decompressor and ends there: what could be
// unpacked is read, and the rest is one dead letter.
type unpacker struct {
	r      io.Reader
	stored *counter
	err    error
}

func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		if u.stored.err != nil {
			return n, u.stored.err
		}
		u.err = err
		return n, io.EOF
	}
	return n, err
}

// open opens a file and unpacks it where its first bytes say gzip or zstd, or
// where it is a zip of an export that we know.
func open(file File, stdin io.Reader, progress func(int64)) (*input, error) {
	in := &input{Input: source.Input{Name: file.Name}, close: func() {}, stored: &counter{progress: progress}}
	if file.Name == "-" {
		if stdin == nil {
			return nil, errors.New("no standard input")
		}
		in.stored.R = stdin
	} else {
		f, err := os.Open(file.Name)
		if err != nil {
			return nil, err
		}
		in.close = func() { f.Close() }
		in.Path, in.stored.R = file.Name, f
		if members := exported(f, in.stored); members != nil {
			in.unpack(members, nil)
			return in.begin(bufio.NewReaderSize(in.unpacked, headBytes), path.Base(members.left[0].Name))
		}
	}
	plain := bufio.NewReaderSize(in.stored, headBytes)
	magic, err := plain.Peek(4)
	if err != nil && err != io.EOF {
		in.close()
		return nil, err
	}
	base := filepath.Base(file.Name)
	head := plain
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		r, err := gzip.NewReader(plain)
		in.unpack(r, err)
		base = strings.TrimSuffix(base, ".gz")
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		r, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err == nil {
			closeFile := in.close
			in.close = func() { r.Close(); closeFile() }
		}
		in.unpack(r, err)
		base = strings.TrimSuffix(strings.TrimSuffix(base, ".zst"), ".zstd")
	}
	if in.unpacked != nil {
		head = bufio.NewReaderSize(in.unpacked, headBytes)
	}
	return in.begin(head, base)
}

// begin takes the head of what the file holds, for detection.
func (in *input) begin(head *bufio.Reader, base string) (*input, error) {
	if in.unpacked != nil {
		in.Path = ""
	}
	in.R = head
	in.probe.Name = base
	var err error
	in.probe.Head, err = head.Peek(headBytes)
	if err != nil && err != io.EOF {
		in.close()
		return nil, fmt.Errorf("%s: %w", in.Name, err)
	}
	in.probe.Head = bytes.Clone(in.probe.Head) // reading on overwrites the buffer
	in.empty = len(in.probe.Head) == 0
	return in, nil
}

// unpack reads on through a decompressor, or from nothing where it could not
// even begin.
func (in *input) unpack(r io.Reader, err error) {
	in.unpacked = &unpacker{r: r, stored: in.stored, err: err}
	if err != nil {
		in.unpacked.r = bytes.NewReader(nil)
	}
}
