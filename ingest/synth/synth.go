// Package synth writes the native logs of an invented fleet of agents: Claude
// Code sessions, gateway logs of three kinds, checkpoints, group chats,
// documents, weir's own events and eval results, with faults planted in them
// and the truth about each fault beside them. It serves demos, tests and
// benchmarks. One seed gives one tree of files, byte for byte; memory stays
// flat however many records are asked for. It is not a model of real fleets:
// rates and lengths are plausible, no more.
//
// Start at Write.
package synth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"
)

// Options of Write.
type Options struct {
	Seed   uint64 // one seed, one fleet
	Events int64  // records to write, about: the last episode is written whole. From some 600 on everything is planted. 0: 800
}

// Summary counts what was written.
type Summary struct {
	Records int64    `json:"records"` // log records, nearly one event each; broken ones and eval results not counted
	Formats []Format `json:"formats"` // in order of name
	Files   int64    `json:"files"`
	Bytes   int64    `json:"bytes"`
}

// Format is a native format and its number of records.
type Format struct {
	Name    string `json:"name"`
	Records int64  `json:"records"`
}

// ErrNotEmpty says that the folder to write to has something in it.
var ErrNotEmpty = errors.New("folder is not empty")

// The fleet's four weeks.
var (
	epoch = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	span  = 28 * 24 * time.Hour
)

// recordsPerEpisode is the average, to spread episodes over the weeks.
const recordsPerEpisode = 12

// kinds of episodes, in the order in which they recur.
var kinds = []string{
	"claude-code", "openai", "group-chat", "openai", "checkpoint", "openai",
	"claude-code", "group-chat", "litellm", "anthropic", "openai", "checkpoint",
}

// Write writes a fleet into dir, which must be empty or absent:
//
//	logs/      to ingest: every file of it is sound
//	broken/    to ingest: records that must end as dead letters, among good ones
//	evals/     to import as eval results of both arms
//	truth.jsonl  what was planted (see Truth)
func Write(ctx context.Context, dir string, opts Options) (Summary, error) {
	if opts.Events < 0 {
		return Summary{}, fmt.Errorf("synth: %d events: must not be negative", opts.Events)
	}
	if opts.Events == 0 {
		opts.Events = 800
	}
	w, err := newWriter(dir, opts.Seed)
	if err != nil {
		return Summary{}, fmt.Errorf("synth: %w", err)
	}
	if err := w.run(ctx, opts.Events); err != nil {
		return Summary{}, fmt.Errorf("synth: %w", err)
	}
	return w.summary(), nil
}

type writer struct {
	seed   uint64
	out    *output
	counts map[string]int64 // records by format
	truths int64
	last   episode // the episode before
}

func newWriter(dir string, seed uint64) (*writer, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotEmpty)
	}
	return &writer{seed: seed, out: &output{dir: dir, logs: map[string]*log{}}, counts: map[string]int64{}}, nil
}

// episode is one conversation, session or task.
type episode struct {
	number  uint64
	kind    string
	ordinal uint64 // among the episodes of its kind
	start   time.Time
	agent   agent
	person  string
	task    string
	subject string
	content *rand.Rand
	ids     *rand.Rand
	source  *copyOf // the episode that this one repeats, if it does
}

// copyOf says how an episode repeats an earlier one.
type copyOf struct {
	number   uint64
	editRate float64 // 0: word for word
}

func (w *writer) run(ctx context.Context, events int64) error {
	if err := w.documents(); err != nil {
		return err
	}
	step := span / time.Duration(events/recordsPerEpisode+2)
	for number := uint64(0); w.records() < events || number < uint64(len(kinds)); number++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := epoch.Add(time.Duration(number) * step)
		e := w.episode(number, start)
		if err := w.write(&e); err != nil {
			return err
		}
		// No later episode has a line before its own start.
		if err := w.out.advance(start); err != nil {
			return err
		}
		w.last = e
	}
	if err := w.evals(); err != nil {
		return err
	}
	if err := w.broken(); err != nil {
		return err
	}
	w.plant(Truth{Kind: "erasure", Value: erasedPerson})
	for _, f := range w.summary().Formats {
		w.plant(Truth{Kind: "records", Value: f.Name, Count: f.Records})
	}
	return w.out.finish()
}

func (w *writer) episode(number uint64, start time.Time) episode {
	kind := kinds[number%uint64(len(kinds))]
	e := episode{number: number, kind: kind, start: start, source: repeats(number)}
	perCycle, before := uint64(0), uint64(0)
	for i, other := range kinds {
		if other == kind {
			perCycle++
			if uint64(i) < number%uint64(len(kinds)) {
				before++
			}
		}
	}
	e.ordinal = number/uint64(len(kinds))*perCycle + before
	said := number
	if e.source != nil {
		said = e.source.number
	}
	e.content, e.ids = stream(w.seed, forContent, said), stream(w.seed, forIDs, number)
	e.agent = pick(e.content, fleet)
	e.person = pick(e.ids, people)
	e.task = fmt.Sprintf("task-%06d", number)
	// Now and then a task takes two conversations.
	if number%9 == 8 {
		e.task = w.last.task
	}
	e.start = e.start.Add(time.Duration(e.ids.IntN(50)) * time.Second)
	return e
}

// repeats says which episodes repeat an earlier one of their kind: exact
// copies, close copies, and copies that are too loose to count.
func repeats(number uint64) *copyOf {
	switch number % 36 {
	case 13:
		return &copyOf{number: number - 12}
	case 29:
		return &copyOf{number: number - 24, editRate: 0.01}
	case 32:
		return &copyOf{number: number - 24, editRate: 0.15}
	case 26:
		return &copyOf{number: number - 24}
	}
	return nil
}

func (w *writer) write(e *episode) error {
	switch e.kind {
	case "claude-code":
		if err := w.session(e); err != nil {
			return err
		}
	case "openai":
		w.openai(e)
	case "anthropic":
		w.anthropic(e)
	case "litellm":
		w.litellm(e)
	case "checkpoint":
		w.checkpoints(e)
	default:
		w.groupChat(e)
	}
	if e.task == w.last.task {
		w.plant(Truth{Kind: "family", IDs: []string{w.last.subject, e.subject}, Value: e.task})
	}
	if e.person == erasedPerson {
		w.plant(Truth{Kind: "erasure", Value: e.person, IDs: []string{e.subject}})
	}
	return nil
}

// log adds a record to a log of a format.
func (w *writer) log(format, name string, at time.Time, record []byte) {
	w.out.add(name, at, record)
	w.counts[format]++
}

func (w *writer) plant(t Truth) {
	// The truth is in no order of time: its clock is a counter.
	w.truths++
	w.out.add("truth", epoch.Add(time.Duration(w.truths)), encode(t))
}

// formats, in order of name.
var formats = []string{"anthropic", "checkpoint", "claude-code", "document", "group-chat", "litellm", "openai", "weir"}

func (w *writer) records() int64 {
	var n int64
	for _, format := range formats {
		n += w.counts[format]
	}
	return n
}

func (w *writer) summary() Summary {
	s := Summary{Records: w.records(), Files: w.out.files, Bytes: w.out.bytes}
	for _, format := range formats {
		s.Formats = append(s.Formats, Format{Name: format, Records: w.counts[format]})
	}
	return s
}
