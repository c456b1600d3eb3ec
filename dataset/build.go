package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/frozen"
)

// Errors of Build.
var (
	ErrLeak   = errors.New("training and validation are linked")
	ErrBehind = errors.New("recorded versions are not in the split yet")
	ErrReview = errors.New("the review rule is not met")
	ErrEmpty  = errors.New("nothing matches")
)

// membersPerEvent keeps an event well below lake.MaxEventBytes.
const membersPerEvent = 5_000

// versionLength is how much of the content hash names a version.
const versionLength = 12

// buildTables are what a version is made from.
var buildTables = append([]string{"curated.examples", "curated.turns", "curated.dataset_members", "curated.leaks", "curated.review_estimates"}, selectTables...)

// BuildOptions of Build. Send is required.
type BuildOptions struct {
	Phase   string // of the definition's mixture; empty: its own counts
	Session duck.Options
	Now     time.Time // of the events
	// Send takes events towards the lake.
	Send func(context.Context, ...lake.Event) error
	// Fault is called at the named steps, for tests that end the process there.
	Fault func(step string)
}

// Built is what Build did.
type Built struct {
	frozen.Manifest
	Plan Plan `json:"plan"`
	// IsNew tells that the version was not recorded before, Wrote that its rows
	// were written: those of a version that another has followed are written again.
	IsNew bool `json:"is_new"`
	Wrote bool `json:"wrote"`
}

// Build freezes a version of a dataset: the rows that its definition selects
// become those of datasets.<name>, and then the version and its members are
// recorded as events. The version is named by its content hash, so that the same
// inputs give the same version, which is built once. A build that was stopped is
// gone on with by the next one. Everything recorded before has to be in the lake.
//
// The error matches ErrBehind where the curated tables do not know of a recorded
// version that decides sides, ErrLeak where curated.leaks counts a link, ErrReview
// where people have not said enough good of the lake's examples, and ErrEmpty.
func Build(ctx context.Context, lk *lake.Lake, d Definition, opts BuildOptions) (Built, error) {
	if opts.Fault == nil {
		opts.Fault = func(string) {}
	}
	built, err := build(ctx, lk, d, opts)
	if err != nil {
		return built, fmt.Errorf("dataset build %s: %w", d.Name, err)
	}
	return built, nil
}

func build(ctx context.Context, lk *lake.Lake, d Definition, opts BuildOptions) (_ Built, err error) {
	session, versions, err := duck.OpenLake(ctx, lk, opts.Session)
	if err != nil {
		return Built{}, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	b, err := choose(ctx, lk, session, versions, d, opts.Phase)
	if err != nil {
		return b, err
	}
	ref := frozen.Ref{Dataset: d.Name, Version: b.Version}
	recorded, err := frozen.Named(ctx, session, ref)
	if err != nil && !errors.Is(err, frozen.ErrUnknown) {
		return b, err
	}
	if b.IsNew = err != nil; !b.IsNew {
		b.Manifest = recorded.Manifest
	}
	members := b.Plan.Members()
	holds, err := isHead(ctx, lk, session, ref, b.ContentHash)
	if err != nil {
		return b, err
	}
	if !holds {
		if _, err := frozen.Write(ctx, lk, session, ref, members); err != nil {
			return b, err
		}
		b.Wrote = true
	}
	opts.Fault("dataset.after-rows")
	if !b.IsNew {
		return b, nil
	}
	return b, record(ctx, b.Manifest, members, opts)
}

// choose selects the members and says why a version may not be made of them.
func choose(ctx context.Context, lk *lake.Lake, session *duck.Session, versions map[string]int64, d Definition, phase string) (Built, error) {
	var b Built
	if err := need(lk, versions, buildTables); err != nil {
		return b, err
	}
	if err := checkLedger(ctx, session); err != nil {
		return b, err
	}
	state, err := frozen.ReadState(ctx, session)
	if err != nil {
		return b, err
	}
	if state.Leaks.Total > 0 {
		return b, lake.WithHint(fmt.Errorf("%w: %d links in curated.leaks", ErrLeak, state.Leaks.Total), "weir query leaks")
	}
	if err := d.Review.check(state.Reviews); err != nil {
		return b, err
	}
	wanted, err := d.selectionOf(phase)
	if err != nil {
		return b, err
	}
	if b.Plan, err = makePlan(ctx, session, wanted, phase); err != nil {
		return b, err
	}
	if len(b.Plan.Rows) == 0 {
		return b, lake.WithHint(ErrEmpty, "weir query funnel; then the filter in "+FileName)
	}
	b.Manifest, err = manifestOf(d, b.Plan, state)
	b.Tables = map[string]int64{}
	for _, table := range buildTables {
		b.Tables[table] = versions[table]
	}
	return b, err
}

func manifestOf(d Definition, plan Plan, state frozen.State) (frozen.Manifest, error) {
	m := frozen.Manifest{
		Kind: frozen.ManifestKind, Dataset: d.Name, Version: plan.ContentHash[:versionLength], ContentHash: plan.ContentHash,
		Phase: plan.Phase, State: state, Sides: map[string]int64{}, Warnings: []string{},
	}
	var err error
	if m.Definition, m.DefinitionHash, err = d.JSON(); err != nil {
		return m, err
	}
	if m.Targets, err = json.Marshal(plan.Targets); err != nil {
		return m, err
	}
	groups := map[string]bool{}
	for _, row := range plan.Rows {
		m.Sides[row.Split]++
		if row.Split == "validation" {
			groups[row.GroupID] = true
		}
	}
	if n := len(groups); n > 0 && n < fewValidationGroups {
		m.Warnings = append(m.Warnings, fmt.Sprintf("validation has %d independent groups, fewer than %d: its loss says little", n, fewValidationGroups))
	}
	if plan.Shortfall > 0 {
		m.Warnings = append(m.Warnings, fmt.Sprintf("%d of %d wished for are short", plan.Shortfall, plan.Wanted))
	}
	return m, nil
}

// fewValidationGroups is the number of groups below which a validation loss says
// little (semantics: the examples of one group are not independent).
const fewValidationGroups = 30

// checkLedger refuses sides that a recorded version contradicts: the tables were
// built before it was recorded. One that agrees with them would change nothing.
func checkLedger(ctx context.Context, session *duck.Session) error {
	var contradicted int64
	err := session.Get(ctx, `
with unseen as (
    select distinct member.subject_id, member.content_hash, member.side

    from (
        select unnest(members) as member

        from events.dataset_members

        where id not in (select event_id from curated.dataset_members)
    )

    where member.side is not null
),

touched as (
    select example_keys.example_id, unseen.side

    from unseen

    inner join curated.example_keys as example_keys on example_keys.subject_id = unseen.subject_id

    union

    select example_keys.example_id, unseen.side

    from unseen

    inner join curated.example_keys as example_keys on example_keys.content_hash = unseen.content_hash
)

select count(*)

from touched

inner join curated.splits as splits on splits.example_id = touched.example_id

where splits.split <> touched.side`, &contradicted)
	if err != nil || contradicted == 0 {
		return err
	}
	return lake.WithHint(fmt.Errorf("%w: %d examples would change sides", ErrBehind, contradicted), "weir transform")
}

// check tells whether the review sample of the whole lake says enough.
func (r ReviewRule) check(reviews []frozen.Review) error {
	if r.MinReviewedShare == nil && r.MaxDefectRate == nil {
		return nil
	}
	refuse := func(format string, args ...any) error {
		return lake.WithHint(fmt.Errorf("%w: "+format, append([]any{ErrReview}, args...)...), "weir review export, and import what people decide")
	}
	i := slices.IndexFunc(reviews, func(one frozen.Review) bool { return one.Part == "all" })
	if i < 0 || reviews[i].SetCount == 0 {
		return refuse("there is no review sample")
	}
	all := reviews[i]
	if share := float64(all.ReviewedCount) / float64(all.SetCount); r.MinReviewedShare != nil && share < *r.MinReviewedShare {
		return refuse("%d of %d examples are reviewed, %.2f %%, and %.2f %% are asked for", all.ReviewedCount, all.SetCount, 100*share, 100**r.MinReviewedShare)
	}
	if r.MaxDefectRate == nil {
		return nil
	}
	upper := all.DefectRateHigh
	if upper == nil {
		upper = all.DefectRate // what was reviewed whole has no interval
	}
	if upper == nil {
		return refuse("nobody has reviewed, and a defect rate of at most %.2f %% is asked for", 100**r.MaxDefectRate)
	}
	if *upper > *r.MaxDefectRate {
		return refuse("the defect rate may be up to %.2f %% (95 %% interval), and at most %.2f %% is asked for", 100**upper, 100**r.MaxDefectRate)
	}
	return nil
}

// isHead tells whether the table's rows are those of the version.
func isHead(ctx context.Context, lk *lake.Lake, session *duck.Session, ref frozen.Ref, hash string) (bool, error) {
	rows, err := frozen.Find(ctx, lk, session, frozen.Ref{Dataset: ref.Dataset})
	if errors.Is(err, frozen.ErrUnknown) || errors.Is(err, frozen.ErrGone) {
		return false, nil
	}
	if err != nil || rows.Version != ref.Version {
		return false, err
	}
	held, _, err := rows.Hash(ctx, lk, session)
	return held == hash, err
}

// record sends the definition, the members and, when these are on their way, the
// version. What is sent twice is there once.
func record(ctx context.Context, m frozen.Manifest, members []lake.DatasetMember, opts BuildOptions) error {
	event := func(id, kind, subject string, data any) lake.Event {
		return lake.Event{ID: id, Source: "weir://dataset", Type: kind, Subject: subject, Time: opts.Now.UTC(), Data: data}
	}
	err := opts.Send(ctx, event(lake.StableID("config", "dataset", m.Dataset, m.DefinitionHash), "weir.config.set.v1", "config:dataset",
		&lake.Config{Kind: "dataset", Name: m.Dataset, Content: string(m.Definition), Hash: m.DefinitionHash}))
	if err != nil {
		return err
	}
	subject, batch := "dataset:"+m.Dataset, int64(0)
	for chunk := range slices.Chunk(members, membersPerEvent) {
		id := lake.StableID("dataset-members", m.Dataset, m.Version, fmt.Sprint(batch))
		err := opts.Send(ctx, event(id, "weir.dataset.members.v1", subject,
			&lake.DatasetMembers{Dataset: m.Dataset, Version: m.Version, ContentHash: m.ContentHash, Members: chunk, Batch: batch}))
		if err != nil {
			return err
		}
		batch++
		opts.Fault("dataset.after-members")
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return opts.Send(ctx, event(lake.StableID("dataset-version", m.Dataset, m.Version), "weir.dataset.version.v1", subject,
		&lake.DatasetVersion{Dataset: m.Dataset, Version: m.Version, ContentHash: m.ContentHash, Manifest: string(text), MemberCount: int64(len(members))}))
}

// Restored is what Restore found or did.
type Restored struct {
	frozen.Recorded
	Wrote    bool   `json:"wrote"`     // the rows were gone, and were made again
	Held     int64  `json:"held"`      // members that are left: fewer where an erasure took some out
	HeldHash string `json:"held_hash"` // content hash of these; that of the version where none is gone
}

// Restore makes the rows of a recorded version readable again where they were
// vacuumed or lost: from its recorded members and the examples of the lake. They
// are then the dataset's rows. The error is a *frozen.Missing where the lake no
// longer has an example as it was.
func Restore(ctx context.Context, lk *lake.Lake, ref frozen.Ref, options duck.Options) (_ Restored, err error) {
	session, _, err := duck.OpenLake(ctx, lk, options)
	if err != nil {
		return Restored{}, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	var r Restored
	if r.Recorded, err = frozen.Named(ctx, session, ref); err != nil {
		return r, err
	}
	rows, err := frozen.Find(ctx, lk, session, r.Ref)
	if errors.Is(err, frozen.ErrGone) || errors.Is(err, frozen.ErrUnknown) {
		if _, err = frozen.Restore(ctx, lk, session, r.Ref); err != nil {
			return r, err
		}
		r.Wrote = true
		rows, err = frozen.Find(ctx, lk, session, r.Ref)
	}
	if err != nil {
		return r, err
	}
	r.HeldHash, r.Held, err = rows.Hash(ctx, lk, session)
	if err == nil && r.Wrote && r.Held == r.Members && r.HeldHash != r.ContentHash {
		err = fmt.Errorf("dataset %s: content hash %s, was %s: its record does not fit its members", r.Ref, r.HeldHash, r.ContentHash)
	}
	return r, err
}
