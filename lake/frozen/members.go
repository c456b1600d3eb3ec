package frozen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Recorded is a version as the lake's events tell of it.
type Recorded struct {
	Ref
	EventID     string   `json:"event_id"`
	ContentHash string   `json:"content_hash"` // of the members when the version was frozen
	Members     int64    `json:"members"`      // then
	RecordedAt  string   `json:"recorded_at"`  // RFC 3339, UTC
	Manifest    Manifest `json:"manifest"`
}

// Versions lists the recorded versions of a dataset, or of all datasets where it
// is empty, by dataset, the first recorded first. Exports that were recorded, which
// are dataset versions too, have no manifest of this package and are left out.
func Versions(ctx context.Context, session *duck.Session, dataset string) ([]Recorded, error) {
	rows, err := session.DB().QueryContext(ctx, `
select
    id, dataset, version, coalesce(content_hash, ''), coalesce(member_count, 0), coalesce(manifest, ''), strftime(time, '%Y-%m-%dT%H:%M:%SZ')

from events.dataset_versions

where dataset = ? or ? = ''

qualify row_number() over (partition by id order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset) = 1

order by dataset, time, kafka_offset, id`, dataset, dataset)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var versions []Recorded
	for rows.Next() {
		var v Recorded
		var manifest string
		if err := rows.Scan(&v.EventID, &v.Dataset, &v.Version, &v.ContentHash, &v.Members, &manifest, &v.RecordedAt); err != nil {
			return nil, err
		}
		if !datasetName.MatchString(v.Dataset) || json.Unmarshal([]byte(manifest), &v.Manifest) != nil || v.Manifest.Kind != ManifestKind {
			continue
		}
		versions = append(versions, v)
	}
	return versions, rows.Err()
}

// Named gives the version of a dataset that a reference means, by its first
// characters. The error matches ErrUnknown.
func Named(ctx context.Context, session *duck.Session, ref Ref) (Recorded, error) {
	versions, err := Versions(ctx, session, ref.Dataset)
	if err != nil {
		return Recorded{}, err
	}
	var found []Recorded
	for _, v := range versions {
		if v.Version == ref.Version {
			return v, nil
		}
		if strings.HasPrefix(v.Version, ref.Version) {
			found = append(found, v)
		}
	}
	switch {
	case len(found) == 0:
		return Recorded{}, lake.WithHint(fmt.Errorf("dataset %s: %w", ref, ErrUnknown), "weir dataset list")
	case len(found) > 1 && ref.Version != "":
		return Recorded{}, lake.WithHint(fmt.Errorf("dataset %s: %d versions begin so: %w", ref, len(found), ErrUnknown), "weir dataset list")
	}
	return found[len(found)-1], nil
}

// EventMembers are the members of a version as the events tell of them: those
// that were frozen, without whom an erasure took out since. They are sorted by id.
func EventMembers(ctx context.Context, session *duck.Session, ref Ref) ([]lake.DatasetMember, error) {
	return queryMembers(ctx, session, `
with batches as (
    select members

    from events.dataset_members

    where dataset = ? and version = ?

    qualify row_number() over (partition by id order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset) = 1
)

select member.example_id, member.content_hash, member.subject_id, member.side, coalesce(member."target", ''), coalesce(member.place, 0),
    coalesce(member.group_id, ''), member.success_score

from (select unnest(members) as member from batches)

order by member.example_id`, ref.Dataset, ref.Version)
}

// Restore freezes a version once more from what the events tell of its members,
// where its rows were lost or vacuumed. The error is a *Missing where they cannot
// be made again.
func Restore(ctx context.Context, lk *lake.Lake, session *duck.Session, ref Ref) (members int64, err error) {
	list, err := EventMembers(ctx, session, ref)
	if err != nil {
		return 0, err
	}
	if len(list) == 0 {
		return 0, fmt.Errorf("dataset %s: no member is recorded: %w", ref, ErrGone)
	}
	_, err = Write(ctx, lk, session, ref, list)
	return int64(len(list)), err
}

// IsMissing gives the Missing in an error.
func IsMissing(err error) (*Missing, bool) {
	var m *Missing
	return m, errors.As(err, &m)
}

func membersJSON(members []lake.DatasetMember) (string, error) {
	text, err := json.Marshal(members)
	return string(text), err
}
