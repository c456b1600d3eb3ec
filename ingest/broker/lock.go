package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weir-lake/weir/lake"
)

// ErrInUse: another process has the broker's folder open.
var ErrInUse = errors.New("the embedded broker is in use by another process")

// lock is an flock on a file of the broker's folder, held by one process. The
// kernel drops it when the process ends, however it ends.
type lock struct{ file *os.File }

func acquire(dir string) (*lock, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("broker: lock %s: %w", path, err)
		}
		err := fmt.Errorf("broker: %s: %w", dir, ErrInUse)
		if pid := strings.TrimSpace(string(holder)); pid != "" {
			err = fmt.Errorf("%w (pid %s)", err, pid)
		}
		return nil, lake.WithHint(err, "wait for it to end, or keep one `weir broker` running that all commands share")
	}
	// For the message above; the lock itself is the kernel's.
	if err := file.Truncate(0); err == nil {
		_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("broker: %w", err)
		}
	}
	return &lock{file}, nil
}

// release may be called more than once.
func (l *lock) release() { l.file.Close() }

func addressFile(dir string) string { return filepath.Join(dir, "address") }

// advertise publishes the address by rename, so that a reader sees all or
// nothing.
func advertise(dir, addr string) error {
	temp := addressFile(dir) + ".new"
	if err := os.WriteFile(temp, []byte(addr+"\n"), 0o644); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	if err := os.Rename(temp, addressFile(dir)); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	return nil
}

// Address is the address of the lake's broker if a `weir broker` process runs
// it. The error is ErrInUse if a process has the folder but shares it with
// nobody, and fs.ErrNotExist if none has it.
func Address(ctx context.Context, lk *lake.Lake) (string, error) {
	dir := lk.BrokerDir()
	// A broker that is just starting has the lock before it has an address.
	for deadline := time.Now().Add(3 * time.Second); ; {
		held, err := acquire(dir)
		if err == nil {
			held.release()
			return "", fmt.Errorf("broker: %s: %w", dir, fs.ErrNotExist)
		}
		if !errors.Is(err, ErrInUse) {
			return "", err
		}
		addr, readErr := os.ReadFile(addressFile(dir))
		if readErr == nil {
			return strings.TrimSpace(string(addr)), nil
		}
		if !errors.Is(readErr, fs.ErrNotExist) {
			return "", fmt.Errorf("broker: %w", readErr)
		}
		if time.Now().After(deadline) {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
