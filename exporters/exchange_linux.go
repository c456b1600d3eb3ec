package exporters

import (
	"errors"

	"golang.org/x/sys/unix"
)

// exchange swaps two folders in one step, so that a reader finds the old
// export or the new one; some file systems cannot.
func exchange(fresh, old string) error {
	err := unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, old, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		return exchangeByRename(fresh, old)
	}
	return err
}
