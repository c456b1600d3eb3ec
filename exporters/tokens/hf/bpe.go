package hf

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"strings"
)

// model is the model of a tokenizer.json.
type model struct {
	Type         string           `json:"type"`
	Vocab        map[string]int32 `json:"vocab"`
	Merges       json.RawMessage  `json:"merges"` // "a b" or ["a", "b"]
	Dropout      *float64         `json:"dropout"`
	UnkToken     *string          `json:"unk_token"`
	Prefix       *string          `json:"continuing_subword_prefix"`
	Suffix       *string          `json:"end_of_word_suffix"`
	ByteFallback bool             `json:"byte_fallback"`
	IgnoreMerges bool             `json:"ignore_merges"`
}

// bpe merges the bytes of a piece, the pair of the lowest rank first.
type bpe struct {
	vocab        map[string]int32
	bytes        [256]int32 // token of each byte; -1: there is none, and the byte gives none
	letters      [256]rune  // as which the vocabulary writes each byte
	merges       map[pair]merge
	ignoreMerges bool // a piece that is a token is one, whatever the merges say
}

type pair struct{ left, right int32 }

type merge struct {
	rank int32
	into int32
}

func newBPE(m model) (*bpe, error) {
	set := func(s *string) bool { return s != nil && *s != "" }
	switch {
	case m.Type != "BPE" && (m.Type != "" || m.Merges == nil):
		return nil, fmt.Errorf("%w: model %s", ErrUnsupported, m.Type)
	case m.Dropout != nil && *m.Dropout > 0, set(m.Prefix), set(m.Suffix), m.ByteFallback:
		return nil, fmt.Errorf("%w: the model drops merges, marks words or falls back to bytes", ErrUnsupported)
	}
	b := &bpe{vocab: m.Vocab, letters: byteLetters(), merges: map[pair]merge{}, ignoreMerges: m.IgnoreMerges}
	for i, letter := range b.letters {
		b.bytes[i] = -1
		if id, ok := m.Vocab[string(letter)]; ok {
			b.bytes[i] = id
		} else if set(m.UnkToken) {
			return nil, fmt.Errorf("%w: byte %d has no token, and %s stands for it", ErrUnsupported, i, *m.UnkToken)
		}
	}
	pairs, err := readMerges(m.Merges)
	if err != nil {
		return nil, err
	}
	for rank, p := range pairs {
		left, ok1 := m.Vocab[p[0]]
		right, ok2 := m.Vocab[p[1]]
		into, ok3 := m.Vocab[p[0]+p[1]]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("tokenizer: merge %d, %q and %q: not in the vocabulary", rank, p[0], p[1])
		}
		if _, had := b.merges[pair{left, right}]; !had {
			b.merges[pair{left, right}] = merge{int32(rank), into}
		}
	}
	return b, nil
}

func readMerges(raw json.RawMessage) ([][2]string, error) {
	var pairs [][2]string
	if json.Unmarshal(raw, &pairs) == nil {
		return pairs, nil
	}
	pairs = nil // what was read before the first that is none
	var lines []string
	if err := json.Unmarshal(raw, &lines); err != nil {
		return nil, fmt.Errorf("tokenizer: merges: %w", err)
	}
	for i, line := range lines {
		left, right, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("tokenizer: merge %d, %q: no pair", i, line)
		}
		pairs = append(pairs, [2]string{left, right})
	}
	return pairs, nil
}

// byteLetters is GPT-2's way to write bytes as letters: what can be seen stands
// for itself, the rest for the letters from U+0100 on.
func byteLetters() (letters [256]rune) {
	next := rune(0x100)
	for i := range 256 {
		r := rune(i)
		if r >= '!' && r <= '~' || r >= 0xa1 && r <= 0xac || r >= 0xae {
			letters[i] = r
			continue
		}
		letters[i] = next
		next++
	}
	return letters
}

// symbol is a token among those of a piece, linked to its neighbours.
type symbol struct {
	id         int32 // -1: it was merged into the one before
	prev, next int
}

// candidate is a pair that can be merged.
type candidate struct {
	merge
	pair
	at int // symbol on its left
}

type candidates []candidate

func (c candidates) Len() int { return len(c) }
func (c candidates) Less(i, j int) bool {
	return c[i].rank < c[j].rank || c[i].rank == c[j].rank && c[i].at < c[j].at
}
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *candidates) Push(x any)   { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// count counts the tokens of a piece.
func (b *bpe) count(piece string) int {
	if b.ignoreMerges {
		if _, ok := b.vocab[b.written(piece)]; ok {
			return 1
		}
	}
	symbols := make([]symbol, 0, len(piece))
	for i := range len(piece) {
		if id := b.bytes[piece[i]]; id >= 0 {
			n := len(symbols)
			symbols = append(symbols, symbol{id, n - 1, n + 1})
		}
	}
	left := len(symbols)
	queue := &candidates{}
	add := func(at int) {
		if at < 0 || symbols[at].next >= len(symbols) {
			return
		}
		p := pair{symbols[at].id, symbols[symbols[at].next].id}
		if m, ok := b.merges[p]; ok {
			heap.Push(queue, candidate{m, p, at})
		}
	}
	for i := range symbols {
		add(i)
	}
	for queue.Len() > 0 {
		c := heap.Pop(queue).(candidate)
		s := &symbols[c.at]
		if s.id != c.left || s.next >= len(symbols) || symbols[s.next].id != c.right {
			continue // one of the two was merged since
		}
		gone := s.next
		s.id, s.next = c.into, symbols[gone].next
		symbols[gone].id = -1
		if s.next < len(symbols) {
			symbols[s.next].prev = c.at
		}
		left--
		add(c.at)
		add(s.prev)
	}
	return left
}

// written is a piece as the vocabulary writes it.
func (b *bpe) written(piece string) string {
	var out strings.Builder
	for i := range len(piece) {
		out.WriteRune(b.letters[piece[i]])
	}
	return out.String()
}
