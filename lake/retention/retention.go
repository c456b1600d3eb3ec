// Package retention lets the rows of events tables go once they are old. A rule
// says for a family of events how long its rows are kept; Apply takes older rows
// out, and records in a ledger what it took, so that a rebuild (Replay) does not
// bring them back. What is to go for another reason than its age is lake/erasure's.
// Start at Apply and Policy.
//
// # What is old
//
// A row is as old as its event: by the event's time, or by the time at which it
// was appended to its topic where that is earlier (a clock ran ahead) or the event
// has none (it stands at the epoch). Families whose rows make sense together, such
// as the messages of a conversation, go by subject: all rows of a subject go once
// the youngest is old, and none before, since half a conversation would be taken
// for a whole one. A channel in which people never stop talking is never old by
// that; Rule.Rows asks for its old rows all the same.
//
// # What stays
//
// Ledgers: erasures, dataset versions and their members, and configuration. They
// decide what other rows mean and who must not come back. Rows of other families
// that point at a row that went stay as well; their families have rules of their
// own. The files that held the rows are deleted by the next vacuum after its
// horizon; until then time travel shows them, but nothing restores them.
package retention

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/upkeep"
)

// Rule says how long the rows of a family are kept.
type Rule struct {
	Family    string        // chat, gateway, …
	OlderThan time.Duration // rows that are older go
	// Rows takes old rows out of subjects that go on. Families whose rows stand
	// alone go by rows whatever it says.
	Rows bool
}

// Options of Apply.
type Options struct {
	Session duck.Options // of the DuckDB session that looks for rows and writes files
	Now     time.Time    // what ages count from; required
	DryRun  bool         // say what would go
	// Fault is called at the named steps, for tests that end the process there.
	Fault func(step string)
}

// Result is what Apply did to the table of a family.
type Result struct {
	Family   string    `json:"family"`
	Table    string    `json:"table"`
	Before   time.Time `json:"before"`             // rows from before were to go
	Rows     int64     `json:"rows"`               // that went
	Subjects int64     `json:"subjects,omitempty"` // that went whole
	Files    int       `json:"files"`              // that were written again or dropped
	// Held are older rows that stay because their subject goes on.
	Held int64 `json:"held"`
}

// Errors of a rule.
var (
	ErrFamily = errors.New("no family of events")
	ErrLedger = errors.New("a ledger is never expired")
)

// ledgers are the families that stay: see the package comment.
var ledgers = []string{"erasure", "dataset", "config"}

// bySubject are the families whose rows make sense together.
var bySubject = []string{"chat", "checkpoint", "gateway", "swarm"}

// maxConflicts is how often a commit is tried on top of what others did.
const maxConflicts = 20

// Apply takes out what the rules call old, one commit a table, and gives a
// result for each rule, in their order. It first finishes what a killed run has
// begun. It may run beside sinks, upkeep and readers: it moves no offset, wins over
// a compaction or is done again, and other runs, vacuum and rebuild wait for it.
// Run again it finds nothing; rows that are old when they come go then. Derived
// tables follow by their next build.
func Apply(ctx context.Context, lk *lake.Lake, rules []Rule, opts Options) ([]Result, error) {
	if opts.Fault == nil {
		opts.Fault = func(string) {}
	}
	if err := checkRules(rules, opts); err != nil {
		return nil, fmt.Errorf("expire: %w", err)
	}
	unlock, err := upkeep.Lock(ctx, lk)
	if err != nil {
		return nil, fmt.Errorf("expire: %w", err)
	}
	defer unlock()
	if !opts.DryRun {
		if err := finish(ctx, lk, opts); err != nil {
			return nil, fmt.Errorf("expire: finish what was begun: %w", err)
		}
	}
	results := []Result{}
	for _, rule := range rules {
		result, err := apply(ctx, lk, rule, opts)
		if err != nil {
			return results, lake.WithHint(fmt.Errorf("expire %s: %w", rule.Family, err), "run it again: it goes on where it stopped")
		}
		results = append(results, result)
	}
	return results, nil
}

func checkRules(rules []Rule, opts Options) error {
	if opts.Now.IsZero() {
		return errors.New("no time that ages count from")
	}
	seen := map[string]bool{}
	for _, rule := range rules {
		if err := rule.check(); err != nil {
			return err
		}
		if seen[rule.Family] {
			return fmt.Errorf("family %s: two rules", rule.Family)
		}
		seen[rule.Family] = true
	}
	return nil
}

func (r Rule) check() error {
	switch {
	case slices.Contains(ledgers, r.Family):
		return fmt.Errorf("family %s: %w", r.Family, ErrLedger)
	case tableOf(r.Family) == "":
		return lake.WithHint(fmt.Errorf("family %q: %w", r.Family, ErrFamily), "one of "+strings.Join(Families(), ", "))
	case r.OlderThan <= 0:
		return fmt.Errorf("family %s: age %v: not a time in the past", r.Family, r.OlderThan)
	}
	return nil
}

// Families are those that a rule may name, sorted.
func Families() []string {
	var families []string
	for _, payload := range lake.Payloads() {
		if !slices.Contains(ledgers, payload.Family) {
			families = append(families, payload.Family)
		}
	}
	slices.Sort(families)
	return slices.Compact(families)
}

// tableOf is the table of a family; only ledgers have several.
func tableOf(family string) string {
	for _, payload := range lake.Payloads() {
		if payload.Family == family {
			return payload.Table
		}
	}
	return ""
}

func apply(ctx context.Context, lk *lake.Lake, rule Rule, opts Options) (_ Result, err error) {
	one := entry{
		Family: rule.Family, Table: tableOf(rule.Family), ByRow: rule.Rows || !slices.Contains(bySubject, rule.Family),
		Before: opts.Now.Add(-rule.OlderThan).UTC().Truncate(time.Microsecond), Pending: true,
	}
	result := Result{Family: one.Family, Table: one.Table, Before: one.Before}
	table, err := lk.Table(one.Table)
	if err != nil {
		return result, err
	}
	head, err := table.Snapshot(ctx)
	if errors.Is(err, lake.ErrNoTable) {
		return result, nil // no event of the kind yet
	}
	if err != nil {
		return result, err
	}
	one.Positions = positions(head)
	s, err := newSearch(ctx, lk, opts.Session)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, s.session.Close()) }()
	if err := s.find(ctx, head, []entry{one}); err != nil {
		return result, err
	}
	if err := s.count(ctx, one, &result); err != nil || result.Rows == 0 {
		return result, err
	}
	if opts.DryRun {
		held, err := s.filesOf(ctx, head)
		result.Files = len(held)
		return result, err
	}
	// First, so that nothing can go that a rebuild would bring back.
	one.Rows, one.At = result.Rows, opts.Now.UTC()
	if err := record(ctx, lk, one); err != nil {
		return result, err
	}
	opts.Fault("expire.before-rewrite")
	if result.Files, err = s.takeOut(ctx, table, one.what(), opts.Fault); err != nil {
		return result, err
	}
	opts.Fault("expire.after-commit")
	return result, settle(ctx, lk)
}

// positions are the offsets up to which a table has read its topic.
func positions(head *lake.Snapshot) map[string]int64 {
	next := maps.Clone(head.Txns)
	maps.DeleteFunc(next, func(app string, _ int64) bool {
		_, ok := lake.ParseTxnAppID(app)
		return !ok
	})
	return next
}

// finish carries out what is recorded and was not done: the rows of that
// moment, and none that came since.
func finish(ctx context.Context, lk *lake.Lake, opts Options) error {
	entries, err := readLedger(ctx, lk)
	if err != nil {
		return err
	}
	pending := slices.DeleteFunc(entries, func(e entry) bool { return !e.Pending })
	if len(pending) == 0 {
		return nil
	}
	if err := carryOut(ctx, lk, pending, opts.Session, opts.Fault); err != nil {
		return err
	}
	return settle(ctx, lk)
}

// Replay takes out of another lake, which was filled from the same topics, what
// the ledger of this one says has gone: the same rows, whatever came after each
// run. Where an erasure has since taken the young rows of a subject out of both,
// its old ones go as well.
func Replay(ctx context.Context, lk, into *lake.Lake, session duck.Options) error {
	entries, err := readLedger(ctx, lk)
	if err == nil && len(entries) > 0 {
		err = carryOut(ctx, into, entries, session, func(string) {})
	}
	if err != nil {
		return fmt.Errorf("apply the ledger of retention: %w", err)
	}
	return nil
}

// carryOut does what entries say, table by table.
func carryOut(ctx context.Context, lk *lake.Lake, entries []entry, options duck.Options, fault func(string)) error {
	byTable := map[string][]entry{}
	var tables []string
	for _, e := range entries {
		if byTable[e.Table] == nil {
			tables = append(tables, e.Table)
		}
		byTable[e.Table] = append(byTable[e.Table], e)
	}
	for _, name := range tables {
		if err := carryOutTable(ctx, lk, name, byTable[name], options, fault); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func carryOutTable(ctx context.Context, lk *lake.Lake, name string, entries []entry, options duck.Options, fault func(string)) (err error) {
	table, err := lk.Table(name)
	if err != nil {
		return err
	}
	head, err := table.Snapshot(ctx)
	if errors.Is(err, lake.ErrNoTable) {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := newSearch(ctx, lk, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.session.Close()) }()
	if err := s.find(ctx, head, entries); err != nil {
		return err
	}
	_, err = s.takeOut(ctx, table, entries[len(entries)-1].what(), fault)
	return err
}
