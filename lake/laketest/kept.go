package laketest

import (
	"context"
	"sync"

	"github.com/weir-lake/weir/lake"
)

// Kept is a lake.Appender that keeps the events in memory.
type Kept struct {
	mu     sync.Mutex
	Events []lake.Event
	After  int
	Stop   func() // called once there are After events; nil: never
}

// Append keeps events.
func (k *Kept) Append(_ context.Context, events ...lake.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.Events = append(k.Events, events...)
	if k.Stop != nil && len(k.Events) == k.After {
		k.Stop()
	}
	return nil
}

// Flush has nothing to wait for.
func (*Kept) Flush(context.Context) ([]lake.Position, error) { return nil, nil }
