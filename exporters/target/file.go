package target

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// CheckFile checks a whole file, weir's or not, and reports each fault as it
// is found. The error is one of reading.
func (t *Target) CheckFile(r io.Reader, report func(Finding)) error {
	in := bufio.NewReaderSize(r, 1<<20)
	lines := 0
	for number := 1; ; number++ {
		line, tooLong, err := readLine(in)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		found := t.checkRaw(line, number, tooLong)
		for _, finding := range found {
			finding.Line = number
			report(finding)
		}
		if tooLong || !isBlank(line) {
			lines++
		}
	}
	if lines < t.MinLines {
		report(Finding{Rule: ruleTooFew, What: fmt.Sprintf("has %d examples; the provider takes %d or more", lines, t.MinLines)})
	}
	if t.MaxLines > 0 && lines > t.MaxLines {
		report(Finding{Rule: ruleTooMany, What: fmt.Sprintf("has %d examples; the provider takes %d at most", lines, t.MaxLines)})
	}
	return nil
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
