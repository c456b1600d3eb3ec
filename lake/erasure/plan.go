package erasure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/weir-lake/weir/lake"
)

// planName is where a run keeps whom and what it has found until all of it is
// gone: rows that depend on others are not found any more once those are taken
// out. It is private, and deleted at the end.
const planName = "_erased/plan.json"

// plan is what match has found, by the tables that it makes, and what of it the
// report tells.
type plan struct {
	Names    []string            `json:"names"`
	Subjects []string            `json:"subjects"`
	Persons  []string            `json:"persons"`
	IDs      []string            `json:"ids"`
	Rows     map[string][]string `json:"rows"` // ids by table
	Datasets []DatasetHeld       `json:"datasets"`
	Runs     []string            `json:"runs"`
	Records  []Records           `json:"records"`
}

// Remember keeps plain names of subjects or persons until the next run that
// comes to its end, so that one which goes on for a run that was killed knows
// them too. It is for whoever is about to ask: a name that no request has is
// passed over.
func Remember(ctx context.Context, lk *lake.Lake, names ...string) error {
	p, err := loadPlan(ctx, lk)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.Contains(p.Names, name) {
			p.Names = append(p.Names, name)
		}
	}
	return p.store(ctx, lk)
}

// loadPlan is empty where no run was stopped.
func loadPlan(ctx context.Context, lk *lake.Lake) (*plan, error) {
	p := &plan{Rows: map[string][]string{}}
	data, err := lake.ReadFile(ctx, lk.Storage(), planName)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(data, p)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", planName, err)
	}
	return p, nil
}

func (p *plan) store(ctx context.Context, lk *lake.Lake) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return putPrivate(ctx, lk, planName, data)
}

// resume adds what an earlier run had found.
func (m *match) resume(ctx context.Context, p *plan) error {
	err := errors.Join(
		m.insert(ctx, "gone.subjects", p.Subjects),
		m.insert(ctx, "gone.persons", p.Persons),
		m.insert(ctx, "gone.earlier", p.IDs),
	)
	if err != nil {
		return err
	}
	rows, err := json.Marshal(p.Rows)
	if err != nil {
		return err
	}
	return m.session.Exec(ctx, `insert into gone.rows
		select event_table, unnest(ids) from (select unnest(map_keys(rows)) as event_table, unnest(map_values(rows)) as ids
			from (select from_json(?::json, '"MAP(VARCHAR, VARCHAR[])"') as rows))
		except select * from gone.rows`, string(rows))
}

// insert adds names to a table that does not have them yet.
func (m *match) insert(ctx context.Context, table string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	return m.session.Exec(ctx, "insert into "+table+` select unnest(from_json(?::json, '["VARCHAR"]')) except select name from `+table, string(list))
}

// keep stores what has been found.
func (m *match) keep(ctx context.Context, lk *lake.Lake) error {
	p, err := loadPlan(ctx, lk)
	if err != nil {
		return err
	}
	for table, into := range map[string]*[]string{"gone.names": &p.Names, "gone.subjects": &p.Subjects, "gone.persons": &p.Persons, "gone.ids": &p.IDs} {
		if *into, err = m.session.Strings(ctx, "select name from "+table+" order by name"); err != nil {
			return err
		}
	}
	for _, table := range append(tables(), deadLetters) {
		ids, err := m.session.Strings(ctx, "select id from gone.rows where event_table = ? order by id", table)
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			p.Rows[table] = ids
		}
	}
	if err := errors.Join(m.held(ctx, p), m.records(ctx, lk, p)); err != nil {
		return err
	}
	return p.store(ctx, lk)
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
