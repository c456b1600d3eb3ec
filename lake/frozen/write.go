package frozen

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// rowsSQL makes the rows of a version from pickedTable and the curated tables.
//
//go:embed rows.sql
var rowsSQL string

// pickedTable holds the members while rows are made from them.
const pickedTable = "datasets.weir_picked"

// fileRows is about how many rows a file has: an erasure writes those files
// again that hold somebody.
const fileRows = 64 << 10

// docs of the columns that are not those of curated.examples.
var docs = map[string]string{
	"dataset":       "dataset",
	InfoVersion:     "version that the rows are of",
	"split":         "side: train, validation or test",
	"target":        "target of the mixture that the example counts for",
	"place":         "place within the target, from 1, the best first",
	"group_id":      "split group when the version was frozen",
	"success_score": "score when the version was frozen, 0 to 1",
	"agent_names":   "names in the messages that belong to agents: all others are people",
}

// Missing says which members of a version could not be made into rows.
type Missing struct {
	Ref
	Members  int64
	Gone     int64 // examples that the lake no longer has
	Changed  int64 // examples that hold another content now
	Examples []string
}

func (m *Missing) Error() string {
	return fmt.Sprintf("dataset %s: of %d members %d are gone from the lake and %d hold another content now, such as %s",
		m.Ref, m.Members, m.Gone, m.Changed, m.Examples[0])
}

// Is makes a Missing match ErrGone.
func (m *Missing) Is(err error) bool { return err == ErrGone }

// Write freezes members as the rows of a version: it replaces the table's rows in
// one commit. The session has the lake's curated tables; members are looked up
// there by id and content. The error is a *Missing where some are not there as they
// were, and matches lake.ErrConflict where another process froze a version of the
// dataset meanwhile. It gives the version of the table.
func Write(ctx context.Context, lk *lake.Lake, session *duck.Session, ref Ref, members []lake.DatasetMember) (version int64, err error) {
	name, err := TableOf(ref.Dataset)
	if err != nil {
		return 0, err
	}
	if err := pick(ctx, session, members); err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, session.Exec(context.WithoutCancel(ctx), "drop table if exists "+duck.TableIdent(pickedTable)))
	}()
	if err := complete(ctx, session, ref); err != nil {
		return 0, err
	}
	return commit(ctx, lk, session, ref, name, int64(len(members)))
}

// pick puts members into pickedTable, numbered by the file that they go to.
func pick(ctx context.Context, session *duck.Session, members []lake.DatasetMember) error {
	err := session.Exec(ctx, "create or replace table "+duck.TableIdent(pickedTable)+
		` (example_id varchar, content_hash varchar, side varchar, "target" varchar, place bigint, group_id varchar, success_score double, file bigint)`)
	if err != nil {
		return err
	}
	appended := 0
	for chunk := range slices.Chunk(members, 5_000) {
		text, err := membersJSON(chunk)
		if err != nil {
			return err
		}
		err = session.Exec(ctx, "insert into "+duck.TableIdent(pickedTable)+` select example_id, content_hash, side, coalesce("target", ''), coalesce(place, 0), coalesce(group_id, ''), success_score,
			(? + row_number() over (order by example_id) - 1) // ? from (select unnest(from_json(?::json,
			'[{"example_id": "VARCHAR", "content_hash": "VARCHAR", "side": "VARCHAR", "target": "VARCHAR", "place": "BIGINT", "group_id": "VARCHAR", "success_score": "DOUBLE"}]'), max_depth := 2))`,
			appended, fileRows, text)
		if err != nil {
			return err
		}
		appended += len(chunk)
	}
	return nil
}

// complete looks whether every member is in the lake as it was.
func complete(ctx context.Context, session *duck.Session, ref Ref) error {
	m := Missing{Ref: ref}
	err := session.Get(ctx, `
select
    count(*),
    count(*) filter (where examples.example_id is null),
    count(*) filter (where examples.content_hash <> picked.content_hash),

from `+pickedTable+` as picked

left join curated.examples as examples on examples.example_id = picked.example_id`, &m.Members, &m.Gone, &m.Changed)
	if err != nil || m.Gone+m.Changed == 0 {
		return err
	}
	m.Examples, err = session.Strings(ctx, `
select picked.example_id

from `+pickedTable+` as picked

anti join curated.examples as examples
    on examples.example_id = picked.example_id
    and examples.content_hash = picked.content_hash

order by picked.example_id

limit 10`)
	if err != nil {
		return err
	}
	return &m
}

func commit(ctx context.Context, lk *lake.Lake, session *duck.Session, ref Ref, name string, members int64) (int64, error) {
	table, err := lk.Table(name)
	if err != nil {
		return 0, err
	}
	head, err := table.Snapshot(ctx)
	if errors.Is(err, lake.ErrNoTable) {
		head, err = &lake.Snapshot{Table: name, Version: -1}, nil
	}
	if err != nil {
		return 0, err
	}
	query := fmt.Sprintf("select %s as dataset, %s as %s, * from (\n%s)", duck.Literal(ref.Dataset), duck.Literal(ref.Version), InfoVersion, rowsSQL)
	c := lake.Commit{
		Operation: "freeze", Overwrite: head.Version >= 0, ExpectVersion: &head.Version,
		Info: map[string]string{
			InfoVersion: ref.Version, "rows": fmt.Sprint(members),
			"doc": "The rows of dataset " + ref.Dataset + " as its versions froze them; this one is " + ref.Version + ".",
		},
	}
	if c.Columns, err = session.Describe(ctx, "select * exclude (file) from ("+query+")"); err != nil {
		return 0, err
	}
	if err := describe(ctx, lk, c.Columns); err != nil {
		return 0, err
	}
	for _, file := range head.Files {
		c.Remove = append(c.Remove, file.Path)
	}
	if c.Add, err = writeFiles(ctx, session, table.Dir(), query, members); err != nil {
		return 0, errors.Join(fmt.Errorf("%s: %w", name, err), table.Discard(context.WithoutCancel(ctx), c.Add...))
	}
	after, err := table.Commit(ctx, c)
	if errors.Is(err, lake.ErrConflict) {
		return 0, errors.Join(lake.WithHint(err, "another process writes the dataset; run it again"), table.Discard(ctx, c.Add...))
	}
	if err != nil {
		return 0, err
	}
	return after.Version, nil
}

// describe gives the columns their docs: those of curated.examples have theirs.
func describe(ctx context.Context, lk *lake.Lake, columns []lake.Column) error {
	examples, err := lk.Table("curated.examples")
	if err != nil {
		return err
	}
	snapshot, err := examples.Snapshot(ctx)
	if err != nil {
		return err
	}
	for i, column := range columns {
		columns[i].Doc = docs[column.Name]
		if at := slices.IndexFunc(snapshot.Columns, func(c lake.Column) bool { return c.Name == column.Name }); at >= 0 {
			columns[i].Doc = snapshot.Columns[at].Doc
		}
	}
	return nil
}

// writeFiles writes the rows, sorted by id, durably.
func writeFiles(ctx context.Context, session *duck.Session, dir, query string, members int64) (files []lake.DataFile, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	for number := int64(0); number*fileRows < members; number++ {
		file := lake.DataFile{Path: uuid.NewString() + ".parquet"}
		path := filepath.Join(dir, file.Path)
		files = append(files, file)
		// Small row groups let an exporter read wide rows piece by piece.
		rows, err := session.ExecCount(ctx, fmt.Sprintf("copy (select * exclude (file) from (%s) where file = %d order by example_id) to %s (format parquet, compression zstd, compression_level 1, row_group_size 2048)",
			query, number, duck.Literal(path)))
		if err != nil {
			return files, err
		}
		if want := min(fileRows, members-number*fileRows); rows != want {
			return files, fmt.Errorf("%s holds %d rows of %d", file.Path, rows, want)
		}
		info, err := os.Stat(path)
		if err != nil {
			return files, err
		}
		if err := lake.SyncPath(path); err != nil {
			return files, err
		}
		last := &files[len(files)-1]
		last.Rows, last.Bytes, last.ModifiedAt = rows, info.Size(), info.ModTime().UTC()
	}
	return files, lake.SyncPath(dir)
}
