package discord

import (
	"bytes"
	"io"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// maxHeader bounds what stands before the messages: guild, channel, range.
const maxHeader = 1 << 20

// document takes the array of messages out of the document around it, so that
// its elements can be read one by one. It reads as the array alone, each byte
// on its line of the document. The array ends where its bracket is closed; what
// follows is kept as tail.
type document struct {
	r      io.Reader
	head   []byte         // up to the array, its bracket included
	header rawjson.Object // what the head says
	rest   []byte         // read behind the head
	lines  int            // line breaks of the head that were not yet handed out
	begun  bool           // the bracket was handed out
	scan   brackets
	ended  bool

	tail      []byte // at most source.RejectBytes
	tailBytes int64
}

// brackets follows brackets outside of strings.
type brackets struct {
	depth             int
	inString, escaped bool
}

func (b *brackets) step(c byte) {
	switch {
	case b.escaped:
		b.escaped = false
	case b.inString:
		// No string spans lines: one that seems to was cut off.
		b.escaped = c == '\\'
		b.inString = c != '"' && c != '\n'
	case c == '"':
		b.inString = true
	case c == '{' || c == '[':
		b.depth++
	case c == '}' || c == ']':
		b.depth--
	}
}

// open reads the head. The fault is the reason of a reject: it is no document
// as it should be, and head is what was read of it.
func (d *document) open() (fault string, err error) {
	var scan brackets
	buf := make([]byte, 64<<10)
	key := []byte(`"messages"`)
	for {
		n, err := d.r.Read(buf)
		for i, c := range buf[:n] {
			d.head = append(d.head, c)
			scan.step(c)
			if c != '[' || scan.inString || scan.depth != 2 {
				continue
			}
			before := bytes.TrimRight(d.head[:len(d.head)-1], " \t\r\n")
			before, colon := bytes.CutSuffix(before, []byte(":"))
			if !colon || !bytes.HasSuffix(bytes.TrimRight(before, " \t\r\n"), key) {
				continue
			}
			d.header = rawjson.Parse(append(bytes.TrimPrefix(bytes.Clone(d.head), []byte("\ufeff")), "]}"...))
			if d.header == nil || d.header.Object("channel").ID("id") == "" {
				d.head = append(d.head, buf[i+1:n]...)
				return source.ReasonIncomplete, nil
			}
			d.rest = bytes.Clone(buf[i+1 : n])
			d.lines = bytes.Count(d.head, []byte{'\n'})
			d.scan.depth = 1
			return "", nil
		}
		switch {
		case err == io.EOF:
			if scan.depth > 0 || scan.inString {
				return source.ReasonTruncated, nil
			}
			return source.ReasonUnknownType, nil
		case err != nil:
			return "", err
		case len(d.head) > maxHeader:
			return source.ReasonTooLarge, nil
		}
	}
}

// Read implements io.Reader.
func (d *document) Read(p []byte) (int, error) {
	n := 0
	for ; d.lines > 0 && n < len(p); n++ {
		p[n] = '\n'
		d.lines--
	}
	if !d.begun && n < len(p) {
		p[n] = '['
		d.begun = true
		n++
	}
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	for {
		n, err := copy(p, d.rest), error(nil)
		if n > 0 {
			d.rest = d.rest[n:]
		} else {
			n, err = d.r.Read(p)
		}
		if n = d.pass(p[:n]); n > 0 || err != nil {
			return n, err
		}
	}
}

// pass returns how much of chunk belongs to the array.
func (d *document) pass(chunk []byte) int {
	for i, c := range chunk {
		if d.ended {
			rest := chunk[i:]
			d.tailBytes += int64(len(rest))
			d.tail = append(d.tail, rest[:min(len(rest), source.RejectBytes-len(d.tail))]...)
			return i
		}
		d.scan.step(c)
		d.ended = d.scan.depth == 0
	}
	return len(chunk)
}
