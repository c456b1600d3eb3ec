package erasure

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Shared is a table with events of others that hold words of the erased.
type Shared struct {
	Table   string `json:"table"`
	Pieces  int    `json:"pieces"`
	EventID string `json:"event_id"` // one of these events
}

// settlePrints lets go of the pieces of text that events of others hold as well:
// those words were not only the erased one's. An event that holds a name or an id
// of the erased excuses nothing: it may be one that should have gone. The report
// says where the others are, for somebody to look: a dead letter, which nobody has
// understood, may still be the erased one's.
func settlePrints(ctx context.Context, lk *lake.Lake) (kept int, shared []Shared, err error) {
	r, err := loadPrints(ctx, lk)
	if err != nil {
		return 0, nil, err
	}
	if !r.open {
		return r.all().count(), nil, nil
	}
	b := base(lk.ErasureKey())
	s := settler{lk: lk, texts: r.texts.searcher(b), names: r.names.searcher(b)}
	names, err := lk.Tables(ctx, "events")
	if err != nil {
		return 0, nil, err
	}
	excused := map[uint64]bool{}
	for _, name := range names {
		pieces, event, err := s.table(ctx, name)
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(pieces) > 0 {
			shared = append(shared, Shared{Table: name, Pieces: len(pieces), EventID: event})
		}
		for h := range pieces {
			excused[h] = true
		}
	}
	for h := range excused {
		delete(r.texts.pieces[pieceBytes], h)
	}
	r.open = false
	return r.all().count(), shared, r.store(ctx, lk)
}

type settler struct {
	lk           *lake.Lake
	texts, names searcher
}

// table gives the pieces of text that a table's events hold, and the id of one
// of them.
func (s *settler) table(ctx context.Context, name string) (pieces map[uint64]bool, event string, err error) {
	table, err := s.lk.Table(name)
	if err != nil {
		return nil, "", err
	}
	snapshot, err := table.Snapshot(ctx)
	if err != nil {
		return nil, "", err
	}
	pieces = map[uint64]bool{}
	for _, file := range snapshot.Files {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		path := filepath.Join(duck.TableDir(s.lk.Dir(), name), filepath.FromSlash(file.Path))
		row, err := s.file(path, pieces)
		if err == nil && row >= 0 && event == "" {
			err = readTexts(path, func(column string, at int64, text []byte) {
				if column == "id" && at == row {
					event = string(text)
				}
			})
		}
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", file.Path, err)
		}
	}
	return pieces, event, nil
}

// file adds the pieces of text that a file's rows hold, and gives the first of
// these rows; -1: there is none.
func (s *settler) file(path string, pieces map[uint64]bool) (first int64, err error) {
	held := map[int64][]uint64{}
	named := map[int64]bool{}
	err = readTexts(path, func(_ string, row int64, text []byte) {
		s.texts.search(text, func(_, _ int, h uint64) { held[row] = append(held[row], h) })
		s.names.search(text, func(int, int, uint64) { named[row] = true })
	})
	first = -1
	for row, list := range held {
		if named[row] {
			continue
		}
		if first < 0 || row < first {
			first = row
		}
		for _, h := range list {
			pieces[h] = true
		}
	}
	return first, err
}
