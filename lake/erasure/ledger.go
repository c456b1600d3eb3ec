package erasure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// idsPerEvent keeps an event well below lake.MaxEventBytes.
const idsPerEvent = 5_000

// record sends the hashes of the ids that nothing will bear once the rows are
// gone, so that what comes later and names one is known for theirs. They go the
// way of the requests: a lake that is built anew from its topics has them too.
func (m *match) record(ctx context.Context, send func(context.Context, []lake.Event) error) error {
	if send == nil {
		return nil
	}
	hashes, err := m.session.Strings(ctx, fmt.Sprintf(
		"select hash from (select %s as hash from gone.dead) where hash not in (select unnest(id_hashes) from gone.ledger where id_hashes is not null) order by hash",
		duck.KeyedHash(m.key, KindID, "name")))
	if err != nil || len(hashes) == 0 {
		return err
	}
	var asked time.Time // no clock: what is sent twice is the same event
	if err := m.session.Get(ctx, "select max(time) from "+erasures, &asked); err != nil {
		return err
	}
	var events []lake.Event
	for chunk := range slices.Chunk(hashes, idsPerEvent) {
		events = append(events, lake.Event{
			ID: lake.StableID("erasure", "ids", strings.Join(chunk, ",")), Source: "weir://erase", Type: "weir.erasure.requested.v1",
			Subject: "erased-ids", Time: asked.UTC(),
			Data: &lake.Erasure{Kind: "ids", IDHashes: chunk},
		})
	}
	return send(ctx, events)
}

// doneName is where the requests stand that a run has carried out to its end.
const doneName = "_erased/done.json"

// allDone tells whether no run was stopped, and none of the requests is new.
func allDone(ctx context.Context, lk *lake.Lake, requests []string) (bool, error) {
	if _, err := lake.ReadFile(ctx, lk.Storage(), planName); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	data, err := lake.ReadFile(ctx, lk.Storage(), doneName)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	var done []string
	if err == nil {
		err = json.Unmarshal(data, &done)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", doneName, err)
	}
	return !slices.ContainsFunc(requests, func(one string) bool { return !slices.Contains(done, one) }), nil
}

func storeDone(ctx context.Context, lk *lake.Lake, requests []string) error {
	data, err := json.Marshal(requests)
	if err != nil {
		return err
	}
	return putPrivate(ctx, lk, doneName, data)
}
