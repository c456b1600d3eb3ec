package ingest

import "time"

// stallAfter is how long a partition may have more records and get none before
// the connections are taken for dead, though they answer. It happens after a
// broker restarts or a leader moves, where the client goes on asking the old one.
const stallAfter = 30 * time.Second

// watch looks at what a fetch has brought. A partition that ends behind the
// offset that was asked for must move; where none comes for long, the sink
// begins again with new connections, and goes on doing so.
func (t *topicSink) watch(chunks map[int]chunk) {
	now := time.Now()
	stalled := false
	for _, p := range t.parts {
		one, ok := chunks[p.id]
		if !ok {
			continue // not asked for
		}
		switch {
		case one.next > p.ahead || one.next >= one.end:
			p.behind = time.Time{}
		case p.behind.IsZero():
			p.behind = now
		case now.Sub(p.behind) >= t.opts.stallAfter:
			t.opts.Logger.Warn("nothing comes though there is more; connecting anew", "topic", t.topic, "partition", p.id, "offset", one.next, "end", one.end)
			p.behind, stalled = now, true
		}
	}
	if stalled {
		t.conn.renew()
		t.opts.Observer.Stalled(t.topic)
	}
}
