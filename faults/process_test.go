package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// partitions of each topic.
const partitions = 4

// build makes the binary that obeys WEIR_FAULT. Its sources are looked at, so
// that go test does not take a result from its cache once one has changed.
func build(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"../cmd", "../ingest", "../lake", "../transforms"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(t.TempDir(), "weir")
	out, err := exec.Command("go", "build", "-tags", "faults", "-o", binary, "../cmd/weir").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// process is a running weir.
type process struct {
	cmd    *exec.Cmd
	output *output
	ended  chan struct{}
	fault  string
}

// output may be read while the process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs weir with a fault; empty is none. The process may outlive its
// scenario, as the broker does, but not the suite.
func (s *suite) start(t *testing.T, fault string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(s.binary, args...), output: &output{}, ended: make(chan struct{}), fault: fault}
	p.cmd.Env = append(os.Environ(), "WEIR_FAULT="+fault)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	s.cleanup(func() { p.cmd.Process.Kill(); <-p.ended })
	return p
}

// patience is how long a process may take for what takes a second.
const patience = 90 * time.Second

// end waits for the process and gives its exit code, -1 when it was killed.
func (p *process) end(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.signal(syscall.SIGQUIT) // Go prints where it waits
		time.Sleep(time.Second)
		t.Fatalf("%s does not end:\n%s", strings.Join(p.cmd.Args[1:], " "), p.output)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(sig syscall.Signal) { p.cmd.Process.Signal(sig) }

// stopped waits until the process has been stopped by SIGSTOP, or has ended.
func (p *process) stopped(t *testing.T) bool {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		select {
		case <-p.ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			continue
		}
		if _, state, ok := strings.Cut(string(stat), ") "); ok && strings.HasPrefix(state, "T") {
			return true
		}
	}
	t.Fatalf("it neither stops nor ends:\n%s", p.output)
	return false
}

// run runs weir to its end.
func (s *suite) run(t *testing.T, fault string, args ...string) (code int, text string) {
	t.Helper()
	p := s.start(t, fault, args...)
	code = p.end(t)
	if code == -1 {
		s.kills++
	}
	return code, p.output.String()
}

// must runs weir without a fault.
func (s *suite) must(t *testing.T, args ...string) string {
	t.Helper()
	code, text := s.run(t, "", args...)
	if code != 0 {
		t.Fatalf("weir %s: exit %d\n%s", strings.Join(args, " "), code, text)
	}
	return text
}

// broker is the cluster under test.
type broker interface {
	address() string
	// restart kills it without a word and starts it again with its data.
	restart(t *testing.T)
}

// embedded is weir's own broker, as a process of its own, of another lake than
// those under test: to them it is a foreign cluster, which nobody trims.
type embedded struct {
	s    *suite
	lake string
	addr string
	p    *process
}

func startEmbedded(t *testing.T, s *suite) *embedded {
	t.Helper()
	b := &embedded{s: s, lake: filepath.Join(t.TempDir(), "broker"), addr: freeAddress(t)}
	s.must(t, "init", "--lake", b.lake)
	b.launch(t)
	return b
}

func (b *embedded) address() string { return b.addr }

func (b *embedded) launch(t *testing.T) {
	t.Helper()
	b.p = b.s.start(t, "", "broker", "--lake", b.lake, "--listen", b.addr, "--partitions", fmt.Sprint(partitions))
	waitForPort(t, b.addr, b.p.output)
}

func (b *embedded) restart(t *testing.T) {
	t.Helper()
	b.p.signal(syscall.SIGKILL)
	<-b.p.ended
	b.launch(t)
}

// realKafka is an Apache Kafka that scripts/real-kafka.sh started in a folder.
type realKafka struct{ addr, dir string }

func (b realKafka) address() string { return b.addr }

func (b realKafka) restart(t *testing.T) {
	t.Helper()
	var pid int
	text, err := os.ReadFile(filepath.Join(b.dir, "pid"))
	if err == nil {
		_, err = fmt.Sscan(string(text), &pid)
	}
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatalf("kill Kafka in %s: %v", b.dir, err)
	}
	for syscall.Kill(pid, 0) == nil {
		time.Sleep(20 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "../scripts/real-kafka.sh", "start", b.dir).CombinedOutput(); err != nil {
		t.Fatalf("start Kafka again: %v\n%s", err, out)
	}
	waitForPort(t, b.addr, nil)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func waitForPort(t *testing.T, address string, log fmt.Stringer) {
	t.Helper()
	err := errors.New("not tried")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var conn net.Conn
		if conn, err = net.Dial("tcp", address); err == nil {
			conn.Close()
			return
		}
	}
	t.Fatalf("%s does not answer: %v\n%v", address, err, log)
}
