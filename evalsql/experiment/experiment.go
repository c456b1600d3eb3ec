// Package experiment says which arm of an A/B test a unit is in. A unit keeps
// its arm for ever and wherever it is asked for, because the arm follows from a
// hash of the unit's id alone: no table of assignments is needed to route a
// call. analysis.experiments has the same formula in SQL, docs/experiments.md in
// other languages. Start at Parse.
package experiment

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/lake"
)

// Experiment is an A/B test.
type Experiment struct {
	Name         string             `yaml:"name" json:"name"`
	Unit         string             `yaml:"unit" json:"unit"`                             // what is assigned: conversation, task or person
	Salt         string             `yaml:"salt" json:"salt"`                             // another salt deals anew
	Control      string             `yaml:"control" json:"control"`                       // arm that differences are counted from
	Arms         []Arm              `yaml:"arms" json:"arms"`                             // in this order their shares add up
	PlannedUnits int64              `yaml:"planned_units" json:"planned_units,omitempty"` // in all; 0: not stated
	Effects      map[string]float64 `yaml:"effects" json:"effects,omitempty"`             // least difference of interest by metric, stated before
}

// Arm is an arm with its share of the units.
type Arm struct {
	Name  string  `yaml:"name" json:"name"`
	Share float64 `yaml:"share" json:"share"` // 0 to 1
}

// Units are what can be assigned.
var Units = []string{"conversation", "task", "person"}

// Parse reads experiments.yaml and checks it.
func Parse(text []byte) ([]Experiment, error) {
	var file struct {
		Experiments []Experiment `yaml:"experiments"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("experiments: %w", err)
	}
	seen := map[string]bool{}
	for _, e := range file.Experiments {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("experiment %q: %w", e.Name, err)
		}
		if seen[e.Name] {
			return nil, fmt.Errorf("experiment %q stands twice", e.Name)
		}
		seen[e.Name] = true
	}
	if len(seen) == 0 {
		return nil, fmt.Errorf("experiments: none")
	}
	return file.Experiments, nil
}

func (e Experiment) check() error {
	if e.Name == "" || e.Name == "none" || e.Salt == "" {
		return fmt.Errorf("a name (other than none) and a salt are needed")
	}
	if !slices.Contains(Units, e.Unit) {
		return fmt.Errorf("unit %q: one of %v is needed", e.Unit, Units)
	}
	var sum float64
	var names []string
	for _, arm := range e.Arms {
		if arm.Name == "" || slices.Contains(names, arm.Name) || !(arm.Share > 0) {
			return fmt.Errorf("arm %q: a name of its own and a share above 0 are needed", arm.Name)
		}
		names = append(names, arm.Name)
		sum += arm.Share
	}
	if len(names) < 2 || math.Abs(sum-1) > 1e-9 {
		return fmt.Errorf("%d arms with shares of %g in all: at least two with 1 are needed", len(names), sum)
	}
	if !slices.Contains(names, e.Control) {
		return fmt.Errorf("control %q is not among the arms %v", e.Control, names)
	}
	return nil
}

// Hash is where a unit lies, at least 0 and less than 1: the first 13 hexadecimal
// digits of md5(salt/experiment/unit), over 2^52, which a float64 holds exactly.
func (e Experiment) Hash(unit string) float64 {
	sum := md5.Sum([]byte(e.Salt + "/" + e.Name + "/" + unit))
	n, _ := strconv.ParseUint(hex.EncodeToString(sum[:7])[:13], 16, 64) // hexadecimal by construction
	return float64(n) / (1 << 52)
}

// Arm gives the arm of a unit.
func (e Experiment) Arm(unit string) string {
	hash := e.Hash(unit)
	var upTo float64
	for _, arm := range e.Arms[:len(e.Arms)-1] {
		if upTo += arm.Share; hash < upTo {
			return arm.Name
		}
	}
	return e.Arms[len(e.Arms)-1].Name
}

// Event is the configuration as the lake has it. The time is part of its id: to
// go back to an earlier one is an event, too.
func (e Experiment) Event(now time.Time) (lake.Event, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return lake.Event{}, err
	}
	return lake.ConfigEvent("weir://experiment", "experiment", e.Name, text, now, now.UTC().Format(time.RFC3339Nano)), nil
}

// Assigned is the assignment of a unit as the lake has it: once, whatever number
// of times it is sent.
func (e Experiment) Assigned(unit string, now time.Time) lake.Event {
	name := e.Arm(unit)
	i := slices.IndexFunc(e.Arms, func(a Arm) bool { return a.Name == name })
	return lake.Event{
		ID: lake.StableID("assignment", e.Name, e.Salt, e.Unit, unit, name), Source: "weir://experiment", Type: "weir.experiment.assigned.v1",
		Subject: unit, Time: now.UTC(),
		Data: &lake.Assignment{Experiment: e.Name, UnitKind: e.Unit, UnitID: unit, Arm: name, Salt: e.Salt, Weight: &e.Arms[i].Share},
	}
}
