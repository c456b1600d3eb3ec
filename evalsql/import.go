package evalsql

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
)

// maxImportBytes bounds a file, which is held in memory: results are small
// beside the logs they judge.
const maxImportBytes = 1 << 30

// parserVersion of the events that are written here.
const parserVersion = 1

// Errors of Import.
var (
	ErrUnknownFormat = errors.New("no known format of eval results")
	ErrTooLarge      = errors.New("file of eval results is too large")
)

// ImportOptions say what a file of results is, where it does not say so itself.
type ImportOptions struct {
	Name   string    // file as named by the user; names suite and run where nothing else does
	Format string    // one of ImportFormats; empty: by content
	Time   time.Time // of results that bear none, such as the file's own; required

	Suite      string // overrides or fills in
	Experiment string
	Arm        string
	Phase      string
	Run        string

	// Redact takes secrets out of an event before it is appended; may be nil.
	Redact func(*lake.Event)
}

// ImportReport counts what an import read.
type ImportReport struct {
	Format    string          `json:"format"`
	Results   int64           `json:"results"`
	Errors    int64           `json:"errors"` // results without an answer, among Results
	Scenarios int64           `json:"scenarios"`
	Rejected  []RejectCount   `json:"rejected"` // rows on their way to the dead letters, by reason
	Positions []lake.Position `json:"-"`        // where the events are: wait until the lake has them
}

// RejectCount is a number of rows that were rejected for one reason.
type RejectCount struct {
	Reason string `json:"reason"`
	Rows   int64  `json:"rows"`
}

// importFormat reads one tool's results.
type importFormat struct {
	name   string
	detect func(name string, head []byte) bool
	read   func(im *importer, data []byte) error
}

// importFormats in order of detection: the pickiest first.
var importFormats = []importFormat{
	{"promptfoo", isPromptfoo, readPromptfoo},
	{"jsonl", isJSONLines, readJSONLines},
	{"csv", isCSV, readCSV},
}

// ImportFormats are the names that ImportOptions.Format takes.
func ImportFormats() []string {
	var names []string
	for _, f := range importFormats {
		names = append(names, f.name)
	}
	return names
}

// Import reads eval results from r and appends them as events, one result a
// trial, with the scenarios they are of. It is idempotent: the same file gives
// the same event ids. Rows that make no sense become dead letters and are
// counted; an error means that the file could not be read at all (ErrTooLarge,
// ErrUnknownFormat) or that out refused.
func Import(ctx context.Context, out lake.Appender, r io.Reader, opts ImportOptions) (ImportReport, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxImportBytes+1))
	if err != nil {
		return ImportReport{}, fmt.Errorf("eval import: %s: %w", opts.Name, err)
	}
	if len(data) > maxImportBytes {
		return ImportReport{}, fmt.Errorf("eval import: %s: %w: over %d bytes", opts.Name, ErrTooLarge, maxImportBytes)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	format, err := findFormat(opts, data)
	if err != nil {
		return ImportReport{}, err
	}
	sum := sha256.Sum256(data)
	im := &importer{
		ctx: ctx, out: out, opts: opts, file: hex.EncodeToString(sum[:6]), report: ImportReport{Format: format.name},
		trials: map[string]int64{}, scenarios: map[string]bool{},
	}
	if err := format.read(im, data); err != nil {
		return im.report, fmt.Errorf("eval import: %s: %w", opts.Name, err)
	}
	im.report.Positions, err = out.Flush(ctx)
	if err != nil {
		return im.report, fmt.Errorf("eval import: %s: %w", opts.Name, err)
	}
	return im.report, nil
}

func findFormat(opts ImportOptions, data []byte) (importFormat, error) {
	for _, f := range importFormats {
		if opts.Format == f.name || opts.Format == "" && f.detect(opts.Name, data) {
			return f, nil
		}
	}
	err := fmt.Errorf("eval import: %s: %w", opts.Name, ErrUnknownFormat)
	if opts.Format != "" {
		err = fmt.Errorf("eval import: format %q: %w", opts.Format, ErrUnknownFormat)
	}
	return importFormat{}, lake.WithHint(err, "weir eval import --format "+strings.Join(ImportFormats(), "|"))
}

// importer turns rows into events.
type importer struct {
	ctx       context.Context
	out       lake.Appender
	opts      ImportOptions
	file      string // hash of the file: the run of results that name none
	report    ImportReport
	trials    map[string]int64
	scenarios map[string]bool
}

// result is a row of any format.
type result struct {
	lake.EvalResult
	trial    *int64 // as given; else rows of one scenario, arm and metric are counted
	time     time.Time
	source   string // scheme of the source URI
	scenario *lake.Scenario
	extra    string
}

// add appends a result and, the first time, its scenario.
func (im *importer) add(r result) error {
	e := &r.EvalResult
	for _, fill := range []struct {
		field    *string
		override string
		fallback string
	}{
		{&e.Suite, im.opts.Suite, baseName(im.opts.Name)},
		{&e.Experiment, im.opts.Experiment, ""},
		{&e.Arm, im.opts.Arm, ""},
		{&e.Phase, im.opts.Phase, ""},
		{&e.EvalRunID, im.opts.Run, im.file},
		{&e.Metric, "", "score"},
	} {
		if fill.override != "" {
			*fill.field = fill.override
		}
		if *fill.field == "" {
			*fill.field = fill.fallback
		}
	}
	if r.time.IsZero() {
		r.time = im.opts.Time
	}
	if r.scenario != nil {
		if err := im.addScenario(r); err != nil {
			return err
		}
	}
	key := lake.StableID(e.Suite, e.EvalRunID, e.ScenarioID, e.Arm, e.Model, e.Metric)
	e.Trial = im.trials[key]
	im.trials[key]++
	if r.trial != nil {
		e.Trial = *r.trial
	}
	im.report.Results++
	if e.Error != "" {
		im.report.Errors++
	}
	return im.append(lake.Event{
		ID:     lake.StableID("eval-result", key, strconv.FormatInt(e.Trial, 10)),
		Source: r.source + "://" + e.EvalRunID, Type: "weir.eval.result.v1", Subject: scenarioSubject(e.Suite, e.ScenarioID),
		Time: r.time, ParserVersion: parserVersion, Data: e, Extra: r.extra,
	})
}

// addScenario appends the scenario of a result once. Its id covers its text, so
// that a scenario that was changed under its old name is another event.
func (im *importer) addScenario(r result) error {
	s := *r.scenario
	s.Suite, s.ScenarioID, s.Category, s.Origin = r.Suite, r.ScenarioID, r.Category, "imported"
	id := lake.StableID("eval-scenario", s.Suite, s.ScenarioID, s.Category, s.Prompt, s.Expected, s.Grader, s.GraderConfig)
	if im.scenarios[id] {
		return nil
	}
	im.scenarios[id] = true
	im.report.Scenarios++
	return im.append(lake.Event{
		ID: id, Source: r.source + "://" + r.EvalRunID, Type: "weir.eval.scenario.v1", Subject: scenarioSubject(s.Suite, s.ScenarioID),
		Time: r.time, ParserVersion: parserVersion, Data: &s,
	})
}

// reject sends a row to the dead letters. Line is 1-based, record 0-based and
// -1 where it makes no sense.
func (im *importer) reject(reason, detail string, line, record int64, body []byte) error {
	letter := &lake.DeadLetter{
		Stage: "ingest", Reason: reason, Detail: detail, Format: im.report.Format, File: im.opts.Name,
	}
	if line > 0 {
		letter.Line = &line
	}
	if record >= 0 {
		letter.Record = &record
	}
	letter.Keep(body, im.redactText)
	at := slices.IndexFunc(im.report.Rejected, func(c RejectCount) bool { return c.Reason == reason })
	if at < 0 {
		at = len(im.report.Rejected)
		im.report.Rejected = append(im.report.Rejected, RejectCount{Reason: reason})
	}
	im.report.Rejected[at].Rows++
	id := lake.StableID("dead-letter", letter.SHA256, strconv.FormatInt(line, 10), strconv.FormatInt(record, 10))
	return im.append(lake.Event{
		ID: id, Source: "eval-import://" + im.file, Type: "weir.deadletter.record.v1", Subject: id,
		Time: im.opts.Time, ParserVersion: parserVersion, Data: letter,
	})
}

// redactText takes secrets out of a text that is no event of its own.
func (im *importer) redactText(text string) string {
	if im.opts.Redact == nil {
		return text
	}
	letter := lake.DeadLetter{Body: text}
	im.opts.Redact(&lake.Event{Subject: im.file, Data: &letter})
	return letter.Body
}

func (im *importer) append(event lake.Event) error {
	if im.opts.Redact != nil {
		im.opts.Redact(&event)
	}
	return im.out.Append(im.ctx, event)
}

// scenarioSubject is what the events about one scenario have in common.
func scenarioSubject(suite, scenario string) string { return "scenario:" + suite + "/" + scenario }

// baseName is the file's name without folder and endings: a/rules.promptfoo.json
// is rules.
func baseName(name string) string {
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	base, _, _ = strings.Cut(base, ".")
	return base
}
