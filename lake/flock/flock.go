// Package flock keeps processes of one machine apart by the kernel's locks on
// files. They do not reach over network file systems that have none, and guard no
// table: the log's commits do that. Start at Lock.
package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Lock waits for the lock of a file, which it makes where it is not there, and
// takes it. The kernel drops it when the process ends, so nothing is left
// behind by a kill. The file must not be deleted while anyone may hold it.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if file, err = acquire(ctx, file); err != nil {
		return nil, err
	}
	return func() { file.Close() }, nil
}

// acquire waits for the lock of an open file, which it closes where it fails.
func acquire(ctx context.Context, file *os.File) (*os.File, error) {
	// Asked for and not polled: the kernel wakes who waits, longest first, where
	// polling would leave the lock to whoever asks at the right moment.
	locked := make(chan error, 1)
	go func() { locked <- wait(int(file.Fd())) }()
	select {
	case err := <-locked:
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		return file, nil
	case <-ctx.Done():
		// A blocked flock cannot be cancelled: what it gets is given up.
		go func() {
			<-locked
			file.Close()
		}()
		return nil, ctx.Err()
	}
}

// wait blocks until the lock is there.
func wait(fd int) error {
	for {
		if err := syscall.Flock(fd, syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
