package target

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"unicode/utf8"
)

// CheckFile checks a whole file, weir's or not, and reports each fault in the
// order of the lines. The error is one of reading. Lines are checked on all
// CPUs; report is called by one goroutine at a time. The file is unpacked already, and its
// size is what was read.
func (t *Target) CheckFile(r io.Reader, report func(Finding)) error {
	limit, err := t.FileLimit("train")
	if err != nil {
		return err
	}
	size := &counted{Reader: r}
	lines, err := t.checkLines(bufio.NewReaderSize(size, 1<<20), report)
	if err != nil {
		return err
	}
	if lines < int64(t.MinLines) {
		report(Finding{Rule: ruleTooFew, What: fmt.Sprintf("has %d examples; the provider takes %d or more", lines, t.MinLines)})
	}
	if limit.Lines > 0 && lines > limit.Lines {
		report(Finding{Rule: ruleTooMany, What: fmt.Sprintf("has %d examples; the provider takes %d at most", lines, limit.Lines)})
	}
	if limit.Bytes > 0 && size.bytes > limit.Bytes {
		report(Finding{Rule: ruleTooLarge, What: fmt.Sprintf("has %d bytes; the provider takes %d at most", size.bytes, limit.Bytes)})
	}
	return nil
}

// counted counts what is read.
type counted struct {
	io.Reader
	bytes int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.bytes += int64(n)
	return n, err
}

// rawLine is a line as it was read.
type rawLine struct {
	text    []byte
	tooLong bool
}

// checkBytes is how much of a file a worker takes at a time.
const checkBytes = 1 << 20

// checkLines checks all lines and counts those that are not blank.
func (t *Target) checkLines(in *bufio.Reader, report func(Finding)) (lines int64, err error) {
	workers := runtime.GOMAXPROCS(0)
	type batch struct {
		first int // number of its first line
		lines []rawLine
		found chan []Finding
	}
	work, order := make(chan batch), make(chan batch, workers)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for b := range work {
				var found []Finding
				for i, line := range b.lines {
					for _, finding := range t.checkRaw(line.text, b.first+i, line.tooLong) {
						finding.Line = b.first + i
						found = append(found, finding)
					}
				}
				b.found <- found
			}
		})
	}
	running.Go(func() {
		defer close(work)
		defer close(order)
		for number := 1; err == nil; {
			b := batch{first: number, found: make(chan []Finding, 1)}
			for size := 0; size < checkBytes; number++ {
				var line rawLine
				if line.text, line.tooLong, err = readLine(in); err != nil {
					if !errors.Is(err, io.EOF) {
						err = fmt.Errorf("line %d: %w", number, err)
					}
					break
				}
				size += len(line.text) + 1
				b.lines = append(b.lines, line)
				if line.tooLong || !isBlank(line.text) {
					lines++
				}
			}
			order <- b
			work <- b
		}
	})
	for b := range order {
		for _, finding := range <-b.found {
			report(finding)
		}
	}
	running.Wait()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return lines, err
}

// Prefix is what a file of the target begins with, before its first line.
func (t *Target) Prefix() []byte {
	if t.BOM {
		return bytes.Clone(bom)
	}
	return nil
}

var bom = []byte("\xef\xbb\xbf")

func (t *Target) checkRaw(line []byte, number int, tooLong bool) []Finding {
	switch {
	case tooLong:
		return []Finding{{Rule: ruleLength, What: fmt.Sprintf("is longer than %d MiB", maxLineBytes>>20)}}
	case isBlank(line):
		return []Finding{{Rule: ruleBlank, What: "is blank"}}
	case !utf8.Valid(line):
		return []Finding{{Rule: ruleJSON, What: "is no valid UTF-8"}}
	}
	if number > 1 {
		return t.CheckLine(line)
	}
	rest, marked := bytes.CutPrefix(line, bom)
	found := t.CheckLine(rest)
	if marked && !t.BOM {
		found = slices.Insert(found, 0, Finding{Rule: ruleBOM, What: "begins with a byte order mark"})
	}
	if !marked && t.BOM {
		found = slices.Insert(found, 0, Finding{Rule: ruleBOM, What: "does not begin with a byte order mark, which the provider wants"})
	}
	return found
}

// readLine reads a line without its end. One that is longer than maxLineBytes
// is read to its end and not kept. io.EOF comes only where there is no line.
func readLine(in *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxLineBytes {
			tooLong, line = true, nil
		}
		if !tooLong {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && (len(part) > 0 || len(line) > 0 || tooLong):
			return bytes.TrimRight(line, "\r\n"), tooLong, nil
		case err != nil:
			return nil, false, err
		}
		return bytes.TrimRight(line, "\r\n"), tooLong, nil
	}
}
