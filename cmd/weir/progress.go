package main

import (
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// logger writes warnings to stderr: what a user may have to act on.
func (e env) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// progress is a bar on stderr. It shows itself only on a terminal, and only
// for what takes over two seconds.
type progress struct {
	mu     sync.Mutex
	what   string
	out    io.Writer // nil: silent
	start  time.Time
	bar    *progressbar.ProgressBar
	total  int64
	closed bool
}

const showAfter = 2 * time.Second

func (e env) progress(what string, quiet bool) *progress {
	p := &progress{what: what, start: time.Now()}
	if file, ok := e.stderr.(*os.File); ok && !quiet && term.IsTerminal(int(file.Fd())) {
		p.out = file
	}
	return p
}

// set says how far it is; total 0 means that nobody knows.
func (p *progress) set(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil || p.closed || time.Since(p.start) < showAfter {
		return
	}
	if p.bar == nil {
		p.total = total
		size := total
		if size <= 0 {
			size = -1
		}
		p.bar = progressbar.NewOptions64(size,
			progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(p.what),
			progressbar.OptionShowCount(), progressbar.OptionThrottle(200*time.Millisecond),
			progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
	}
	if total > 0 && total != p.total {
		p.total = total
		p.bar.ChangeMax64(total)
	}
	_ = p.bar.Set64(done) // a bar that cannot be drawn is no reason to stop
}

// step names what is being done now.
func (p *progress) step(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what = what
	if p.bar != nil {
		p.bar.Describe(what)
	}
}

func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
