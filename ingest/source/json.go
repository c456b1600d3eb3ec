package source

// maxDepth is how deep a record may nest: encoding/json reads no deeper.
const maxDepth = 10_000

// jsonScan follows one JSON value through chunks of bytes and says where it
// ends. It knows the grammar of brackets, commas and colons, so that a value
// which was cut off is noticed where the next one begins, not at the end of the
// file. Numbers, literals and escapes it leaves to json.Valid.
type jsonScan struct {
	stack   []byte // open brackets
	state   scanState
	isKey   bool // of the string that is being read
	escaped bool // the last byte was a backslash
}

type scanState uint8

const (
	wantValue scanState = iota
	wantValueOrEnd
	wantKey
	wantKeyOrEnd
	wantColon
	wantCommaOrEnd
	inString
	inScalar
)

type verdict uint8

const (
	more    verdict = iota // the chunk is used up
	whole                  // the value ends before chunk[n]
	invalid                // chunk[n] cannot stand where it is
)

func (s *jsonScan) reset() { *s = jsonScan{stack: s.stack[:0]} }

// feed reads on. n is how many bytes of the chunk belong to the value.
func (s *jsonScan) feed(chunk []byte) (n int, v verdict) {
	for i := 0; i < len(chunk); i++ {
		c := chunk[i]
		switch s.state {
		case inString:
			switch {
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				if s.isKey {
					s.state = wantColon
				} else if s.valueEnds() {
					return i + 1, whole
				}
			}
			// No string spans lines: what looks so is a line that was cut off.
			if c == '\n' {
				return i, invalid
			}
			continue
		case inScalar:
			if !isDelimiter(c) {
				continue
			}
			if s.valueEnds() {
				return i, whole
			}
		}
		if isSpace(c) {
			continue
		}
		if !s.step(c) {
			return i, invalid
		}
		if s.state == wantCommaOrEnd && len(s.stack) == 0 {
			return i + 1, whole
		}
	}
	return len(chunk), more
}

// step takes a byte outside strings and scalars.
func (s *jsonScan) step(c byte) bool {
	switch s.state {
	case wantColon:
		s.state = wantValue
		return c == ':'
	case wantCommaOrEnd:
		open := s.stack[len(s.stack)-1]
		if c == ',' {
			s.state = wantValue
			if open == '{' {
				s.state = wantKey
			}
			return true
		}
		return s.closes(c, open)
	case wantKey, wantKeyOrEnd:
		if c == '}' && s.state == wantKeyOrEnd {
			return s.closes(c, '{')
		}
		s.state, s.isKey = inString, true
		return c == '"'
	}
	switch c {
	case '{', '[':
		s.stack = append(s.stack, c)
		s.state = wantKeyOrEnd
		if c == '[' {
			s.state = wantValueOrEnd
		}
		return len(s.stack) <= maxDepth
	case '"':
		s.state, s.isKey = inString, false
		return true
	case ']':
		return s.state == wantValueOrEnd && s.closes(c, '[')
	}
	s.state = inScalar
	return !isDelimiter(c)
}

func (s *jsonScan) closes(c, open byte) bool {
	if open == '{' && c != '}' || open == '[' && c != ']' {
		return false
	}
	s.stack = s.stack[:len(s.stack)-1]
	s.state = wantCommaOrEnd
	return true
}

// valueEnds is called where a string or scalar ended; true: it was the value.
func (s *jsonScan) valueEnds() bool {
	s.state = wantCommaOrEnd
	return len(s.stack) == 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func isDelimiter(c byte) bool {
	switch c {
	case ',', ':', '{', '}', '[', ']', '"':
		return true
	}
	return isSpace(c)
}
