package faults

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running starts a sink that joins the group and runs until it is stopped.
func (s *suite) running(t *testing.T, fault string) *process {
	t.Helper()
	return s.start(t, fault, s.sink("--flush-every", "200ms")...)
}

// stop ends a sink as an operator does, and expects it to obey.
func (s *suite) stop(t *testing.T, p *process) {
	t.Helper()
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	switch code := p.end(t); {
	case code == -1 && p.fault != "": // it met its fault first
		s.kills++
	case code != 0:
		t.Errorf("after SIGTERM: exit %d\n%s", code, p.output)
	}
}

// sendFor sends a little at a time.
func (s *suite) sendFor(t *testing.T, long time.Duration) {
	t.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		s.topics.send(t, 25)
	}
}

// brokerRestart kills the broker under two running sinks. They go on by
// themselves when it is back: nobody restarts them.
func (s *suite) brokerRestart(t *testing.T) {
	rounds := 1
	if s.long() {
		rounds = 4
	}
	sinks := []*process{s.running(t, ""), s.running(t, "")}
	for range rounds {
		s.sendFor(t, time.Second)
		s.broker.restart(t)
		s.faults++
		s.sendFor(t, time.Second)
		s.caughtUp(t)
	}
	for _, p := range sinks {
		s.stop(t, p)
	}
	s.settle(t)
}

// caughtUp waits until running sinks have taken everything.
func (s *suite) caughtUp(t *testing.T) {
	t.Helper()
	sent := s.topics.everything(t)
	deadline := time.Now().Add(patience)
	for {
		missing := 0
		seen := readLake(t, s.lake, false)
		for at := range sent {
			if len(seen.ids[at]) == 0 {
				missing++
			}
		}
		if missing == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the running sinks do not take %d of %d records", missing, len(sent))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// rebalances has three sinks on one group, which come and go: killed in the
// middle of a commit or between, stopped politely, paused until the group has
// given their partitions away and then woken up.
func (s *suite) rebalances(t *testing.T) {
	rounds := 3
	if s.long() {
		rounds = 30
	}
	sinks := []*process{s.running(t, ""), s.running(t, ""), s.running(t, "")}
	for round := range rounds {
		s.sendFor(t, time.Second)
		i := s.random.IntN(len(sinks))
		switch round % 3 {
		case 0:
			sinks[i].signal(syscall.SIGKILL)
			sinks[i].end(t)
			s.kills++
			sinks[i] = s.running(t, fmt.Sprintf("%s:%d:kill", steps[s.random.IntN(len(steps))], 5+s.random.IntN(20)))
		case 1:
			s.stop(t, s.alive(t, sinks, i))
			sinks[i] = s.running(t, "")
		case 2:
			paused := s.alive(t, sinks, i)
			paused.signal(syscall.SIGSTOP)
			s.sendFor(t, 12*time.Second) // longer than a member's session
			paused.signal(syscall.SIGCONT)
			s.faults++
		}
	}
	s.sendFor(t, time.Second)
	for _, p := range sinks {
		s.stop(t, p)
	}
	s.settle(t)
}

// alive gives the i-th sink, and starts it again if a fault has killed it.
func (s *suite) alive(t *testing.T, sinks []*process, i int) *process {
	t.Helper()
	select {
	case <-sinks[i].ended:
		if code := sinks[i].cmd.ProcessState.ExitCode(); code != -1 {
			t.Fatalf("a sink ended by itself: exit %d\n%s", code, sinks[i].output)
		}
		s.kills++
		sinks[i] = s.running(t, "")
		time.Sleep(2 * time.Second) // until it can obey
	default:
	}
	return sinks[i]
}

// upkeep kills the commands that rewrite a lake at their storage operations,
// while a sink runs beside them.
func (s *suite) upkeep(t *testing.T) {
	stride, rounds := 29, 4
	if s.long() {
		stride, rounds = 3, 40
	}
	beside := s.running(t, "")
	s.compacted = true
	for _, command := range [][]string{
		{"lake", "compact"}, {"lake", "checkpoint"}, {"lake", "vacuum", "--horizon", "1h"}, {"lake", "repair"}, {"lake", "maintain"}, {"transform"},
	} {
		for round := range rounds {
			s.topics.send(t, 60)
			args := append(append([]string{}, command...), "--lake", s.lake)
			code, text := s.run(t, fmt.Sprintf("storage:%d:kill", 1+round*stride), args...)
			if code > 0 {
				t.Fatalf("weir %s: exit %d\n%s", strings.Join(args, " "), code, text)
			}
			if code == 0 {
				break
			}
		}
		s.must(t, append(append([]string{}, command...), "--lake", s.lake)...)
	}
	s.stop(t, beside)
	s.settle(t)
}
