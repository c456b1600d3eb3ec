package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// suite is one run against one broker. All its scenarios but the full disk work
// on one lake, so that each also meets what the ones before it left.
type suite struct {
	binary string
	broker broker
	topics *topics
	lake   string
	kills  int // processes that died of SIGKILL
	target int // kills to reach
	faults int // processes that met an error, were stopped, or lost their broker
	random *rand.Rand

	cleanup      func(func()) // at the end of the suite
	compacted    bool         // files need not follow each other any more
	rowsChecked  int
	filesChecked int
}

// TestFaults runs the short form on the embedded broker. WEIR_FAULT_KILLS=500
// asks for the long form, and WEIR_FAULT_KAFKA=HOST:PORT,DIR for a Kafka that
// scripts/real-kafka.sh runs in a folder.
func TestFaults(t *testing.T) {
	s := &suite{binary: build(t), target: 24, random: rand.New(rand.NewPCG(7, 11)), cleanup: t.Cleanup}
	if text := os.Getenv("WEIR_FAULT_KILLS"); text != "" {
		var err error
		if s.target, err = strconv.Atoi(text); err != nil {
			t.Fatalf("WEIR_FAULT_KILLS: %v", err)
		}
	}
	if address, dir, ok := strings.Cut(os.Getenv("WEIR_FAULT_KAFKA"), ","); ok {
		s.broker = realKafka{address, dir}
	} else {
		s.broker = startEmbedded(t, s)
	}
	s.lake = filepath.Join(t.TempDir(), "lake")
	s.must(t, "init", "--lake", s.lake)
	s.must(t, s.sink("--once")...) // makes the topics
	s.topics = openTopics(t, s.broker.address())

	t.Run("KilledAtEachStep", s.killedAtEachStep)
	t.Run("KilledAtEachOperation", s.killedAtEachOperation)
	t.Run("KilledAtAnyMoment", s.killedAtAnyMoment)
	t.Run("FailingOperations", s.failingOperations)
	t.Run("SameAssignment", s.sameAssignment)
	t.Run("Zombie", s.zombie)
	t.Run("FullDisk", s.fullDisk)
	t.Run("BrokerRestart", s.brokerRestart)
	t.Run("Rebalances", s.rebalances)
	t.Run("Upkeep", s.upkeep)
	s.verify(t)
	t.Logf("%d kills, %d other faults, %d rows in %d files checked", s.kills, s.faults, s.rowsChecked, s.filesChecked)
	if s.kills < s.target {
		t.Errorf("only %d kills of %d", s.kills, s.target)
	}
}

// long says whether there is time for all of it.
func (s *suite) long() bool { return s.target >= 200 }

// sink is the command line of a sink on the lake under test.
func (s *suite) sink(flags ...string) []string { return s.sinkOf(s.lake, flags...) }

func (s *suite) sinkOf(lake string, flags ...string) []string {
	return append([]string{"sink", "--lake", lake, "--brokers", s.broker.address(), "--quiet"}, flags...)
}

// settle lets a sink finish what is left, undisturbed, and asks the oracle.
func (s *suite) settle(t *testing.T) {
	t.Helper()
	s.must(t, s.sink("--once")...)
	s.check(t, s.lake)
}

// verify lets weir look at its own lake as well. Files of batches that did not
// come about are no fault.
func (s *suite) verify(t *testing.T) {
	t.Helper()
	code, text := s.run(t, "", "lake", "verify", "--lake", s.lake, "--json")
	if code != 0 && code != 3 {
		t.Fatalf("weir lake verify: exit %d\n%s", code, text)
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, `"kind"`) && !strings.Contains(line, "orphan") && !strings.Contains(line, "left_behind") {
			t.Errorf("weir lake verify: %s", line)
		}
	}
}

// steps are the named steps of the sink's commit.
var steps = []string{"sink.after-parquet", "sink.after-secondary", "sink.after-commit"}

func (s *suite) killedAtEachStep(t *testing.T) {
	times := 1
	if s.long() {
		times = 4
	}
	for _, step := range steps {
		for n := 1; n <= times; n++ {
			s.topics.send(t, 120)
			s.topics.transaction(t, 20, n%2 == 0)
			if code, text := s.run(t, fmt.Sprintf("%s:%d:kill", step, n), s.sink("--once")...); code > 0 {
				t.Fatalf("%s:%d: exit %d\n%s", step, n, code, text)
			}
		}
	}
	s.settle(t)
}

// killedAtEachOperation kills before and after each operation of the storage:
// before and after a file is written, synced, named, read, listed, deleted.
func (s *suite) killedAtEachOperation(t *testing.T) {
	stride, rounds := 29, 8
	if s.long() {
		stride, rounds = 1, s.target*3/5
	}
	n := 1
	for range rounds {
		s.topics.send(t, 40)
		code, text := s.run(t, fmt.Sprintf("storage:%d:kill", n), s.sink("--once")...)
		if code > 0 {
			t.Fatalf("storage:%d:kill: exit %d\n%s", n, code, text)
		}
		if n += stride; code == 0 {
			n = 1 // there are no more
		}
	}
	s.settle(t)
}

// killedAtAnyMoment kills where no step has a name: while the catalog and
// current/ are published, while records are fetched and decoded.
func (s *suite) killedAtAnyMoment(t *testing.T) {
	rounds := 4
	if s.long() {
		rounds = 60
	}
	for range rounds {
		s.topics.send(t, 150)
		p := s.start(t, "", s.sink("--once")...)
		time.Sleep(time.Duration(s.random.IntN(700)) * time.Millisecond)
		p.signal(syscall.SIGKILL)
		if code := p.end(t); code == -1 {
			s.kills++
		} else if code != 0 {
			t.Fatalf("exit %d\n%s", code, p.output)
		}
	}
	s.settle(t)
}

// failingOperations lets each operation fail in turn, before or after it is
// done, once or for a while. A sink may give up or try again; it may not hang,
// and the next one finds everything in order.
func (s *suite) failingOperations(t *testing.T) {
	stride, rounds := 31, 8
	if s.long() {
		stride, rounds = 3, 120
	}
	for round := range rounds {
		n := 1 + round*stride
		fault := fmt.Sprintf("storage:%d:eio", n)
		if round%3 == 2 {
			fault = fmt.Sprintf("storage:%d-%d:enospc", n, n+20)
		}
		s.topics.send(t, 40)
		code, text := s.run(t, fault, s.sink("--once")...)
		// Exit 0: it was in a part that may fail, such as deleting its own files.
		if code != 0 && (code != 1 || !strings.Contains(text, "input/output error") && !strings.Contains(text, "no space left")) {
			t.Fatalf("%s: exit %d\n%s", fault, code, text)
		}
		s.faults++
	}
	s.settle(t)
}

// sameAssignment runs two and three sinks on all partitions at once, and kills
// some of them.
func (s *suite) sameAssignment(t *testing.T) {
	rounds := 3
	if s.long() {
		rounds = 25
	}
	for round := range rounds {
		s.topics.send(t, 400)
		var sinks []*process
		for i := range 2 + round%2 {
			fault := ""
			if i == 0 && round%3 > 0 {
				fault = fmt.Sprintf("%s:1:kill", steps[round%len(steps)])
			}
			sinks = append(sinks, s.start(t, fault, s.sink("--once")...))
		}
		for _, p := range sinks {
			switch code := p.end(t); code {
			case -1:
				s.kills++
			case 0:
			default:
				t.Fatalf("exit %d\n%s", code, p.output)
			}
		}
		s.faults++
	}
	s.settle(t)
}

// zombie stops a sink in the middle of a commit, lets another take its records,
// and wakes it up.
func (s *suite) zombie(t *testing.T) {
	for _, step := range steps {
		s.topics.send(t, 300)
		old := s.start(t, step+":1:stop", s.sink("--once")...)
		if !old.stopped(t) {
			t.Fatalf("%s: it has not stopped\n%s", step, old.output)
		}
		s.must(t, s.sink("--once")...)
		s.check(t, s.lake)
		s.topics.send(t, 100)
		old.signal(syscall.SIGCONT)
		if code := old.end(t); code != 0 {
			t.Errorf("%s: the zombie: exit %d\n%s", step, code, old.output)
		}
		s.faults++
	}
	s.settle(t)
}

// fullDisk puts a lake on a file system of a few megabytes, where that is
// allowed, and gives it room later.
func (s *suite) fullDisk(t *testing.T) {
	root := t.TempDir()
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small file system cannot be mounted here (%v); FailingOperations has ENOSPC", err)
	}
	t.Cleanup(func() { syscall.Unmount(root, 0) })
	lake := filepath.Join(root, "lake")
	s.must(t, "init", "--lake", lake)
	for size := 1; ; size++ {
		code, text := s.run(t, "", s.sinkOf(lake, "--once")...)
		if code == 0 {
			break
		}
		if code != 1 || !strings.Contains(text, "no space left") || size > 200 {
			t.Fatalf("at %d MB: exit %d\n%s", size, code, text)
		}
		s.faults++
		if err := syscall.Mount("tmpfs", root, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dm", size+1)); err != nil {
			t.Fatal(err)
		}
	}
	s.check(t, lake)
}
