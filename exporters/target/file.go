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

// checked is what was found in some lines.
type checked struct {
	found []Finding
	keyed keyed
}

// keyed are the first lines with and without the key that all lines of a file
// have or none; 0: there is none yet.
type keyed struct{ with, without int }

func (k *keyed) add(has bool, line int) {
	at := &k.without
	if has {
		at = &k.with
	}
	if *at == 0 {
		*at = line
	}
}

func (k *keyed) join(later keyed) {
	if k.with == 0 {
		k.with = later.with
	}
	if k.without == 0 {
		k.without = later.without
	}
}

// checkBytes is how much of a file a worker takes at a time.
const checkBytes = 1 << 20

// checkLines checks all lines and counts those that are not blank.
func (t *Target) checkLines(in *bufio.Reader, report func(Finding)) (lines int64, err error) {
	workers := runtime.GOMAXPROCS(0)
	type batch struct {
		first int // number of its first line
		lines []rawLine
		found chan checked
	}
	work, order := make(chan batch), make(chan batch, workers)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for b := range work {
				var all checked
				for i, line := range b.lines {
					number := b.first + i
					found, read := t.checkRaw(line.text, number, line.tooLong)
					for _, finding := range found {
						finding.Line = number
						all.found = append(all.found, finding)
					}
					if read != nil && t.allOrNone != "" {
						_, has := read[t.allOrNone]
						all.keyed.add(has, number)
					}
				}
				b.found <- all
			}
		})
	}
	running.Go(func() {
		defer close(work)
		defer close(order)
		for number := 1; err == nil; {
			b := batch{first: number, found: make(chan checked, 1)}
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
	var seen keyed
	for b := range order {
		all := <-b.found
		for _, finding := range all.found {
			report(finding)
		}
		seen.join(all.keyed)
	}
	running.Wait()
	if seen.with > 0 && seen.without > 0 {
		report(Finding{Line: seen.without, Path: t.allOrNone, Rule: ruleMissing, What: fmt.Sprintf("is missing, and line %d has it: then every line needs it", seen.with)})
	}
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

// checkRaw checks a line of a file and gives it as it was read; nil: it is no
// object.
func (t *Target) checkRaw(line []byte, number int, tooLong bool) ([]Finding, object) {
	one := func(rule, what string) ([]Finding, object) { return []Finding{{Rule: rule, What: what}}, nil }
	switch {
	case tooLong:
		return one(ruleLength, fmt.Sprintf("is longer than %d MiB", maxLineBytes>>20))
	case isBlank(line):
		return one(ruleBlank, "is blank")
	case !utf8.Valid(line):
		return one(ruleJSON, "is no valid UTF-8")
	}
	if number > 1 {
		return t.checkLine(line)
	}
	rest, marked := bytes.CutPrefix(line, bom)
	found, read := t.checkLine(rest)
	if marked && !t.BOM {
		found = slices.Insert(found, 0, Finding{Rule: ruleBOM, What: "begins with a byte order mark"})
	}
	if !marked && t.BOM {
		found = slices.Insert(found, 0, Finding{Rule: ruleBOM, What: "does not begin with a byte order mark, which the provider wants"})
	}
	return found, read
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
