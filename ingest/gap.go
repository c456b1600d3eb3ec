package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// Errors of records that are not where the lake left off.
var (
	errGone  = errors.New("records are gone")
	errReset = errors.New("the topic was reset")
)

// Gap is a run of records that a partition of a topic has lost before they were
// in the lake.
type Gap struct {
	Topic     string
	Partition int
	From, To  int64 // offsets, both included
}

// ParseGap reads a gap as String writes it: TOPIC/PARTITION:FROM-TO.
func ParseGap(text string) (Gap, error) {
	topic, rest, ok := strings.Cut(text, "/")
	partition, offsets, ok2 := strings.Cut(rest, ":")
	from, to, ok3 := strings.Cut(offsets, "-")
	g := Gap{Topic: topic}
	var errs [3]error
	g.Partition, errs[0] = strconv.Atoi(partition)
	g.From, errs[1] = strconv.ParseInt(from, 10, 64)
	g.To, errs[2] = strconv.ParseInt(to, 10, 64)
	if !ok || !ok2 || !ok3 || topic == "" || errors.Join(errs[:]...) != nil || g.Partition < 0 || g.From < 0 || g.To < g.From {
		return Gap{}, fmt.Errorf("gap %q: not TOPIC/PARTITION:FROM-TO with two offsets in order", text)
	}
	return g, nil
}

func (g Gap) String() string { return fmt.Sprintf("%s/%d:%d-%d", g.Topic, g.Partition, g.From, g.To) }

// covers tells whether the whole of another gap lies in this one.
func (g Gap) covers(other Gap) bool {
	return g.Topic == other.Topic && g.Partition == other.Partition && g.From <= other.From && other.To <= g.To
}

// gapError is an errGone that knows what is gone.
type gapError struct {
	gap Gap
	why string
}

func (e *gapError) Error() string {
	return fmt.Sprintf("%s/%d@%d: %s: %d to %d, %s", e.gap.Topic, e.gap.Partition, e.gap.From, errGone, e.gap.From, e.gap.To, e.why)
}

func (e *gapError) Is(target error) bool { return target == errGone }

// accepted is the gap that an error tells of, if the operator has accepted its
// loss.
func (s *sink) accepted(err error) (Gap, bool) {
	var gone *gapError
	if !errors.As(err, &gone) {
		return Gap{}, false
	}
	for _, g := range s.opts.AcceptGaps {
		if g.covers(gone.gap) {
			return gone.gap, true
		}
	}
	return Gap{}, false
}

// skip goes past an accepted gap. The loss becomes visible with the commit of
// what follows it: in the commit's info and as a dead letter.
func (t *topicSink) skip(ctx context.Context, gap Gap) error {
	t.opts.Logger.Warn("records are lost; going on behind them, as accepted", "gap", gap.String())
	payload, _ := lake.PayloadOf(deadLetterType)
	for _, p := range t.parts {
		if p.id != gap.Partition {
			continue
		}
		now := t.conn.clock().UTC()
		err := p.put(ctx, payload, lost(t.conn.clusterID, gap, now), record{topic: gap.Topic, partition: gap.Partition, offset: gap.From, time: now})
		if err != nil {
			return fmt.Errorf("sink: %s: %w", gap, err)
		}
		p.lost = append(p.lost, gap)
		p.report.Lost += gap.To - gap.From + 1
		p.next, p.ahead = gap.To+1, gap.To+1
		t.records++ // so that there is something to commit
		t.progress(gap.To - gap.From + 1)
	}
	return nil
}

// maxGaps bounds how many runs of a partition a commit names one by one.
const maxGaps = 1000

// join appends a gap that comes after the others.
func join(gaps []Gap, g Gap) []Gap {
	if n := len(gaps); n > 0 && (gaps[n-1].To+1 == g.From || n == maxGaps) {
		gaps[n-1].To = g.To // the last of too many covers more than it should
		return gaps
	}
	return append(gaps, g)
}

// gapInfo names the offsets without a row in the commit that goes past them:
// accepted gaps, and what transactions leave. `weir lake verify` reads them.
func (t *topicSink) gapInfo(info map[string]string) {
	var lost, unread []string
	for _, p := range t.parts {
		for _, g := range p.lost {
			lost = append(lost, g.String())
		}
		for _, g := range p.unread {
			unread = append(unread, g.String())
		}
	}
	if len(lost) > 0 {
		info[lake.InfoGaps] = strings.Join(lost, ",")
	}
	if len(unread) > 0 {
		info[lake.InfoUnread] = strings.Join(unread, ",")
	}
}

// explain adds what an operator can do about records that are not there.
func (t *topicSink) explain(err error) error {
	var gone *gapError
	switch {
	case errors.As(err, &gone):
		err = lake.WithHint(err, "restore the records, and set retention.ms=-1 on the topic; the lake was left as it is. "+
			"Or give them up, which the lake then records: weir sink --accept-gap "+gone.gap.String())
	case errors.Is(err, errReset):
		err = lake.WithHint(err, "if the topic was created anew on purpose, start a new lake from it; otherwise restore the topic")
	}
	return fmt.Errorf("sink: %w", err)
}
