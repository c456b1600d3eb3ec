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
	"slices"

	"github.com/weir-lake/weir/lake"
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

// prints are fingerprints.
type prints struct {
	pieces map[int]map[uint64]bool // by their length
	// long are names that are longer than a piece, by the hash of their first
	// piece, then by length: two may begin or end alike, and be of two people.
	long map[uint64]map[int]map[uint64]bool
}

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

func (p *prints) put(length int, h uint64) {
	if p.pieces == nil {
		p.pieces = map[int]map[uint64]bool{}
	}
	if p.pieces[length] == nil {
		p.pieces[length] = map[uint64]bool{}
	}
	p.pieces[length][h] = true
}

func (p *prints) putLong(head uint64, length int, h uint64) {
	if p.long == nil {
		p.long = map[uint64]map[int]map[uint64]bool{}
	}
	if p.long[head] == nil {
		p.long[head] = map[int]map[uint64]bool{}
	}
	if p.long[head][length] == nil {
		p.long[head][length] = map[uint64]bool{}
	}
	p.long[head][length][h] = true
}

// add remembers a text. One that is shorter than a piece says nothing of anybody.
func (p *prints) add(base uint64, text []byte) {
	for rest := text; len(rest) >= pieceBytes; rest = rest[pieceBytes:] {
		p.put(pieceBytes, hashPiece(base, rest[:pieceBytes]))
	}
	if len(text) > pieceBytes {
		p.put(pieceBytes, hashPiece(base, text[len(text)-pieceBytes:]))
	}
}

// addName remembers a name or an id as a whole, however short.
func (p *prints) addName(base uint64, name string) {
	switch {
	case len(name) > pieceBytes:
		p.putLong(hashPiece(base, []byte(name[:pieceBytes])), len(name), hashPiece(base, []byte(name)))
	case name != "":
		p.put(len(name), hashPiece(base, []byte(name)))
	}
}

// addID remembers an id, unless it is so short that others will have it.
func (p *prints) addID(base uint64, id string) {
	if len(id) >= minID {
		p.addName(base, id)
	}
}

func (p *prints) count() int {
	n := 0
	for _, set := range p.pieces {
		n += len(set)
	}
	for _, lengths := range p.long {
		for _, set := range lengths {
			n += len(set)
		}
	}
	return n
}

// searcher looks for fingerprints in many texts.
type searcher struct {
	base   uint64
	pieces []pieces
	long   map[uint64]map[int]map[uint64]bool
	reach  int // length of the longest that it finds; 0: there is none
}

// pieces are the fingerprints of one length.
type pieces struct {
	length int
	top    uint64 // what the first byte of a window counts: base^(length-1)
	set    map[uint64]bool
}

func (p *prints) searcher(base uint64) searcher {
	s := searcher{base: base, long: p.long}
	lengths := slices.Collect(maps.Keys(p.pieces))
	if len(p.long) > 0 && !slices.Contains(lengths, pieceBytes) {
		lengths = append(lengths, pieceBytes)
	}
	slices.Sort(lengths)
	for _, length := range lengths {
		top := uint64(1)
		for range length - 1 {
			top = mulmod(top, base)
		}
		s.pieces = append(s.pieces, pieces{length, top, p.pieces[length]})
		s.reach = length
	}
	for _, lengths := range p.long {
		for length := range lengths {
			s.reach = max(s.reach, length)
		}
	}
	return s
}

// search calls found for each place of a text where something remembered
// begins.
func (s searcher) search(text []byte, found func(at, length int, h uint64)) {
	for _, p := range s.pieces {
		heads := s.long
		if p.length != pieceBytes {
			heads = nil
		}
		if len(text) < p.length || len(p.set) == 0 && len(heads) == 0 {
			continue
		}
		h := hashPiece(s.base, text[:p.length])
		for at := 0; ; at++ {
			if p.set[h] {
				found(at, p.length, h)
			}
			if len(heads) > 0 {
				if lengths, ok := heads[h]; ok {
					s.whole(text, at, lengths, found)
				}
			}
			if at+p.length >= len(text) {
				break
			}
			h = addmod(h, modulus-mulmod(p.top, uint64(text[at])+1))
			h = addmod(mulmod(h, s.base), uint64(text[at+p.length])+1)
		}
	}
}

// whole looks whether a long name goes on as it has begun.
func (s searcher) whole(text []byte, at int, lengths map[int]map[uint64]bool, found func(at, length int, h uint64)) {
	for length, set := range lengths {
		if at+length > len(text) {
			continue
		}
		if h := hashPiece(s.base, text[at:at+length]); set[h] {
			found(at, length, h)
		}
	}
}

// remembered is what a lake remembers of the erased.
type remembered struct {
	texts prints // pieces of texts; those that others said as well are let go
	names prints // names and ids, for good
	open  bool   // the texts have not been compared with those of others yet
}

// all are those of both kinds.
func (r *remembered) all() *prints {
	p := &prints{long: r.names.long}
	for _, of := range []prints{r.texts, r.names} {
		for length, set := range of.pieces {
			for h := range set {
				p.put(length, h)
			}
		}
	}
	return p
}

// stored is the file of fingerprints. Lists are sorted.
type stored struct {
	Prints map[int][]uint64            `json:"prints"` // of texts, by the length of their pieces
	Names  map[int][]uint64            `json:"names"`
	Long   map[uint64]map[int][]uint64 `json:"long"`
	Open   bool                        `json:"open"`
}

func loadPrints(ctx context.Context, lk *lake.Lake) (*remembered, error) {
	r := &remembered{}
	data, err := lake.ReadFile(ctx, lk.Storage(), printsName)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	var s stored
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", printsName, err)
	}
	r.open = s.Open
	for length, list := range s.Prints {
		for _, h := range list {
			r.texts.put(length, h)
		}
	}
	for length, list := range s.Names {
		for _, h := range list {
			r.names.put(length, h)
		}
	}
	for head, lengths := range s.Long {
		for length, list := range lengths {
			for _, h := range list {
				r.names.putLong(head, length, h)
			}
		}
	}
	return r, nil
}

func (r *remembered) store(ctx context.Context, lk *lake.Lake) error {
	sorted := func(by map[int]map[uint64]bool) map[int][]uint64 {
		lists := map[int][]uint64{}
		for length, set := range by {
			if len(set) > 0 {
				lists[length] = slices.Sorted(maps.Keys(set))
			}
		}
		return lists
	}
	s := stored{Prints: sorted(r.texts.pieces), Names: sorted(r.names.pieces), Long: map[uint64]map[int][]uint64{}, Open: r.open}
	for head, lengths := range r.names.long {
		s.Long[head] = sorted(lengths)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return putPrivate(ctx, lk, printsName, data)
}

// keepPrints remembers the rows that a match is about to take out, and the names
// and ids that are gone with them.
func keepPrints(ctx context.Context, lk *lake.Lake, m *match) error {
	r, err := loadPrints(ctx, lk)
	if err != nil {
		return err
	}
	b := base(lk.ErasureKey())
	dead, err := m.session.Strings(ctx, "select name from gone.dead where is_own")
	if err != nil {
		return err
	}
	for _, name := range dead {
		r.names.addID(b, name)
	}
	for _, table := range append(tables(), deadLetters) {
		if err := m.texts(ctx, table, func(text string) { r.texts.add(b, []byte(text)) }); err != nil {
			return err
		}
	}
	r.open = true
	return r.store(ctx, lk)
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
