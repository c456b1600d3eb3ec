package flock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Whoever waits gets the lock, however greedy the others are. Each Lock opens the file anew, so that goroutines are to the kernel
// what processes are.
func TestNobodyStarves(t *testing.T) {
	const holders, times = 8, 40
	path := filepath.Join(t.TempDir(), "lock")
	var inside, turns atomic.Int64
	var most [holders]int64
	var all sync.WaitGroup
	for i := range holders {
		all.Go(func() {
			for range times {
				before := turns.Load()
				unlock, err := Lock(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				most[i] = max(most[i], turns.Add(1)-before)
				if inside.Add(1) != 1 {
					t.Error("two hold it")
				}
				time.Sleep(time.Millisecond)
				inside.Add(-1)
				unlock() // and asks again at once
			}
		})
	}
	all.Wait()
	t.Logf("turns while one waited, at most: %v", most)
	for _, n := range most {
		// On a machine that is busy who has just had it may be quicker than who is
		// woken. Where nobody is woken, the last one waits until all others are done.
		if n > holders*times/2 {
			t.Errorf("one waited for %d turns of %d", n, holders*times)
		}
	}
}

// A wait that is given up takes nothing with it.
func TestACancelledWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "lock")
	unlock, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got the lock that another holds: %v", err)
	}
	unlock()
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	unlock, err = Lock(ctx, path)
	if err != nil {
		t.Fatalf("the wait that was given up keeps the lock: %v", err)
	}
	unlock()
}

// A file that goes with the lock is one lock all the same, and litters nothing.
func TestPassingLocksKeepOthersOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside, busy atomic.Int64
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			for range 50 {
				unlock, err := Passing(t.Context(), path, func() error { busy.Add(1); return nil })
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two hold it")
				}
				time.Sleep(50 * time.Microsecond)
				inside.Add(-1)
				unlock()
			}
		})
	}
	all.Wait()
	if busy.Load() == 0 {
		t.Error("nobody ever waited")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
	unlock, err := Passing(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := Passing(t.Context(), path, func() error { return os.ErrExist }); !errors.Is(err, os.ErrExist) {
		t.Errorf("busy said no: %v", err)
	}
}
