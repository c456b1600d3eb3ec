package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// ErrUnknown says that no experiment of that name was set in the lake.
var ErrUnknown = errors.New("no such experiment in the lake")

// Read gives the latest configuration of an experiment that was set in a lake.
func Read(ctx context.Context, lk *lake.Lake, name string) (_ Experiment, err error) {
	session, versions, err := duck.OpenLake(ctx, lk, duck.Options{Threads: 1})
	if err != nil {
		return Experiment{}, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	var found []string
	if _, ok := versions["events.configs"]; ok {
		found, err = session.Strings(ctx, "select content from events.configs where kind = 'experiment' and name = ? order by time desc, id limit 1", name)
		if err != nil {
			return Experiment{}, err
		}
	}
	if len(found) == 0 {
		return Experiment{}, lake.WithHint(fmt.Errorf("%q: %w", name, ErrUnknown), "weir experiment set experiments.yaml")
	}
	var e Experiment
	if err := json.Unmarshal([]byte(found[0]), &e); err != nil {
		return Experiment{}, fmt.Errorf("experiment %s: %w", name, err)
	}
	if err := e.check(); err != nil {
		return Experiment{}, fmt.Errorf("experiment %s: %w", name, err)
	}
	return e, nil
}
