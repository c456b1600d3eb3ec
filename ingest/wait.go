package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/weir-lake/weir/lake"
)

// waitEvery is how often Wait looks at the lake's log.
const waitEvery = 200 * time.Millisecond

// Wait returns when every position is in the lake: some sink, in this process
// or another, must be running. The error is that of ctx, or of the lake.
func Wait(ctx context.Context, lk *lake.Lake, positions []lake.Position) error {
	for {
		missing, err := Landed(ctx, lk, positions)
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			p := missing[0]
			return lake.WithHint(fmt.Errorf("wait for %s/%d@%d in the lake: %w", p.Topic, p.Partition, p.Offset, ctx.Err()), "run weir sink on this lake and cluster")
		case <-time.After(waitEvery):
		}
	}
}
