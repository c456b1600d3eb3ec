package review

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

var (
	// ErrEmpty says that nothing waits for this reviewer.
	ErrEmpty = errors.New("nothing to review")
	// ErrStale says that the example has changed since it was handed out.
	ErrStale = errors.New("the example has changed")
	// ErrNothingToUndo says that the reviewer's last decision is taken back, or there is none.
	ErrNothingToUndo = errors.New("nothing to undo")
)

// DefaultHold is how long an item is kept for whom it was handed to.
const DefaultHold = 30 * time.Minute

// QueueOptions of Open. The zero value asks one reviewer per item.
type QueueOptions struct {
	Name      string           // SampleQueue or AuditQueue; empty: SampleQueue
	Reviewers int              // decisions asked for per item that several review; 0: 2
	Overlap   float64          // share of the items that several review, 0 to 1; the rest need one decision
	Hold      time.Duration    // 0: DefaultHold
	Rubric    Rubric           // zero: DefaultRubric
	Clock     func() time.Time // nil: time.Now
	Session   duck.Options     // of the DuckDB session
}

// Queue hands out items and takes decisions. Several processes may have queues
// on one lake: who holds what stands in a file of the lake under a lock. A
// queue sees the sample as it was when it was opened, and decisions as soon as
// they are taken through any queue; the tables learn of them at the next
// transform. Its methods may be called by several goroutines.
type Queue struct {
	source *Source
	out    lake.Appender
	opts   QueueOptions
	desk   desk
	items  []entry
	places map[string]int // example → its place in items
}

// entry is an item without its texts.
type entry struct {
	exampleID, contentHash string
	stratum                string
	needed                 int
	decided                []string // reviewers whose decision stands, as of the tables
}

// Open opens a queue of a lake. Decisions go to the appender. It is
// to be closed.
func Open(ctx context.Context, lk *lake.Lake, out lake.Appender, opts QueueOptions) (_ *Queue, err error) {
	if opts.Overlap < 0 || opts.Overlap > 1 || opts.Reviewers < 0 {
		return nil, errors.New("review: overlap is 0 to 1, reviewers at least 1")
	}
	if opts.Name == "" {
		opts.Name = SampleQueue
	}
	if opts.Name != SampleQueue && opts.Name != AuditQueue {
		return nil, fmt.Errorf("review: there is no queue %q", opts.Name)
	}
	if opts.Reviewers == 0 {
		opts.Reviewers = 2
	}
	if opts.Hold == 0 {
		opts.Hold = DefaultHold
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Rubric.Name == "" {
		if opts.Rubric, err = DefaultRubric(); err != nil {
			return nil, err
		}
	}
	source, err := OpenSource(ctx, lk, opts.Session)
	if err != nil {
		return nil, err
	}
	q := &Queue{source: source, out: out, opts: opts, desk: desk{dir: lk.Dir()}, places: map[string]int{}}
	if err := q.load(ctx); err != nil {
		return nil, errors.Join(err, source.Close())
	}
	return q, nil
}

// Close ends the session. What is reserved stays so until it lapses.
func (q *Queue) Close() error { return q.source.Close() }

// drawn are the queues in the order in which people are asked. An example that
// several rules exclude is asked about once, under the rule that drew it first.
var drawn = map[string]string{
	SampleQueue: "select example_id, content_hash, stratum from curated.review_sample order by draw, example_id",
	AuditQueue: `
select example_id, any_value(content_hash), min((draw, stratum))[2]
from curated.audit_sample
group by example_id
order by min((draw, stratum))[1], example_id`,
}

func (q *Queue) load(ctx context.Context) error {
	rows, err := q.source.session.DB().QueryContext(ctx, drawn[q.opts.Name])
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		e := entry{needed: 1}
		if err := rows.Scan(&e.exampleID, &e.contentHash, &e.stratum); err != nil {
			return err
		}
		if share(e.exampleID) < q.opts.Overlap {
			e.needed = q.opts.Reviewers
		}
		q.places[e.exampleID] = len(q.items)
		q.items = append(q.items, e)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	standings, err := q.source.Standings(ctx)
	if err != nil {
		return err
	}
	for _, s := range standings {
		if i, ok := q.places[s.ExampleID]; ok && !s.IsStale {
			q.items[i].decided = append(q.items[i].decided, s.Reviewer)
		}
	}
	return nil
}

// item is an example as this queue asks about it.
func (q *Queue) item(ctx context.Context, exampleID string) (Item, bool, error) {
	item, ok, err := q.source.Item(ctx, exampleID)
	if i, drawn := q.places[exampleID]; drawn {
		item.Queue, item.Stratum = q.opts.Name, q.items[i].stratum
	}
	return item, ok, err
}

// share is a number from 0 to 1 that an example always has.
func share(exampleID string) float64 {
	sum := md5.Sum([]byte("overlap\x1f" + exampleID))
	return float64(int(sum[0])<<8|int(sum[1])) / 65536
}

// Next hands out the item that waits for a reviewer and keeps it for them: the
// one they hold already, else the first that others neither decided nor hold
// often enough, and that they did not decide themselves. ErrEmpty if none does.
func (q *Queue) Next(ctx context.Context, reviewer string) (Item, error) {
	if reviewer = strings.TrimSpace(reviewer); reviewer == "" {
		return Item{}, fmt.Errorf("%w: no reviewer", ErrInvalid)
	}
	now := q.opts.Clock().UTC()
	var found entry
	err := q.desk.change(ctx, func(s *state) error {
		s.lapse(now)
		place := -1
		for i, e := range q.items {
			own, others := s.word(e, reviewer)
			if own {
				continue
			}
			if s.holds(e.exampleID, reviewer) {
				place = i
				break
			}
			if place < 0 && len(others) < e.needed {
				place = i
			}
		}
		if place < 0 {
			return ErrEmpty
		}
		found = q.items[place]
		s.reserve(found.exampleID, reviewer, now.Add(q.opts.Hold))
		return nil
	})
	if err != nil {
		return Item{}, err
	}
	item, ok, err := q.item(ctx, found.exampleID)
	if err == nil && !ok {
		err = fmt.Errorf("example %s is not in curated.examples: the tables are of different builds", found.exampleID)
	}
	return item, err
}

// Decide takes a decision on an item and ends its reservation. The decision is
// with the broker when Decide returns. Errors are ErrInvalid and ErrStale, else
// of the appender.
func (q *Queue) Decide(ctx context.Context, d Decision) error {
	item, ok, err := q.item(ctx, d.ExampleID)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("example %s: %w: not in the lake", d.ExampleID, ErrInvalid)
	case d.ContentHash != item.ContentHash:
		return fmt.Errorf("example %s: %w", d.ExampleID, ErrStale)
	case d.Verdict == Withdraw:
		return fmt.Errorf("example %s: %w: use Undo", d.ExampleID, ErrInvalid)
	}
	d.Reviewer, d.Queue = strings.TrimSpace(d.Reviewer), item.Queue
	return q.desk.change(ctx, func(s *state) error {
		return q.send(ctx, s, item, d)
	})
}

// send appends a decision under the desk's lock, so that a reviewer's
// decisions have an order.
func (q *Queue) send(ctx context.Context, s *state, item Item, d Decision) error {
	d.DecidedAt = s.tick(q.opts.Clock())
	events, err := Events(item, d, q.opts.Rubric.Version(), d.DecidedAt)
	if err != nil {
		return err
	}
	if before, ok := s.last(item.ExampleID, d.Reviewer); ok && before.Verdict == Edit && d.Verdict != Skip {
		events = append(events, retraction(item, before.EventID, d.DecidedAt))
	}
	if err := q.out.Append(ctx, events...); err != nil {
		return err
	}
	if _, err := q.out.Flush(ctx); err != nil {
		return err
	}
	s.decide(made{ExampleID: item.ExampleID, ContentHash: item.ContentHash, Reviewer: d.Reviewer, Verdict: d.Verdict, EventID: events[0].ID, At: d.DecidedAt})
	return nil
}

// Undo takes back the reviewer's last decision made through a queue and hands
// the item out to them again. ErrNothingToUndo if there is none left.
func (q *Queue) Undo(ctx context.Context, reviewer string) (Item, error) {
	reviewer = strings.TrimSpace(reviewer)
	var item Item
	err := q.desk.change(ctx, func(s *state) error {
		i := slices.IndexFunc(s.newest(), func(m made) bool { return m.Reviewer == reviewer })
		if i < 0 {
			return ErrNothingToUndo
		}
		last := s.newest()[i]
		if last.Verdict == Withdraw {
			return ErrNothingToUndo
		}
		var ok bool
		var err error
		if item, ok, err = q.item(ctx, last.ExampleID); err != nil {
			return err
		} else if !ok || item.ContentHash != last.ContentHash {
			return fmt.Errorf("example %s: %w", last.ExampleID, ErrStale)
		}
		d := Decision{ExampleID: last.ExampleID, ContentHash: last.ContentHash, Reviewer: reviewer, Verdict: Withdraw, Queue: item.Queue}
		if err := q.send(ctx, s, item, d); err != nil {
			return err
		}
		s.reserve(last.ExampleID, reviewer, q.opts.Clock().UTC().Add(q.opts.Hold))
		return nil
	})
	return item, err
}
