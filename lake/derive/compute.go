package derive

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// subjectExpr is what ties a row of the table to the others that are replaced
// with it. A table without subjects is one such unit as a whole.
func (t *Table) subjectExpr() string {
	if t.hasSubject() {
		return duck.Ident(SubjectColumn)
	}
	return "''"
}

// batches divides the subjects to compute by the size of their inputs. Each is
// a scratch table of subjects; "" alone stands for all of them at once, without
// a filter. The order of subjects is that of the inputs' files, oldest first,
// which a scratch table (subject_id, first_seen) tells; it is empty where the
// table's own order or nothing decides.
func (b *builder) batches(ctx context.Context, t *Table, live *lake.Snapshot, p plan) (parts []string, order string, err error) {
	if t.Scope == ScopeAll {
		return []string{""}, "", nil
	}
	var total int64
	var selects []string
	for _, input := range t.Inputs {
		snapshot := b.snapshots[input.Table]
		if input.Whole || len(snapshot.Files) == 0 {
			continue
		}
		for _, file := range snapshot.Files {
			total += file.Bytes
		}
		selects = append(selects, b.weighed(snapshot, p.touched))
	}
	if p.mode == Full && total <= b.opts.BatchBytes && t.Order != "" || len(selects) == 0 {
		return []string{p.touched}, "", nil
	}
	order = b.newName("order")
	err = b.exec(ctx, "create table "+order+" as select "+SubjectColumn+", min(first_seen) as first_seen, sum(bytes) as bytes from ("+
		strings.Join(selects, " union all ")+") group by "+SubjectColumn)
	if err != nil {
		return nil, "", err
	}
	var bytes float64
	if err := b.session.Get(ctx, "select coalesce(sum(bytes), 0) from "+order, &bytes); err != nil {
		return nil, "", err
	}
	if bytes <= float64(b.opts.BatchBytes) {
		return []string{p.touched}, order, nil
	}
	parts, err = b.divide(ctx, t, live, p, order)
	return parts, order, err
}

// weighed selects, for each subject of an input, where it comes first, from 0
// (the oldest file) to 1, and how many bytes of the files are its.
func (b *builder) weighed(snapshot *lake.Snapshot, touched string) string {
	values := make([]string, len(snapshot.Files))
	dir := duck.TableDir(b.lake.Dir(), snapshot.Table)
	for i, file := range snapshot.Files {
		path := filepath.Join(dir, filepath.FromSlash(file.Path))
		values[i] = fmt.Sprintf("(%s, %d, %d::double, %d::double)", duck.Literal(path), i, max(file.Rows, 1), file.Bytes)
	}
	subject := duck.Ident(subjectOf(snapshot.Table, snapshot.Columns))
	query := fmt.Sprintf("select %s as %s, (place + min(file_row_number) / any_value(file_rows)) / %d as first_seen, count(*) * any_value(file_bytes / file_rows) as bytes"+
		" from %s join (values %s) files(path, place, file_rows, file_bytes) on filename = path",
		subject, SubjectColumn, len(snapshot.Files),
		b.scan(snapshot, snapshot.Files, "filename = true", "file_row_number = true"), strings.Join(values, ", "))
	if touched != "" {
		query += " where " + subject + " in (select " + SubjectColumn + " from " + touched + ")"
	}
	return query + " group by " + subject + ", place"
}

// divide cuts the ordered subjects into batches.
func (b *builder) divide(ctx context.Context, t *Table, live *lake.Snapshot, p plan, order string) ([]string, error) {
	numbered := b.newName("numbered")
	err := b.exec(ctx, fmt.Sprintf("create table %s as select %s, ((sum(bytes) over (order by first_seen, %s rows unbounded preceding) - bytes) // %d)::bigint as batch from %s",
		numbered, SubjectColumn, SubjectColumn, b.opts.BatchBytes, order))
	if err != nil {
		return nil, err
	}
	// Subjects that no input has any more are computed too: to nothing.
	gone := p.touched
	if p.mode == Full && live != nil && !p.replace {
		gone = "(select distinct " + SubjectColumn + " from " + b.scan(live, live.Files) + ")"
	}
	if gone != "" {
		err := b.exec(ctx, "insert into "+numbered+" select "+SubjectColumn+", 0 from "+gone+" anti join "+order+" using ("+SubjectColumn+")")
		if err != nil {
			return nil, err
		}
	}
	var last int64
	if err := b.session.Get(ctx, "select coalesce(max(batch), 0) from "+numbered, &last); err != nil {
		return nil, err
	}
	var parts []string
	for batch := range last + 1 {
		part := b.newName("batch")
		if err := b.exec(ctx, fmt.Sprintf("create table %s as select %s from %s where batch = %d", part, SubjectColumn, numbered, batch)); err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, b.exec(ctx, "drop table "+numbered)
}

// compute makes the rows of some subjects (all, where part is empty) in a new
// scratch table.
func (c *change) compute(ctx context.Context, part string) (result string, err error) {
	b, t := c.b, c.table
	if t.Before {
		rows := duck.EmptySelect(t.Columns)
		if c.plan.before {
			rows = "select * from " + b.scan(c.live, c.live.Files)
		}
		if err := b.session.RegisterQuery(ctx, t.Name, rows); err != nil {
			return "", err
		}
	}
	for _, input := range t.Inputs {
		query, err := b.inputQuery(ctx, t, input, part)
		if err != nil {
			return "", err
		}
		if err := b.session.RegisterQuery(ctx, input.Table, query); err != nil {
			return "", err
		}
	}
	result = b.newName("result")
	if err := t.Make(ctx, b.session, result); err != nil {
		return "", err
	}
	if part != "" {
		outside := SubjectColumn + " is null or " + SubjectColumn + " not in (select " + SubjectColumn + " from " + part + ")"
		if t.Scope == ScopeRow {
			// Rows of the events that were looked at for their ids' sake.
			if err := b.exec(ctx, "delete from "+result+" where "+outside); err != nil {
				return "", err
			}
		}
		strays, err := b.session.Strings(ctx, "select coalesce("+SubjectColumn+", 'null') from "+result+" where "+outside+" limit 1")
		if err != nil {
			return "", err
		}
		if len(strays) > 0 {
			return "", fmt.Errorf("%s: a row of subject %s, of which it was given none: the query is not of scope %s", t.where(0), strays[0], t.Scope)
		}
	}
	return result, t.CheckRows(ctx, b.session, result)
}

// inputQuery reads an input, or the part of it that belongs to some subjects,
// from no more files than hold it.
func (b *builder) inputQuery(ctx context.Context, t *Table, input Input, part string) (string, error) {
	snapshot := b.snapshots[input.Table]
	if part == "" || input.Whole {
		return "select * from " + b.scan(snapshot, snapshot.Files), nil
	}
	where := duck.Ident(subjectOf(input.Table, snapshot.Columns)) + " in (select " + SubjectColumn + " from " + part + ")"
	files, err := b.holding(ctx, snapshot, where)
	if err != nil {
		return "", err
	}
	if t.Scope == ScopeRow && isEventsTable(input.Table) {
		ids := b.newName("ids")
		if err := b.exec(ctx, "create table "+ids+" as select distinct id from "+b.scan(snapshot, files)+" where "+where); err != nil {
			return "", err
		}
		where = "id in (select id from " + ids + ")"
		if files, err = b.holding(ctx, snapshot, where); err != nil {
			return "", err
		}
	}
	return "select * from " + b.scan(snapshot, files) + " where " + where, nil
}

// holding finds the files of a table that have a row for which where holds. It
// reads only the columns that where names.
func (b *builder) holding(ctx context.Context, snapshot *lake.Snapshot, where string) ([]lake.DataFile, error) {
	if len(snapshot.Files) == 0 {
		return nil, nil
	}
	paths, err := b.session.Strings(ctx, "select distinct filename from "+b.scan(snapshot, snapshot.Files, "filename = true")+" where "+where)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", snapshot.Table, err)
	}
	found := map[string]bool{}
	for _, path := range paths {
		found[path] = true
	}
	dir := duck.TableDir(b.lake.Dir(), snapshot.Table)
	var files []lake.DataFile
	for _, file := range snapshot.Files {
		if found[filepath.Join(dir, filepath.FromSlash(file.Path))] {
			files = append(files, file)
		}
	}
	return files, nil
}
