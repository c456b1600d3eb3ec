package derive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// txnApp is the counter in a derived table's log that each build moves by one:
// of two builds at the same time the second is refused, even where neither
// removes a file.
const txnApp = "weir/derive"

// change is what a build does to one table.
type change struct {
	b     *builder
	table *Table
	dir   string
	live  *lake.Snapshot // empty at version -1 where the table does not exist
	plan  plan
	order string // scratch table (subject_id, first_seen); may be empty

	changed string // scratch table of the subjects whose rows are others
	add     []lake.DataFile
	remove  []string
}

func (b *builder) buildTable(ctx context.Context, t *Table, progress func(batch, batches int)) (TableReport, error) {
	report := TableReport{Table: t.Name}
	table, err := b.lake.Table(t.Name)
	if err != nil {
		return report, err
	}
	live, err := table.Snapshot(ctx)
	exists := err == nil
	if err != nil && !errors.Is(err, lake.ErrNoTable) {
		return report, err
	}
	p, err := b.makePlan(ctx, t, table, live)
	if err != nil {
		return report, err
	}
	if !exists {
		live = &lake.Snapshot{Table: t.Name, Version: -1, Columns: t.Columns}
	}
	report.Mode, report.Version = p.mode, live.Version
	if p.mode != Skipped {
		c := &change{b: b, table: t, live: live, plan: p, dir: duck.TableDir(b.lake.Dir(), t.Name)}
		after, err := c.run(ctx, table, progress)
		if err != nil {
			return report, err
		}
		if report.Changed, err = b.count(ctx, c.changed); err != nil {
			return report, err
		}
		if p.touched != "" {
			if report.Touched, err = b.count(ctx, p.touched); err != nil {
				return report, err
			}
		}
		report.Version, report.FilesAdded, report.FilesRemoved = after.Version, len(c.add), len(c.remove)
		b.remember(t, live, c, report.Changed)
		live = after
	}
	for _, file := range live.Files {
		report.Rows += file.Rows
	}
	b.snapshots[t.Name] = live
	return report, nil
}

// remember keeps which subjects changed, for the tables downstream.
func (b *builder) remember(t *Table, before *lake.Snapshot, c *change, changed int64) {
	switch {
	case c.plan.replace: // nothing was compared: whoever asks compares the files
	case changed == 0:
		b.changed[version{t.Name, before.Version}] = changes{none: true}
	case t.hasSubject():
		b.changed[version{t.Name, before.Version}] = changes{subjects: c.changed}
	default:
		b.changed[version{t.Name, before.Version}] = changes{}
	}
}

// run computes, writes and commits. Where the commit is refused, or never
// tried, the files it wrote are gone.
func (c *change) run(ctx context.Context, table *lake.Table, progress func(batch, batches int)) (*lake.Snapshot, error) {
	err := c.write(ctx, progress)
	if err != nil {
		c.discard()
		return nil, err
	}
	after, err := c.commit(ctx, table)
	if errors.Is(err, lake.ErrStale) || errors.Is(err, lake.ErrConflict) {
		c.discard() // definitely refused; any other error may have left a commit that names them
	}
	if errors.Is(err, lake.ErrStale) {
		err = lake.WithHint(fmt.Errorf("%s: %w", c.table.Name, err), "another build of this lake is running; wait for it")
	}
	return after, err
}

func (c *change) discard() {
	for _, file := range c.add {
		os.Remove(filepath.Join(c.dir, file.Path))
	}
	c.add = nil
}

func (c *change) write(ctx context.Context, progress func(batch, batches int)) error {
	b := c.b
	parts, order, err := b.batches(ctx, c.table, c.live, c.plan)
	if err != nil {
		return err
	}
	c.order, c.changed = order, b.newName("changed")
	if err := b.exec(ctx, "create table "+c.changed+" ("+SubjectColumn+" varchar)"); err != nil {
		return err
	}
	if c.plan.replace {
		for _, file := range c.live.Files {
			c.remove = append(c.remove, file.Path)
		}
	}
	for i, part := range parts {
		progress(i+1, len(parts))
		if err := c.batch(ctx, part, len(parts) == 1); err != nil {
			return err
		}
	}
	if len(parts) == 1 {
		return nil
	}
	if !c.plan.replace {
		affected, err := c.affected(ctx, c.changed)
		if err != nil {
			return err
		}
		if err := c.rewrite(ctx, affected); err != nil {
			return err
		}
	}
	return c.checkAll(ctx)
}

// batch computes a part of the subjects and writes the rows of those that
// changed. A single batch also takes along small files that it finds, so that
// their number stays bounded.
func (c *change) batch(ctx context.Context, part string, single bool) error {
	b := c.b
	result, err := c.compute(ctx, part)
	if err != nil {
		return err
	}
	defer b.exec(context.WithoutCancel(ctx), "drop table if exists "+result)
	changed := b.newName("changed_part")
	query, err := c.differing(ctx, result, part)
	if err != nil {
		return err
	}
	if err := b.exec(ctx, "create table "+changed+" as "+query); err != nil {
		return err
	}
	if err := b.exec(ctx, "insert into "+c.changed+" from "+changed); err != nil {
		return err
	}
	rows := "select * from " + result
	if !c.plan.replace {
		rows += " where " + c.in(changed)
	}
	target, err := c.targetRows(ctx, rows)
	if err != nil {
		return err
	}
	if single && !c.plan.replace {
		if err := c.checkKeys(ctx, changed, rows); err != nil {
			return err
		}
		// The young file: the changed rows, and what is left of small files.
		young, err := c.mergeSmall(ctx, changed, rows, target)
		if err != nil {
			return err
		}
		rows = young
	}
	return c.writeRows(ctx, rows, target)
}

// targetRows is how many rows a file should have: by the width of the rows, as
// they are now and as they lie in the lake, so that a run of short ones does
// not make full files look small.
func (c *change) targetRows(ctx context.Context, rows string) (int64, error) {
	sample := "(from (" + rows + ") limit 1000)"
	if n := len(c.live.Files); n > 0 && !c.plan.replace {
		sample += " union all (from " + c.b.scan(c.live, c.live.Files[n-1:]) + " limit 1000)"
	}
	var width float64 // as JSON: about what a row takes in memory
	err := c.b.session.Get(ctx, "select coalesce(avg(strlen(to_json(r)::varchar)), 1) from ("+sample+") as r", &width)
	return min(c.b.opts.FileRows, max(int64(float64(c.b.opts.FileBytes)/max(width, 1)), 1)), err
}

// differing selects the subjects of a part whose rows differ from those in the
// lake. With nothing to compare, all that have rows do.
func (c *change) differing(ctx context.Context, result, part string) (string, error) {
	subject := c.table.subjectExpr()
	if c.plan.replace || len(c.live.Files) == 0 {
		return "select distinct " + subject + " as " + SubjectColumn + " from " + result, nil
	}
	if part == "" {
		return differing(subject, c.table.Columns, c.b.scan(c.live, c.live.Files), result), nil
	}
	files, err := c.b.holding(ctx, c.live, c.in(part))
	before := "(select * from " + c.b.scan(c.live, files) + " where " + c.in(part) + ")"
	return differing(subject, c.table.Columns, before, result), err
}

// in is the condition that a row of the table belongs to a scratch table's subjects.
func (c *change) in(subjects string) string {
	return c.table.subjectExpr() + " in (select " + SubjectColumn + " from " + subjects + ")"
}

// affectedFile is a live file that holds rows of changed subjects.
type affectedFile struct {
	lake.DataFile
	stay int64 // rows of other subjects
}

// affected finds the live files that hold rows of changed subjects.
func (c *change) affected(ctx context.Context, changed string) ([]affectedFile, error) {
	if len(c.live.Files) == 0 {
		return nil, nil
	}
	lines, err := c.b.session.Strings(ctx, "select concat_ws(' ', count(*), filename) from "+
		c.b.scan(c.live, c.live.Files, "filename = true")+" where "+c.in(changed)+" group by filename")
	if err != nil {
		return nil, err
	}
	leaving := map[string]int64{}
	for _, line := range lines {
		count, path, _ := strings.Cut(line, " ")
		if leaving[path], err = strconv.ParseInt(count, 10, 64); err != nil {
			return nil, err
		}
	}
	var files []affectedFile
	for _, file := range c.live.Files {
		if n, ok := leaving[filepath.Join(c.dir, filepath.FromSlash(file.Path))]; ok {
			files = append(files, affectedFile{file, file.Rows - n})
		}
	}
	return files, nil
}

// rewrite replaces each affected file by one of the rows that stay.
func (c *change) rewrite(ctx context.Context, files []affectedFile) error {
	for _, file := range files {
		c.remove = append(c.remove, file.Path)
		if file.stay == 0 {
			continue
		}
		rows := "select * from " + c.b.scan(c.live, []lake.DataFile{file.DataFile}) + " where not (" + c.in(c.changed) + ")"
		if err := c.copy(ctx, rows, file.stay); err != nil {
			return err
		}
	}
	return nil
}

// mergeSmall decides which files are written again, and returns the rows of the
// young file: the changed ones, what stays of affected files that became small,
// and small files. A small file is merged into rows of about its size, never a
// large one into few, so that a row is written again a logarithmic number of
// times; the number of small files is logarithmic too.
func (c *change) mergeSmall(ctx context.Context, changed, rows string, target int64) (string, error) {
	var pool int64
	if err := c.b.session.Get(ctx, "select count(*) from ("+rows+")", &pool); err != nil {
		return "", err
	}
	affected, err := c.affected(ctx, changed)
	if err != nil {
		return "", err
	}
	taken := map[string]bool{}
	var young []lake.DataFile
	var left []affectedFile
	for _, file := range affected {
		taken[file.Path] = true
		if file.stay < target/8 && file.stay > 0 {
			pool += file.stay
			young = append(young, file.DataFile)
			c.remove = append(c.remove, file.Path)
			continue
		}
		left = append(left, file)
	}
	if err := c.rewrite(ctx, left); err != nil {
		return "", err
	}
	bySize := slices.Clone(c.live.Files)
	slices.SortStableFunc(bySize, func(a, b lake.DataFile) int { return int(a.Rows - b.Rows) })
	for _, file := range bySize {
		if taken[file.Path] || file.Rows >= target/2 || file.Rows > 4*pool || pool >= target {
			continue
		}
		pool += file.Rows
		young = append(young, file)
		c.remove = append(c.remove, file.Path)
	}
	if len(young) > 0 {
		rows += " union all select * from " + c.b.scan(c.live, young) + " where not (" + c.in(changed) + ")"
	}
	return rows, nil
}

// checkKeys checks what CheckRows cannot see: that the keys of changed rows
// stand on no row that stays, and, of several batches, on no row of another.
// A key with the subject in it cannot.
func (c *change) checkKeys(ctx context.Context, changed, rows string) error {
	if c.plan.replace || len(c.live.Files) == 0 || c.uniqueBySubject() {
		return nil
	}
	key := idents(c.table.Key)
	doubled, err := c.b.session.Strings(ctx, "select concat_ws('|', "+key+") from ("+rows+") semi join (select "+key+" from "+
		c.b.scan(c.live, c.live.Files)+" where not ("+c.in(changed)+")) using ("+key+") limit 1")
	if err == nil && len(doubled) > 0 {
		err = fmt.Errorf("key %s=%s on rows of two subjects, header says %s", strings.Join(c.table.Key, ","), doubled[0], c.table.Grain)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.table.Name, err)
	}
	return nil
}

func (c *change) uniqueBySubject() bool {
	return c.table.Scope == ScopeAll || slices.Contains(c.table.Key, SubjectColumn)
}

// checkAll checks the keys of all rows, after several batches.
func (c *change) checkAll(ctx context.Context) error {
	if c.uniqueBySubject() {
		return nil
	}
	after := slices.Clone(c.add)
	for _, file := range c.live.Files {
		if !slices.Contains(c.remove, file.Path) {
			after = append(after, file)
		}
	}
	table := &lake.Snapshot{Table: c.table.Name, Columns: c.table.Columns}
	return c.table.CheckRows(ctx, c.b.session, c.b.scan(table, after))
}

func (c *change) commit(ctx context.Context, table *lake.Table) (*lake.Snapshot, error) {
	if len(c.add) == 0 && len(c.remove) == 0 && !c.plan.moved && c.live.Version >= 0 {
		return c.live, nil
	}
	if len(c.add) > 0 {
		if err := lake.SyncPath(c.dir); err != nil {
			return nil, fmt.Errorf("%s: %w", c.table.Name, err)
		}
	}
	var rows int64
	for _, file := range c.live.Files {
		if !slices.Contains(c.remove, file.Path) {
			rows += file.Rows
		}
	}
	for _, file := range c.add {
		rows += file.Rows
	}
	inputs, err := json.Marshal(c.plan.inputs) // keys come out sorted
	if err != nil {
		return nil, err
	}
	counter, counted := c.live.Txns[txnApp]
	if !counted {
		counter = -1
	}
	return table.Commit(ctx, lake.Commit{
		Operation:    "derive",
		Columns:      c.table.Columns,
		Add:          c.add,
		Remove:       c.remove,
		Txns:         []lake.Txn{{AppID: txnApp, Expect: counter, Next: counter + 1}},
		NoDataChange: len(c.add) == 0 && len(c.remove) == 0,
		Overwrite:    c.plan.replace && c.live.Version >= 0,
		Info: map[string]string{
			infoInputs: string(inputs), infoQuery: c.plan.query,
			infoRows: strconv.FormatInt(rows, 10), infoDoc: c.table.Doc,
		},
	})
}
