package synth

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// maxLogBytes is the size at which a growing log goes on in a new file.
const maxLogBytes = 64 << 20

// output writes the files of a fleet. Logs that many episodes share are put in
// order of time, as a gateway would write them, with a window of pending lines.
type output struct {
	dir   string
	logs  map[string]*log
	names []string // of logs, in order of first use: maps have none
	files int64
	bytes int64
}

type log struct {
	pending lines
	file    *bufio.Writer
	closer  io.Closer
	number  int
	size    int64
	count   int64
}

type line struct {
	at    time.Time
	order int64 // of arrival: equal times stay in it
	text  []byte
}

type lines []line

func (l lines) Len() int      { return len(l) }
func (l lines) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l *lines) Push(x any)   { *l = append(*l, x.(line)) }
func (l *lines) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}

func (l lines) Less(i, j int) bool {
	if !l[i].at.Equal(l[j].at) {
		return l[i].at.Before(l[j].at)
	}
	return l[i].order < l[j].order
}

// add queues a line of a log; name is its path without .jsonl.
func (o *output) add(name string, at time.Time, text []byte) {
	l := o.logs[name]
	if l == nil {
		l = &log{}
		o.logs[name] = l
		o.names = append(o.names, name)
	}
	heap.Push(&l.pending, line{at: at, order: l.count, text: text})
	l.count++
}

// advance writes the lines before t: nothing earlier will be added any more.
func (o *output) advance(t time.Time) error {
	for _, name := range o.names {
		l := o.logs[name]
		for len(l.pending) > 0 && l.pending[0].at.Before(t) {
			next := heap.Pop(&l.pending).(line)
			if err := o.write(name, l, next.text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *output) write(name string, l *log, text []byte) error {
	if l.file == nil || l.size > maxLogBytes {
		if err := l.close(); err != nil {
			return err
		}
		path := name + ".jsonl"
		if l.number++; l.number > 1 {
			path = fmt.Sprintf("%s-%d.jsonl", name, l.number)
		}
		file, err := o.create(path)
		if err != nil {
			return err
		}
		l.file, l.closer, l.size = bufio.NewWriterSize(file, 256<<10), file, 0
	}
	n, err := l.file.Write(append(text, '\n'))
	l.size += int64(n)
	o.bytes += int64(n)
	return err
}

func (l *log) close() error {
	if l.file == nil {
		return nil
	}
	return errors.Join(l.file.Flush(), l.closer.Close())
}

// finish writes what is pending and closes the logs.
func (o *output) finish() error {
	var all error
	for _, name := range o.names {
		l := o.logs[name]
		for len(l.pending) > 0 && all == nil {
			all = o.write(name, l, heap.Pop(&l.pending).(line).text)
		}
		all = errors.Join(all, l.close())
	}
	return all
}

// file writes a whole file.
func (o *output) file(name string, text []byte) error {
	file, err := o.create(name)
	if err != nil {
		return err
	}
	n, err := file.Write(text)
	o.bytes += int64(n)
	return errors.Join(err, file.Close())
}

func (o *output) create(name string) (*os.File, error) {
	path := filepath.Join(o.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	o.files++
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

// encode is JSON on one line, with <, > and & as they are. What synth encodes
// are its own structs and strings, which cannot fail.
func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("synth: " + err.Error())
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
