package otlp

import (
	"context"
	"errors"

	"github.com/weir-lake/weir/lake"
)

// errClosed: the receiver is stopping.
var errClosed = errors.New("weir is stopping")

// committer writes the events of requests to one appender. Requests that come
// while it waits for Kafka go together with the next flush, so that their
// number does not multiply the waiting.
type committer struct {
	open   func(context.Context) (lake.Appender, error)
	jobs   chan job
	ctx    context.Context // of writing: a request that gives up does not stop the others
	cancel context.CancelFunc
	stop   chan struct{} // closed: take no more
	done   chan struct{} // closed: run has ended
}

// job is one request's events.
type job struct {
	events  []lake.Event
	release func()     // called when they are written, or failed
	result  chan error // has room for one
}

func newCommitter(open func(context.Context) (lake.Appender, error)) *committer {
	c := &committer{open: open, jobs: make(chan job), stop: make(chan struct{}), done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	go c.run()
	return c
}

// commit returns nil when Kafka has the events. Once taken, they may be written
// also when it returns an error, and release is called in the end.
func (c *committer) commit(ctx context.Context, events []lake.Event, release func()) (taken bool, err error) {
	if len(events) == 0 {
		return false, nil
	}
	j := job{events: events, release: release, result: make(chan error, 1)}
	select {
	case c.jobs <- j:
	case <-ctx.Done():
		return false, ctx.Err()
	case <-c.stop:
		return false, errClosed
	}
	select {
	case err := <-j.result:
		return true, err
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// close takes no more jobs and waits for those that were taken; when ctx ends
// it stops waiting for Kafka.
func (c *committer) close(ctx context.Context) {
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		c.cancel()
		<-c.done
	}
	c.cancel()
}

func (c *committer) run() {
	defer close(c.done)
	var out lake.Appender
	for {
		var batch []job
		select {
		case j := <-c.jobs:
			batch = append(batch, j)
		case <-c.stop:
			return
		}
		for more := true; more; {
			select {
			case j := <-c.jobs:
				batch = append(batch, j)
			default:
				more = false
			}
		}
		err := c.write(&out, batch)
		if err != nil {
			out = nil // an appender that failed takes nothing more
		}
		for _, j := range batch {
			j.release()
			j.result <- err
		}
	}
}

// write returns when everything is acknowledged.
func (c *committer) write(out *lake.Appender, batch []job) (err error) {
	if *out == nil {
		if *out, err = c.open(c.ctx); err != nil {
			return err
		}
	}
	for _, j := range batch {
		if err := (*out).Append(c.ctx, j.events...); err != nil {
			return err
		}
	}
	_, err = (*out).Flush(c.ctx)
	return err
}
