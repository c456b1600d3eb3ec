package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Passing is Lock by a file that goes with the lock, for folders of users, where one that
// stays would be litter; the folder must be there. Where somebody else holds the lock, busy is
// called once before the wait, and its error ends the attempt; it may be nil.
// Killed, the holder leaves the file, which locks nobody out. All who take this
// lock must take it by Passing.
func Passing(ctx context.Context, path string, busy func() error) (unlock func(), err error) {
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			if busy != nil {
				if err := busy(); err != nil {
					return nil, errors.Join(err, file.Close())
				}
				busy = nil
			}
			if file, err = acquire(ctx, file); err != nil {
				return nil, err
			}
		} else if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
		}
		// Who held it before may have removed the file: then others lock another.
		if isAt(file, path) {
			return func() {
				os.Remove(path)
				file.Close()
			}, nil
		}
		file.Close()
	}
}

func isAt(file *os.File, path string) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}
