package erasure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// planName is where a run keeps whom and what it has found until all of it is
// gone: rows that depend on others are not found any more once those are taken
// out. It is private, and deleted at the end.
const planName = "_erased/plan.json"

// plan is what match has found, by the tables that it makes.
type plan struct {
	Subjects []string            `json:"subjects"`
	Persons  []string            `json:"persons"`
	IDs      []string            `json:"ids"`
	Rows     map[string][]string `json:"rows"` // ids by table
}

// resume adds what an earlier run had found.
func (m *match) resume(ctx context.Context, lk *lake.Lake) error {
	data, err := lake.ReadFile(ctx, lk.Storage(), planName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var p plan
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", planName, err)
	}
	put := func(table string, names []string) error {
		for _, name := range names {
			if err := m.session.Exec(ctx, "insert into "+table+" select ? where ? not in (from "+table+")", name, name); err != nil {
				return err
			}
		}
		return nil
	}
	if err := errors.Join(put("gone.subjects", p.Subjects), put("gone.persons", p.Persons), put("gone.earlier", p.IDs)); err != nil {
		return err
	}
	for table, ids := range p.Rows {
		for _, id := range ids {
			if err := m.session.Exec(ctx, "insert into gone.rows values (?, ?)", table, id); err != nil {
				return err
			}
		}
	}
	return m.session.Exec(ctx, "create or replace table gone.rows as select distinct * from gone.rows")
}

// keep stores what has been found.
func (m *match) keep(ctx context.Context, lk *lake.Lake) error {
	p := plan{Rows: map[string][]string{}}
	for table, into := range map[string]*[]string{"gone.subjects": &p.Subjects, "gone.persons": &p.Persons, "gone.ids": &p.IDs} {
		names, err := m.session.Strings(ctx, "select name from "+table+" order by name")
		if err != nil {
			return err
		}
		*into = names
	}
	for _, table := range append(m.tables(), deadLetters) {
		ids, err := m.session.Strings(ctx, "select id from gone.rows where event_table = "+duck.Literal(table)+" order by id")
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			p.Rows[table] = ids
		}
	}
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return putPrivate(ctx, lk, planName, data)
}

// putPrivate writes a file that its owner alone can read, over an earlier one.
func putPrivate(ctx context.Context, lk *lake.Lake, name string, data []byte) error {
	w, err := lk.Storage().Create(ctx)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := w.Private(); err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Replace(name)
}

// forget deletes the plan: all of it is done.
func forget(ctx context.Context, lk *lake.Lake) error {
	err := lk.Storage().Remove(ctx, planName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
