package erasure_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/weir-lake/weir/lake/laketest"
)

// squeezed is a text in every form in which a producer may compress a batch.
func squeezed(t *testing.T, text []byte) map[string][]byte {
	t.Helper()
	forms := map[string][]byte{}
	write := func(name string, w io.WriteCloser, into *bytes.Buffer) {
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		forms[name] = into.Bytes()
	}
	var z, g, l bytes.Buffer
	zw, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	write("zstd", zw, &z)
	write("gzip", gzip.NewWriter(&g), &g)
	write("lz4", lz4.NewWriter(&l), &l)

	xerial := []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")
	for _, half := range [][]byte{text[:len(text)/2], text[len(text)/2:]} {
		block := snappy.Encode(nil, half)
		xerial = append(binary.BigEndian.AppendUint32(xerial, uint32(len(block))), block...)
	}
	forms["snappy, framed"] = xerial

	batch := append(make([]byte, 61), snappy.Encode(nil, text)...)
	binary.BigEndian.PutUint32(batch[8:], uint32(len(batch)-12))
	batch[16], batch[22] = 2, 2
	binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[21:], crc32.MakeTable(crc32.Castagnoli)))
	forms["snappy, bare"] = batch
	return forms
}

// What was compressed is found wherever it lies in a file, also where a batch
// begins in one block that is read and goes on in the next.
func TestScanOpensEveryCompression(t *testing.T) {
	const name = "marguerite@example.com"
	// Of parts that came before, so that no form has the name as it is.
	text := []byte(strings.Repeat("example.com|marguerite@|"+name+"|", 40))
	lk := laketest.New(t)
	path := filepath.Join(lk.BrokerDir(), "segment.dat")
	if err := os.MkdirAll(lk.BrokerDir(), 0o777); err != nil {
		t.Fatal(err)
	}
	for form, body := range squeezed(t, text) {
		t.Run(form, func(t *testing.T) {
			if bytes.Contains(body, []byte(name)) {
				t.Fatal("the name lies open")
			}
			for _, before := range []int{0, 5, 1<<20 - 40, 1<<20 - 20, 1<<20 - 16, 1<<20 - 3, 1 << 20, 2<<20 - 22} {
				file := append(bytes.Repeat([]byte{0xab}, before), body...)
				for _, whole := range [][]byte{append(file[:len(file):len(file)], bytes.Repeat([]byte{0xcd}, 100)...), file} {
					if err := os.WriteFile(path, whole, 0o666); err != nil {
						t.Fatal(err)
					}
					left := found(t, lk, name)
					if len(left) != 1 || !strings.HasPrefix(form, strings.Fields(left[0].Where)[0]) || left[0].File != "_broker/segment.dat" {
						t.Errorf("behind %d bytes: found %+v", before, left)
					}
				}
			}
		})
	}
	// A batch whose checksum is another's is none.
	body := squeezed(t, text)["snappy, bare"]
	body[17]++
	if err := os.WriteFile(path, body, 0o666); err != nil {
		t.Fatal(err)
	}
	if left := found(t, lk, name); len(left) > 0 {
		t.Errorf("found %+v", left)
	}
}
