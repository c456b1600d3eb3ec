package erasure

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// Any copy of a text that is long enough is found, wherever it lies, and noise
// is not.
func TestSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.IntN(256))
		}
		return b
	}
	const key = 123456789
	for range 200 {
		text := noise(pieceBytes + random.IntN(200))
		p := prints{}
		p.add(key, text)
		found := 0
		count := func(int, int, uint64) { found++ }
		p.searcher(key).search(noise(random.IntN(2000)), count)
		if found > 0 {
			t.Fatal("found in noise")
		}
		p.searcher(key).search(bytes.Join([][]byte{noise(random.IntN(500)), text, noise(random.IntN(500))}, nil), count)
		if found == 0 {
			t.Fatalf("a copy of %d bytes was not found", len(text))
		}
		// A part of it that is twice as long as a piece has a whole piece.
		if len(text) >= 3*pieceBytes {
			found = 0
			from := random.IntN(len(text) - 2*pieceBytes)
			p.searcher(key).search(text[from:from+2*pieceBytes], count)
			if found == 0 {
				t.Fatalf("a part from %d was not found", from)
			}
		}
	}
}

func TestShortTexts(t *testing.T) {
	p := prints{}
	p.add(7, []byte("assistant"))
	p.addID(7, "c1")
	if p.count() != 0 {
		t.Errorf("%d prints of what says nothing of anybody", p.count())
	}
	p.addID(7, "session-0001")
	p.addID(7, "https://example.org/conversations/of/adelheid")
	places := []int{}
	p.searcher(7).search([]byte(strings.Repeat("x", 30)+"session-0001, https://example.org/conversations/of/berthold"), func(at, length int, _ uint64) { places = append(places, at, length) })
	if len(places) != 2 || places[0] != 30 || places[1] != 12 {
		t.Errorf("found at %v", places)
	}
}

func TestKeyIsNeeded(t *testing.T) {
	text := []byte("the zither in the attic belongs to her")
	p := prints{}
	p.add(base([]byte("one key")), text)
	p.searcher(base([]byte("another"))).search(text, func(int, int, uint64) { t.Error("found under another key") })
}

func BenchmarkSearch(b *testing.B) {
	p := prints{}
	p.add(99, []byte(strings.Repeat("some words that were erased, ", 100)))
	text := bytes.Repeat([]byte("other words which nobody asked to forget; "), 25_000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		p.searcher(99).search(text, func(int, int, uint64) {})
	}
}
