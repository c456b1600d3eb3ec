package messages

import (
	"bytes"
	"io"
)

// lists takes the outer brackets and commas off an array of arrays, so that
// each inner array stands by itself and can be read one at a time. Every byte
// stays in its place or becomes a blank: lines keep their numbers.
type lists struct {
	r       io.Reader
	depth   int
	text    bool // within a string
	escaped bool
}

func (l *lists) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for i, c := range p[:n] {
		switch {
		case l.escaped:
			l.escaped = false
		case l.text:
			l.escaped = c == '\\'
			// No string spans lines: the brackets of what is cut off still count.
			l.text = c != '"' && c != '\n'
		case c == '"':
			l.text = true
		case c == '[' || c == '{':
			if l.depth == 0 && c == '[' {
				p[i] = ' '
			}
			l.depth++
		case c == ']' || c == '}':
			if l.depth > 0 {
				l.depth--
			}
			if l.depth == 0 && c == ']' {
				p[i] = ' '
			}
		case c == ',' && l.depth == 1:
			p[i] = ' '
		}
	}
	return n, err
}

// layout is how a file lays out its conversations.
type layout int

const (
	objects   layout = iota // an object each, in lines or in an array
	oneList                 // the file is one array of messages
	manyLists               // an array of arrays of messages
)

func layoutOf(head []byte) layout {
	rest := bytes.TrimLeft(head, "\ufeff \t\r\n")
	if !bytes.HasPrefix(rest, []byte("[")) {
		return objects
	}
	rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	switch {
	case bytes.HasPrefix(rest, []byte("[")):
		return manyLists
	case isMessage(rest):
		return oneList
	}
	return objects
}
