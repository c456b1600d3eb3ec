// Package fault makes a process die, stop or meet I/O errors at a chosen step,
// for the fault suite. It is linked into the binary only under the build tag
// faults: see cmd/weir. Start at Parse.
package fault

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/weir-lake/weir/lake"
)

// StorageStep is the step of every operation of the lake's storage. Each is
// counted twice: before and after it is done.
const StorageStep = "storage"

// Plan is what happens to the process, and when.
type Plan struct {
	step   string
	from   int64 // the first time that counts, 1-based
	to     int64 // the last; errors go on as long as a full disk does
	action string
	count  atomic.Int64
}

// Parse reads a plan: STEP:N:ACTION, such as sink.after-parquet:2:kill for the
// second time that a Parquet file is written, or storage:7-9:enospc for three
// operations of the storage in turn. Actions are kill (SIGKILL), stop (SIGSTOP:
// a zombie when it is woken), and for storage also eio and enospc.
func Parse(text string) (*Plan, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return nil, fmt.Errorf("fault %q: not STEP:N:ACTION", text)
	}
	p := &Plan{step: parts[0], action: parts[2]}
	first, last, isRange := strings.Cut(parts[1], "-")
	if !isRange {
		last = first
	}
	var err error
	if p.from, err = strconv.ParseInt(first, 10, 64); err == nil {
		p.to, err = strconv.ParseInt(last, 10, 64)
	}
	if err != nil || p.from < 1 || p.to < p.from {
		return nil, fmt.Errorf("fault %q: %q is not a count from 1, or a range", text, parts[1])
	}
	switch p.action {
	case "kill", "stop":
	case "eio", "enospc":
		if p.step != StorageStep {
			return nil, fmt.Errorf("fault %q: only %s can return errors", text, StorageStep)
		}
	default:
		return nil, fmt.Errorf("fault %q: unknown action %q", text, p.action)
	}
	return p, nil
}

// At tells the plan that a step is reached. It may not return.
func (p *Plan) At(step string) {
	if err := p.reach(step); err != nil {
		panic(err) // Parse lets errors stand for storage only
	}
}

func (p *Plan) reach(step string) error {
	if step != p.step {
		return nil
	}
	if n := p.count.Add(1); n < p.from || n > p.to {
		return nil
	}
	switch p.action {
	case "kill":
		syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {} // no step follows
	case "stop":
		syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
	case "eio":
		return syscall.EIO
	case "enospc":
		return syscall.ENOSPC
	}
	return nil
}

// Storage is a storage whose operations are steps of the plan. An error in
// front of an operation leaves it undone; one behind it is ambiguous: the
// operation is done and its caller is told that it failed.
func (p *Plan) Storage(inner lake.Storage) lake.Storage { return storage{inner, p} }

type storage struct {
	inner lake.Storage
	plan  *Plan
}

// around runs an operation between two steps.
func around[T any](p *Plan, do func() (T, error)) (T, error) {
	var zero T
	if err := p.reach(StorageStep); err != nil {
		return zero, err
	}
	value, err := do()
	if err != nil {
		return zero, err
	}
	return value, p.reach(StorageStep)
}

func (s storage) Create(ctx context.Context) (lake.FileWriter, error) {
	w, err := s.inner.Create(ctx)
	if err == nil {
		if err = s.plan.reach(StorageStep); err == nil {
			return writer{w, s.plan}, nil
		}
		w.Abort()
	}
	return nil, err
}

func (s storage) Open(ctx context.Context, name string) (lake.FileReader, error) {
	if err := s.plan.reach(StorageStep); err != nil {
		return nil, err
	}
	return s.inner.Open(ctx, name)
}

func (s storage) List(ctx context.Context, dir string) ([]lake.FileInfo, error) {
	return around(s.plan, func() ([]lake.FileInfo, error) { return s.inner.List(ctx, dir) })
}

func (s storage) Stat(ctx context.Context, name string) (lake.FileInfo, error) {
	return around(s.plan, func() (lake.FileInfo, error) { return s.inner.Stat(ctx, name) })
}

func (s storage) Remove(ctx context.Context, name string) error {
	_, err := around(s.plan, func() (struct{}, error) { return struct{}{}, s.inner.Remove(ctx, name) })
	return err
}

type writer struct {
	lake.FileWriter
	plan *Plan
}

func (w writer) Write(data []byte) (int, error) {
	if err := w.plan.reach(StorageStep); err != nil {
		return 0, err
	}
	return w.FileWriter.Write(data)
}

func (w writer) Commit(name string) error {
	_, err := around(w.plan, func() (struct{}, error) { return struct{}{}, w.FileWriter.Commit(name) })
	return err
}

func (w writer) Replace(name string) error {
	_, err := around(w.plan, func() (struct{}, error) { return struct{}{}, w.FileWriter.Replace(name) })
	return err
}
