// Package dataset says which examples a dataset takes: so many for each
// target of a mixture, the best first and among those of like quality the most
// various. It pads nothing and writes no training file. Start at MakePlan.
package dataset

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"
)

//go:embed mix.yaml
var defaultMix []byte

// Mix is what a dataset wishes for.
type Mix struct {
	Name    string   `yaml:"name" json:"name"`
	Targets []Target `yaml:"targets" json:"targets"`
	Phases  []Phase  `yaml:"phases" json:"phases,omitempty"`
}

// Target is a number of examples of certain sources and task types. No list
// means any. An example counts for the first target that takes it.
type Target struct {
	Name      string   `yaml:"name" json:"name"`
	Count     int64    `yaml:"count" json:"count"`
	Sources   []string `yaml:"sources" json:"sources"`
	TaskTypes []string `yaml:"task_types" json:"task_types"`
}

// Phase is a size, and the knowledge that a model shall have learnt by it: what
// was made from sections of other kinds waits for a later phase.
type Phase struct {
	Name      string   `yaml:"name" json:"name"`
	Size      int64    `yaml:"size" json:"size"`
	Knowledge []string `yaml:"knowledge" json:"knowledge"` // kinds of curated.knowledge, or AllKnowledge
}

// AllKnowledge as a phase's knowledge stands for every kind.
const AllKnowledge = "all"

// kinds of curated.knowledge that a phase may name.
var kinds = []string{"identity", "rules", "methodology", "file_operations", "tools", AllKnowledge}

// DefaultMix is the one that weir brings.
func DefaultMix() (Mix, error) { return ParseMix(defaultMix) }

// DefaultText gives the YAML of it, with its comments.
func DefaultText() []byte { return bytes.Clone(defaultMix) }

// ParseMix reads a mixture from YAML and checks it.
func ParseMix(text []byte) (Mix, error) {
	var m Mix
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true) // a misspelt list would take everything
	if err := dec.Decode(&m); err != nil {
		return Mix{}, fmt.Errorf("mix: %w", err)
	}
	if err := m.check(); err != nil {
		return Mix{}, err
	}
	return m, nil
}

func (m *Mix) check() error {
	if m.Name == "" || len(m.Targets) == 0 {
		return errors.New("mix: a name and targets are needed")
	}
	seen := map[string]bool{}
	for _, t := range m.Targets {
		if t.Name == "" || t.Count < 1 || seen["t"+t.Name] {
			return fmt.Errorf("mix: target %q: a name of its own and a count of at least 1 are needed", t.Name)
		}
		seen["t"+t.Name] = true
	}
	for _, p := range m.Phases {
		if p.Name == "" || p.Size < 1 || seen["p"+p.Name] {
			return fmt.Errorf("mix: phase %q: a name of its own and a size of at least 1 are needed", p.Name)
		}
		seen["p"+p.Name] = true
		for _, kind := range p.Knowledge {
			if !slices.Contains(kinds, kind) {
				return fmt.Errorf("mix: phase %q: there is no knowledge %q, but %v", p.Name, kind, kinds)
			}
		}
	}
	return nil
}

// Phase gives a phase of the mixture by its name.
func (m Mix) Phase(name string) (Phase, bool) {
	i := slices.IndexFunc(m.Phases, func(p Phase) bool { return p.Name == name })
	if i < 0 {
		return Phase{}, false
	}
	return m.Phases[i], true
}

// Sized gives the mixture with size examples in all, in the same proportion:
// each target its whole share, and what is left to the largest remainders, the
// first target where they are equal.
func (m Mix) Sized(size int64) Mix {
	var total int64
	for _, t := range m.Targets {
		total += t.Count
	}
	m.Targets = slices.Clone(m.Targets)
	order := make([]int, len(m.Targets))
	remainders := make([]int64, len(m.Targets))
	left := size
	for i, t := range m.Targets {
		order[i], remainders[i] = i, t.Count*size%total
		m.Targets[i].Count = t.Count * size / total
		left -= m.Targets[i].Count
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(min(max(remainders[b]-remainders[a], -1), 1)) })
	for _, i := range order[:left] {
		m.Targets[i].Count++
	}
	return m
}
