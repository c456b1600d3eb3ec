// Package frozen keeps the rows of dataset versions. Each dataset is a Delta
// table, datasets.<name>, and each version one commit that replaces all its rows:
// the table shows the version that was frozen last, time travel the earlier ones.
// It does not choose examples (dataset does) and writes no training file
// (exporters do). Start at Write and Find.
package frozen

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// ErrGone says that a version's rows are no longer in the lake.
var ErrGone = errors.New("the rows of this version are gone")

// ErrUnknown says that no such version was built.
var ErrUnknown = errors.New("no such dataset version")

// InfoVersion is the key in a commit's Info that names the version it froze.
const InfoVersion = "dataset_version"

const (
	namespace = "datasets"
	reserved  = "weir_" // scratch tables of a session
)

var datasetName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// TableOf is the table of a dataset: datasets.<name>.
func TableOf(dataset string) (string, error) {
	if !datasetName.MatchString(dataset) || strings.HasPrefix(dataset, reserved) {
		return "", fmt.Errorf("dataset %q: a name is of a-z, 0-9 and _, begins with a letter but not with %s, and has 63 characters at most", dataset, reserved)
	}
	return namespace + "." + dataset, nil
}

// Ref names a version of a dataset; an empty Version is the one frozen last.
type Ref struct {
	Dataset string `json:"dataset"`
	Version string `json:"version"`
}

// ParseRef reads NAME or NAME@VERSION.
func ParseRef(text string) (Ref, error) {
	name, version, found := strings.Cut(text, "@")
	if found && version == "" {
		return Ref{}, fmt.Errorf("dataset %q: no version after the @", text)
	}
	if _, err := TableOf(name); err != nil {
		return Ref{}, err
	}
	return Ref{Dataset: name, Version: version}, nil
}

// String is NAME, or NAME@VERSION.
func (r Ref) String() string {
	if r.Version == "" {
		return r.Dataset
	}
	return r.Dataset + "@" + r.Version
}

// Rows is where the rows of a version lie.
type Rows struct {
	Ref
	Table    string
	Snapshot *lake.Snapshot
}

// Find looks for the rows of a version, the youngest state of them: an erasure
// takes rows out of a version that is frozen. A version may be given by its
// first characters. The error matches ErrUnknown where the dataset has no table,
// ErrGone where no state of the version can be read any more.
func Find(ctx context.Context, lk *lake.Lake, session *duck.Session, ref Ref) (Rows, error) {
	name, err := TableOf(ref.Dataset)
	if err != nil {
		return Rows{}, err
	}
	table, err := lk.Table(name)
	if err != nil {
		return Rows{}, err
	}
	head, err := table.Snapshot(ctx)
	if errors.Is(err, lake.ErrNoTable) {
		return Rows{}, lake.WithHint(fmt.Errorf("dataset %s: %w", ref.Dataset, ErrUnknown), "weir dataset list")
	}
	if err != nil {
		return Rows{}, err
	}
	states, err := states(ctx, table, head)
	if err != nil {
		return Rows{}, err
	}
	for _, at := range states {
		// What was vacuumed is passed over: a later state may still be whole.
		snapshot, err := duck.Moment{Versions: map[string]int64{name: at}}.Snapshot(ctx, lk, name)
		if errors.Is(err, lake.ErrNoVersion) {
			continue
		}
		if err != nil {
			return Rows{}, err
		}
		version, err := versionOf(ctx, lk, session, snapshot)
		if err != nil {
			return Rows{}, err
		}
		if version != "" && strings.HasPrefix(version, ref.Version) {
			return Rows{Ref: Ref{ref.Dataset, version}, Table: name, Snapshot: snapshot}, nil
		}
		if ref.Version == "" {
			break // an erasure left nothing of the version frozen last
		}
	}
	return Rows{}, fmt.Errorf("dataset %s: %w", ref, ErrGone)
}

// states are the last commits of each version that the log still tells of, the
// youngest first: compaction and erasure write rows again that one froze.
func states(ctx context.Context, table *lake.Table, head *lake.Snapshot) ([]int64, error) {
	history, err := table.History(ctx, 0)
	if err != nil {
		return nil, err
	}
	list := []int64{head.Version}
	for _, commit := range history {
		if _, froze := commit.Info[InfoVersion]; froze && commit.Version > 0 && commit.Version <= head.Version {
			list = append(list, commit.Version-1)
		}
	}
	return list, nil
}

// versionOf reads which version a state of the table is: every row says so, so
// that a log which was cut off does not lose it.
func versionOf(ctx context.Context, lk *lake.Lake, session *duck.Session, snapshot *lake.Snapshot) (version string, err error) {
	if len(snapshot.Files) == 0 {
		return "", nil
	}
	err = session.Get(ctx, "select coalesce(any_value("+InfoVersion+"), '') from "+duck.Scan(lk.Dir(), snapshot, snapshot.Files[:1]), &version)
	return version, err
}

// Register makes the dataset's view in a session show these rows.
func (r Rows) Register(ctx context.Context, lk *lake.Lake, session *duck.Session) error {
	return session.Register(ctx, lk.Dir(), r.Snapshot)
}

// Hash is the content hash of the rows as they are, and how many there are. It
// takes a memory that does not grow with them.
func (r Rows) Hash(ctx context.Context, lk *lake.Lake, session *duck.Session) (string, int64, error) {
	hash, n := lake.NewMemberHash(), int64(0)
	for after := ""; ; {
		page, err := queryMembers(ctx, session, memberColumns+" from "+duck.Scan(lk.Dir(), r.Snapshot, r.Snapshot.Files)+
			" where example_id > ? order by example_id limit ?", after, hashPage)
		if err != nil {
			return "", 0, err
		}
		for _, m := range page {
			hash.Add(m)
			after = m.ExampleID
		}
		if n += int64(len(page)); len(page) < hashPage {
			return hash.String(), n, nil
		}
	}
}

const (
	memberColumns = `select example_id, content_hash, subject_id, split, "target", place, group_id, success_score`

	// hashPage is how many rows are hashed at a time: the driver holds all that a
	// query gives.
	hashPage = 64 << 10
)

// Members are the rows as members, by id.
func (r Rows) Members(ctx context.Context, lk *lake.Lake, session *duck.Session) ([]lake.DatasetMember, error) {
	return queryMembers(ctx, session, memberColumns+" from "+
		duck.Scan(lk.Dir(), r.Snapshot, r.Snapshot.Files)+" order by example_id")
}

func queryMembers(ctx context.Context, session *duck.Session, query string, args ...any) ([]lake.DatasetMember, error) {
	rows, err := session.DB().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var members []lake.DatasetMember
	for rows.Next() {
		var m lake.DatasetMember
		if err := rows.Scan(&m.ExampleID, &m.ContentHash, &m.SubjectID, &m.Side, &m.Target, &m.Place, &m.GroupID, &m.SuccessScore); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, rows.Err()
}
