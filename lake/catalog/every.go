package catalog

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-lake/weir/lake"
)

// EveryOptions of Every.
type EveryOptions struct {
	Interval time.Duration // required
	Logger   *slog.Logger  // required
	// Before and After are called around each publication. Nil: nothing is.
	Before func()
	After  func(err error)
}

// Every publishes at an interval, until the returned function is called; that
// waits for a publication under way. An error is logged, and the next interval
// tries again: readers see the last state meanwhile. Of several processes that
// do so on one lake, one publishes: the others leave out what is fresh.
func Every(ctx context.Context, lk *lake.Lake, opts EveryOptions) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(opts.Interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				if fresh(lk, now, opts.Interval) {
					continue
				}
			}
			if opts.Before != nil {
				opts.Before()
			}
			err := Publish(ctx, lk, Options{})
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				opts.Logger.Warn("readers see an older state", "error", err)
			}
			if opts.After != nil {
				opts.After(err)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// fresh tells whether somebody has published less than half an interval ago.
func fresh(lk *lake.Lake, now time.Time, interval time.Duration) bool {
	info, err := os.Stat(filepath.Join(lk.Dir(), fileName))
	return err == nil && now.Sub(info.ModTime()) < interval/2
}
