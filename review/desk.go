package review

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/flock"
)

// desk is the file that says who holds what, and what was decided through
// queues. It is no source of truth: decisions are events, and whoever deletes
// the file loses reservations and Undo.
type desk struct{ dir string }

// state is the content of the file.
type state struct {
	Reserved []reservation `json:"reserved"`
	Made     []made        `json:"made"` // the last decision of each reviewer on each example
	At       time.Time     `json:"at"`   // of the last decision
}

type reservation struct {
	ExampleID string    `json:"example_id"`
	Reviewer  string    `json:"reviewer"`
	Until     time.Time `json:"until"`
}

type made struct {
	ExampleID   string    `json:"example_id"`
	ContentHash string    `json:"content_hash"`
	Reviewer    string    `json:"reviewer"`
	Verdict     string    `json:"verdict"`
	EventID     string    `json:"event_id"`
	At          time.Time `json:"at"`
}

// change reads the state, lets f change it, and writes it if f has no error.
func (d desk) change(ctx context.Context, f func(*state) error) (err error) {
	dir := filepath.Join(d.dir, "review")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	unlock, err := flock.Lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	path := filepath.Join(dir, "desk.json")
	var s state
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &s); err != nil {
			return lake.WithHint(fmt.Errorf("%s: %w", path, err), "delete it: only reservations and undo are lost")
		}
	}
	if err := f(&s); err != nil {
		return err
	}
	changed, err := json.Marshal(s)
	if err != nil || bytes.Equal(text, changed) {
		return err
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, changed, 0o644); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// lapse drops the reservations that have run out.
func (s *state) lapse(now time.Time) {
	s.Reserved = slices.DeleteFunc(s.Reserved, func(r reservation) bool { return !now.Before(r.Until) })
}

func (s *state) holds(exampleID, reviewer string) bool {
	return slices.ContainsFunc(s.Reserved, func(r reservation) bool { return r.ExampleID == exampleID && r.Reviewer == reviewer })
}

// reserve keeps an item for a reviewer, who holds one at a time.
func (s *state) reserve(exampleID, reviewer string, until time.Time) {
	s.release(reviewer)
	s.Reserved = append(s.Reserved, reservation{exampleID, reviewer, until})
}

func (s *state) release(reviewer string) {
	s.Reserved = slices.DeleteFunc(s.Reserved, func(r reservation) bool { return r.Reviewer == reviewer })
}

// word tells whether the reviewer has decided on what an item holds, and which
// others have or hold it.
func (s *state) word(e entry, reviewer string) (own bool, others []string) {
	spoken := map[string]bool{}
	for _, name := range e.decided {
		spoken[name] = true
	}
	for _, m := range s.Made {
		if m.ExampleID == e.exampleID && m.ContentHash == e.contentHash {
			spoken[m.Reviewer] = m.Verdict != Withdraw
		}
	}
	own = spoken[reviewer]
	for _, r := range s.Reserved {
		if r.ExampleID == e.exampleID {
			spoken[r.Reviewer] = true
		}
	}
	for name, yes := range spoken {
		if yes && name != reviewer {
			others = append(others, name)
		}
	}
	return own, others
}

func (s *state) last(exampleID, reviewer string) (made, bool) {
	i := slices.IndexFunc(s.Made, func(m made) bool { return m.ExampleID == exampleID && m.Reviewer == reviewer })
	if i < 0 {
		return made{}, false
	}
	return s.Made[i], true
}

// decide keeps the reviewer's last decision on an example and ends the reservation.
func (s *state) decide(m made) {
	s.Made = slices.DeleteFunc(s.Made, func(old made) bool { return old.ExampleID == m.ExampleID && old.Reviewer == m.Reviewer })
	s.Made = append(s.Made, m)
	s.release(m.Reviewer)
}

// newest gives the decisions, the last first.
func (s *state) newest() []made {
	list := slices.Clone(s.Made)
	slices.Reverse(list)
	return list
}

// tick gives the time of a decision: later than the one before, whatever the
// clock says, because the last word counts.
func (s *state) tick(now time.Time) time.Time {
	now = now.UTC().Truncate(time.Microsecond)
	if !now.After(s.At) {
		now = s.At.Add(time.Microsecond)
	}
	s.At = now
	return now
}
