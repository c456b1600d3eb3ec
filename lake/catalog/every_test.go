package catalog

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"
)

// Of several that publish at an interval, one does and the others see it.
func TestEveryLeavesOutWhatIsFresh(t *testing.T) {
	lk := newLake(t)
	publishAt(t, lk, time.Now())
	var tries atomic.Int32
	start := func(interval time.Duration) (stop func()) {
		return Every(t.Context(), lk, EveryOptions{Interval: interval, Logger: slog.New(slog.DiscardHandler), Before: func() { tries.Add(1) }})
	}
	stop := start(300 * time.Millisecond)
	for deadline := time.Now().Add(20 * time.Second); tries.Load() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody publishes")
		}
	}
	stop()

	published := time.Now().Add(time.Hour) // as if somebody had just done so, all the time
	if !fresh(lk, time.Now(), time.Hour) || fresh(lk, published, time.Hour) {
		t.Error("freshness is not that of the catalog's file")
	}
}
