package erasure

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// A file of records, such as the embedded broker's, holds batches that their
// producers compressed as they liked. They are found wherever they lie, so that
// the way the file frames them does not matter.

// frameBytes is the most that is read of a compressed block, and the most that
// is taken out of it: beyond the largest batch that a broker of ours takes.
const frameBytes = 64 << 20

// codecs are forms of compression that begin in a way of their own.
var codecs = []struct {
	name  string
	magic []byte
	open  func(io.Reader) (io.Reader, error)
}{
	{"zstd", []byte{0x28, 0xb5, 0x2f, 0xfd}, func(r io.Reader) (io.Reader, error) {
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(frameBytes), zstd.IgnoreChecksum(true))
	}},
	{"gzip", []byte{0x1f, 0x8b, 0x08}, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	{"lz4", []byte{0x04, 0x22, 0x4d, 0x18}, func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }},
	{"snappy", xerialMagic, func(r io.Reader) (io.Reader, error) { return &xerial{r: r}, nil }},
}

// frames looks through what is compressed within a buffer of a file, where it
// begins at or behind from. The buffer lies at an offset of the file.
func (s *scanner) frames(f *os.File, relative string, buffer []byte, offset int64, from int) {
	for _, codec := range codecs {
		at := max(0, from-len(codec.magic)+1)
		for {
			next := bytes.Index(buffer[at:], codec.magic)
			if next < 0 {
				break
			}
			at += next
			start := offset + int64(at)
			if r, err := codec.open(io.NewSectionReader(f, start, frameBytes)); err == nil {
				s.frame(r, relative, codec.name, start)
			}
			at += len(codec.magic)
		}
	}
	s.blocks(f, relative, buffer, offset, from)
}

// frame looks through one compressed frame. What is none, or is cut off, ends it.
func (s *scanner) frame(r io.Reader, relative, codec string, offset int64) {
	var text bytes.Buffer
	_, _ = io.Copy(&text, io.LimitReader(bufio.NewReader(r), frameBytes)) // up to where it makes no sense
	if closer, ok := r.(interface{ Close() }); ok {
		closer.Close()
	}
	s.inside(relative, codec, offset, text.Bytes())
}

func (s *scanner) inside(relative, codec string, offset int64, text []byte) {
	s.report.Decoded += int64(len(text))
	s.look(relative, fmt.Sprintf("%s at byte %d", codec, offset), -1, text)
}

// Kafka's record batch, version 2, up to its records.
const (
	batchBytes      = 61
	batchLengthAt   = 8
	batchMagicAt    = 16
	batchCRCAt      = 17
	batchAttributes = 21
	batchSnappy     = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// blocks looks through batches compressed with snappy in its bare form, which
// begins like nothing else: so the batch is looked for, and its checksum tells.
func (s *scanner) blocks(f *os.File, relative string, buffer []byte, offset int64, from int) {
	const after = batchAttributes + 2 - batchMagicAt
	at := max(batchMagicAt, from-after+1)
	for at+after <= len(buffer) {
		next := bytes.IndexByte(buffer[at:len(buffer)-after+1], 2) // the version
		if next < 0 {
			return
		}
		at += next
		begin := at - batchMagicAt
		attributes := binary.BigEndian.Uint16(buffer[begin+batchAttributes:])
		length := int64(binary.BigEndian.Uint32(buffer[begin+batchLengthAt:])) + batchLengthAt + 4
		if attributes&7 == batchSnappy && attributes < 1<<7 && length > batchBytes && length <= frameBytes {
			s.block(f, relative, offset+int64(begin), length)
		}
		at++
	}
}

func (s *scanner) block(f *os.File, relative string, offset, length int64) {
	batch := make([]byte, length)
	if _, err := f.ReadAt(batch, offset); err != nil {
		return
	}
	if crc32.Checksum(batch[batchAttributes:], castagnoli) != binary.BigEndian.Uint32(batch[batchCRCAt:]) {
		return
	}
	records := batch[batchBytes:]
	if bytes.HasPrefix(records, xerialMagic) {
		return // found by how it begins
	}
	if n, err := snappy.DecodedLen(records); err != nil || n > frameBytes {
		return
	}
	if text, err := snappy.Decode(nil, records); err == nil {
		s.inside(relative, "snappy", offset+batchBytes, text)
	}
}

// xerialMagic begins the framing of snappy-java, which Kafka's own clients use:
// versions in eight bytes, then blocks, each after its length.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

type xerial struct {
	r      io.Reader
	begun  bool
	decode []byte
}

var errFraming = errors.New("no framing of snappy-java")

func (x *xerial) Read(p []byte) (int, error) {
	if !x.begun {
		if _, err := io.CopyN(io.Discard, x.r, int64(len(xerialMagic))+8); err != nil {
			return 0, err
		}
		x.begun = true
	}
	for len(x.decode) == 0 {
		var length uint32
		if err := binary.Read(x.r, binary.BigEndian, &length); err != nil {
			return 0, err
		}
		if length > frameBytes {
			return 0, errFraming
		}
		block := make([]byte, length)
		if _, err := io.ReadFull(x.r, block); err != nil {
			return 0, err
		}
		if n, err := snappy.DecodedLen(block); err != nil || n > frameBytes {
			return 0, errFraming
		}
		var err error
		if x.decode, err = snappy.Decode(nil, block); err != nil {
			return 0, err
		}
	}
	n := copy(p, x.decode)
	x.decode = x.decode[n:]
	return n, nil
}
