package erasure

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/bits"
	"path/filepath"
	"slices"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// What was erased is remembered by fingerprints, so that a scan can look for it
// when it is gone: hashes of pieces of the erased rows' texts and ids, under the
// lake's erasure key. Nothing can be read out of them.
const (
	printsName = "_erased/prints.json"
	// pieceBytes is the length of a piece; a text is cut into pieces, so that any
	// copy of twice that length has a whole one.
	pieceBytes = 24
	// modulus is a Mersenne prime: hashes are polynomials of the bytes modulo it,
	// so that a window can slide over a file byte by byte (Rabin and Karp).
	modulus = 1<<61 - 1
)

// prints are fingerprints by the length of their pieces.
type prints map[int]map[uint64]bool

// base is where the polynomials are evaluated: secret, since who knows it can
// test whether a text was erased.
func base(key []byte) uint64 {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("weir erasure fingerprints"))
	return binary.BigEndian.Uint64(mac.Sum(nil))%(modulus-2) + 2
}

func mulmod(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	sum := (lo & modulus) + (lo>>61 | hi<<3)
	if sum >= modulus {
		sum -= modulus
	}
	return sum
}

func addmod(a, b uint64) uint64 {
	if a += b; a >= modulus {
		a -= modulus
	}
	return a
}

func hashPiece(base uint64, piece []byte) uint64 {
	var h uint64
	for _, c := range piece {
		h = addmod(mulmod(h, base), uint64(c)+1)
	}
	return h
}

func (p prints) put(length int, h uint64) {
	if p[length] == nil {
		p[length] = map[uint64]bool{}
	}
	p[length][h] = true
}

// add remembers a text. One that is shorter than a piece says nothing of anybody.
func (p prints) add(base uint64, text []byte) {
	for rest := text; len(rest) >= pieceBytes; rest = rest[pieceBytes:] {
		p.put(pieceBytes, hashPiece(base, rest[:pieceBytes]))
	}
	if len(text) > pieceBytes {
		p.put(pieceBytes, hashPiece(base, text[len(text)-pieceBytes:]))
	}
}

// addID remembers an id or a name, which may be short.
func (p prints) addID(base uint64, id string) {
	if len(id) >= minID && len(id) < pieceBytes {
		p.put(len(id), hashPiece(base, []byte(id)))
	}
	p.add(base, []byte(id))
}

func (p prints) count() int {
	n := 0
	for _, set := range p {
		n += len(set)
	}
	return n
}

// searcher looks for fingerprints in many texts.
type searcher struct {
	base   uint64
	pieces []pieces
}

// pieces are the fingerprints of one length.
type pieces struct {
	length int
	top    uint64 // what the first byte of a window counts: base^(length-1)
	set    map[uint64]bool
}

func (p prints) searcher(base uint64) searcher {
	s := searcher{base: base}
	for _, length := range slices.Sorted(maps.Keys(p)) {
		top := uint64(1)
		for range length - 1 {
			top = mulmod(top, base)
		}
		s.pieces = append(s.pieces, pieces{length, top, p[length]})
	}
	return s
}

// longest is the length of the longest piece; 0: there is none.
func (s searcher) longest() int {
	if len(s.pieces) == 0 {
		return 0
	}
	return s.pieces[len(s.pieces)-1].length
}

// search calls found for each place of a text where a remembered piece begins.
func (s searcher) search(text []byte, found func(at, length int, h uint64)) {
	for _, p := range s.pieces {
		if len(p.set) == 0 || len(text) < p.length {
			continue
		}
		h := hashPiece(s.base, text[:p.length])
		for at := 0; ; at++ {
			if p.set[h] {
				found(at, p.length, h)
			}
			if at+p.length >= len(text) {
				break
			}
			h = addmod(h, modulus-mulmod(p.top, uint64(text[at])+1))
			h = addmod(mulmod(h, s.base), uint64(text[at+p.length])+1)
		}
	}
}

// stored is the file of fingerprints.
type stored struct {
	Prints map[int][]uint64 `json:"prints"` // sorted, by the length of their pieces
	// Open says that events of others have not been looked through yet.
	Open bool `json:"open"`
}

func loadPrints(ctx context.Context, lk *lake.Lake) (prints, bool, error) {
	data, err := lake.ReadFile(ctx, lk.Storage(), printsName)
	if errors.Is(err, fs.ErrNotExist) {
		return prints{}, false, nil
	}
	var s stored
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", printsName, err)
	}
	p := prints{}
	for length, list := range s.Prints {
		for _, h := range list {
			p.put(length, h)
		}
	}
	return p, s.Open, nil
}

func storePrints(ctx context.Context, lk *lake.Lake, p prints, open bool) error {
	s := stored{Prints: map[int][]uint64{}, Open: open}
	for length, set := range p {
		if len(set) > 0 {
			s.Prints[length] = slices.Sorted(maps.Keys(set))
		}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return putPrivate(ctx, lk, printsName, data)
}

// keepPrints remembers the rows that a match is about to take out.
func keepPrints(ctx context.Context, lk *lake.Lake, m *match) error {
	p, _, err := loadPrints(ctx, lk)
	if err != nil {
		return err
	}
	b := base(lk.ErasureKey())
	for _, name := range m.names {
		p.addID(b, name)
	}
	for _, query := range []string{"select name from gone.subjects", "select name from gone.persons"} {
		names, err := m.session.Strings(ctx, query)
		if err != nil {
			return err
		}
		for _, name := range names {
			p.addID(b, name)
		}
	}
	for _, table := range append(m.tables(), deadLetters) {
		if err := m.texts(ctx, table, func(text string) { p.add(b, []byte(text)) }); err != nil {
			return err
		}
	}
	return storePrints(ctx, lk, p, true)
}

// texts gives the texts in a table's rows that are to go, but for the columns
// whose words are the same for everybody.
func (m *match) texts(ctx context.Context, table string, each func(string)) error {
	rows, err := m.session.DB().QueryContext(ctx, fmt.Sprintf(
		"select to_json(t)::varchar from (select * exclude (type, kafka_cluster, kafka_topic, source) from %s) t where %s", table, m.condition(table)))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		var row any
		dec := json.NewDecoder(bytes.NewReader([]byte(text)))
		dec.UseNumber()
		if err := dec.Decode(&row); err != nil {
			return err
		}
		walk(row, each)
	}
	return rows.Err()
}

func walk(value any, each func(string)) {
	switch v := value.(type) {
	case string:
		each(v)
	case []any:
		for _, one := range v {
			walk(one, each)
		}
	case map[string]any:
		for _, one := range v {
			walk(one, each)
		}
	}
}

// settlePrints lets go of the fingerprints that are also in the events of
// others: those words were not only the erased one's.
func settlePrints(ctx context.Context, lk *lake.Lake) (kept, shared int, err error) {
	p, open, err := loadPrints(ctx, lk)
	if err != nil || !open {
		return p.count(), 0, err
	}
	others := p.searcher(base(lk.ErasureKey()))
	before := p.count()
	names, err := lk.Tables(ctx, "events")
	if err != nil {
		return 0, 0, err
	}
	for _, name := range names {
		table, err := lk.Table(name)
		if err != nil {
			return 0, 0, err
		}
		snapshot, err := table.Snapshot(ctx)
		if err != nil {
			return 0, 0, err
		}
		for _, file := range snapshot.Files {
			path := filepath.Join(duck.TableDir(lk.Dir(), name), filepath.FromSlash(file.Path))
			err := readTexts(path, func(_ string, text []byte) {
				others.search(text, func(_, length int, h uint64) { delete(p[length], h) })
			})
			if err != nil {
				return 0, 0, fmt.Errorf("%s: %s: %w", name, file.Path, err)
			}
		}
	}
	return p.count(), before - p.count(), storePrints(ctx, lk, p, false)
}
