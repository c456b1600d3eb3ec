package files

import (
	"archive/zip"
	"cmp"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
)

// conversations are the members of a zip that are read: those of a ChatGPT
// data export, which holds them beside pictures and the account's data. Other
// archives are left to the formats.
var conversations = regexp.MustCompile(`^(conversations(-\d+)?|message_feedback)\.json$`)

// exported opens a zip of an export; nil: the file is none. What is read goes
// through the counter.
func exported(f *os.File, stored *counter) *members {
	var magic [4]byte
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if _, err := f.ReadAt(magic[:], 0); err != nil || string(magic[:]) != "PK\x03\x04" {
		return nil
	}
	archive, err := zip.NewReader(countedAt{f, stored}, info.Size())
	if err != nil {
		return nil
	}
	m := &members{}
	for _, file := range archive.File {
		if conversations.MatchString(path.Base(file.Name)) {
			m.left = append(m.left, file)
		}
	}
	if len(m.left) == 0 {
		return nil
	}
	slices.SortFunc(m.left, func(a, b *zip.File) int { return cmp.Compare(a.Name, b.Name) })
	return m
}

// members reads some files of an archive one after the other, a line between.
type members struct {
	left []*zip.File
	open io.ReadCloser
}

func (m *members) Read(p []byte) (int, error) {
	for {
		if m.open == nil {
			if len(m.left) == 0 {
				return 0, io.EOF
			}
			r, err := m.left[0].Open()
			if err != nil {
				return 0, err
			}
			m.open, m.left = r, m.left[1:]
		}
		n, err := m.open.Read(p)
		switch {
		case err == io.EOF && n == 0:
			m.open.Close()
			m.open = nil
			if len(m.left) > 0 && len(p) > 0 {
				p[0] = '\n'
				return 1, nil
			}
		case err == io.EOF:
			return n, nil
		default:
			return n, err
		}
	}
}

// countedAt counts what is read of an archive.
type countedAt struct {
	f      io.ReaderAt
	stored *counter
}

func (c countedAt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := c.f.ReadAt(p, offset)
	c.stored.count += int64(n)
	if n > 0 && c.stored.progress != nil {
		c.stored.progress(int64(n))
	}
	if err != nil && err != io.EOF {
		c.stored.err = err
	}
	return n, err
}
