package dataset

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/frozen"
)

//go:embed datasets.yaml
var defaultDefinitions []byte

// FileName is where a lake's definitions stand, in its folder.
const FileName = "datasets.yaml"

// Definition is what a dataset is to be made of.
type Definition struct {
	Name     string     `yaml:"-" json:"name"`
	About    string     `yaml:"about" json:"about,omitempty"`
	Filter   Filter     `yaml:"filter" json:"filter"`
	Size     int64      `yaml:"size" json:"size,omitempty"` // 0: all, or the mixture's own counts
	Mix      *Mix       `yaml:"mix" json:"mix,omitempty"`   // nil: one target that takes anything
	Split    []string   `yaml:"split" json:"split"`
	Review   ReviewRule `yaml:"review" json:"review"`
	Exports  []ExportTo `yaml:"export" json:"export,omitempty"`
	License  string     `yaml:"license" json:"license,omitempty"`
	Language []string   `yaml:"language" json:"language,omitempty"`
}

// Filter keeps examples that match all of it.
type Filter struct {
	Sources         []string `yaml:"sources" json:"sources"`       // empty: any
	TaskTypes       []string `yaml:"task_types" json:"task_types"` // empty: any
	MinSuccessScore float64  `yaml:"min_success_score" json:"min_success_score"`
	Reviewed        string   `yaml:"reviewed" json:"reviewed"` // any, reviewed or accepted
}

// ReviewRule is what people must have said of the lake's review sample.
type ReviewRule struct {
	MinReviewedShare *float64 `yaml:"min_reviewed_share" json:"min_reviewed_share,omitempty"` // 0 to 1, of what the sample stands for
	MaxDefectRate    *float64 `yaml:"max_defect_rate" json:"max_defect_rate,omitempty"`       // 0 to 1, for the upper end of the interval
}

// ExportTo is a target that a dataset is exported to, and how.
type ExportTo struct {
	Target    string `yaml:"target" json:"target"`
	Model     string `yaml:"model" json:"model,omitempty"`
	MaxTokens int    `yaml:"max_tokens" json:"max_tokens,omitempty"`
}

// sides that a dataset may have. The test side is for eval suites alone.
var sides = []string{"train", "validation"}

// DefaultDefinitions gives the YAML of an example, with its comments.
func DefaultDefinitions() []byte { return bytes.Clone(defaultDefinitions) }

// ReadDefinitions reads those of a lake. Where there is no file the error matches
// fs.ErrNotExist.
func ReadDefinitions(lk *lake.Lake) (map[string]Definition, error) {
	path := filepath.Join(lk.Dir(), FileName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, lake.WithHint(fmt.Errorf("no datasets are defined: %w", err), "weir dataset defaults > "+path)
	}
	if err != nil {
		return nil, err
	}
	definitions, err := ParseDefinitions(text)
	if err != nil {
		return nil, lake.WithHint(err, "weir dataset defaults shows what may stand there")
	}
	return definitions, nil
}

// unknownField is what yaml.v3 says of a key that a struct does not have.
var unknownField = regexp.MustCompile(`^line (\d+): field (.+) not found in type .*$`)

// ParseDefinitions reads definitions from YAML and checks them. Errors name the
// line.
func ParseDefinitions(text []byte) (map[string]Definition, error) {
	var file struct {
		Datasets map[string]Definition `yaml:"datasets"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true) // a misspelt filter would let everything in
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		var list *yaml.TypeError
		if errors.As(err, &list) {
			line := list.Errors[0]
			if found := unknownField.FindStringSubmatch(line); found != nil {
				return nil, fmt.Errorf("%s:%s: unknown key %q", FileName, found[1], found[2])
			}
			return nil, fmt.Errorf("%s: %s", FileName, line)
		}
		return nil, fmt.Errorf("%s: %s", FileName, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(file.Datasets) == 0 {
		return nil, fmt.Errorf("%s: no datasets", FileName)
	}
	lines := lineOf(text)
	for _, name := range slices.Sorted(maps.Keys(file.Datasets)) {
		d := file.Datasets[name]
		d.Name = name
		if err := d.complete(); err != nil {
			return nil, fmt.Errorf("%s:%d: dataset %s: %w", FileName, lines[name], name, err)
		}
		file.Datasets[name] = d
	}
	return file.Datasets, nil
}

// lineOf gives the line of each dataset's name.
func lineOf(text []byte) map[string]int {
	lines := map[string]int{}
	var doc yaml.Node
	if yaml.Unmarshal(text, &doc) != nil || len(doc.Content) == 0 {
		return lines
	}
	top := doc.Content[0].Content
	for i := 0; i+1 < len(top); i += 2 {
		if top[i].Value != "datasets" {
			continue
		}
		names := top[i+1].Content
		for j := 0; j+1 < len(names); j += 2 {
			lines[names[j].Value] = names[j].Line
		}
	}
	return lines
}

// complete fills in what was left out, and checks the rest.
func (d *Definition) complete() error {
	if _, err := frozen.TableOf(d.Name); err != nil {
		return err
	}
	d.Filter.Sources, d.Filter.TaskTypes = append([]string{}, d.Filter.Sources...), append([]string{}, d.Filter.TaskTypes...)
	if d.Filter.Reviewed == "" {
		d.Filter.Reviewed = "any"
	}
	if len(d.Split) == 0 {
		d.Split = slices.Clone(sides)
	}
	switch {
	case !slices.Contains([]string{"any", "reviewed", "accepted"}, d.Filter.Reviewed):
		return fmt.Errorf("filter: reviewed is any, reviewed or accepted, not %q", d.Filter.Reviewed)
	case d.Filter.MinSuccessScore < 0 || d.Filter.MinSuccessScore > 1:
		return fmt.Errorf("filter: min_success_score is 0 to 1, not %v", d.Filter.MinSuccessScore)
	case d.Size < 0:
		return fmt.Errorf("size is 0 (all) or more, not %d", d.Size)
	}
	for _, share := range []*float64{d.Review.MinReviewedShare, d.Review.MaxDefectRate} {
		if share != nil && (*share < 0 || *share > 1) {
			return fmt.Errorf("review: a share is 0 to 1, not %v", *share)
		}
	}
	for i, side := range d.Split {
		if !slices.Contains(sides, side) || slices.Contains(d.Split[:i], side) {
			return fmt.Errorf("split: each of %s once at most, not %q", strings.Join(sides, ", "), side)
		}
	}
	for _, to := range d.Exports {
		if to.Target == "" || to.MaxTokens < 0 {
			return errors.New("export: a target, and max_tokens of 0 or more, are needed")
		}
	}
	if d.Mix == nil {
		return nil
	}
	if d.Mix.Name != "" && d.Mix.Name != d.Name {
		return fmt.Errorf("mix: its name is the dataset's, not %q", d.Mix.Name)
	}
	d.Mix.Name = d.Name
	return d.Mix.check()
}

// To gives how the dataset is exported to a target; zero where it does not say.
func (d *Definition) To(target string) ExportTo {
	for _, to := range d.Exports {
		if to.Target == target {
			return to
		}
	}
	return ExportTo{Target: target}
}

// JSON is the definition as it is recorded, and its hash: the same definition
// has the same, however its YAML is laid out.
func (d *Definition) JSON() (text []byte, hash string, err error) {
	text, err = json.Marshal(d)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(text)
	return text, hex.EncodeToString(sum[:]), nil
}

// everything is a count that no lake reaches.
const everything = 1 << 40

// selection is what a plan asks for.
type selection struct {
	mix       Mix
	filter    Filter
	sides     []string
	knowledge []string // sections that a phase is about; none: any
	all       bool     // no number was asked for
}

// selectionOf resolves the definition for a phase of its mixture; empty: none.
func (d *Definition) selectionOf(phase string) (selection, error) {
	s := selection{filter: d.Filter, sides: d.Split}
	if d.Mix == nil {
		if phase != "" {
			return s, fmt.Errorf("dataset %s: it has no mix, and so no phase %q", d.Name, phase)
		}
		count := d.Size
		if s.all = count == 0; s.all {
			count = everything
		}
		s.mix = Mix{Name: d.Name, Targets: []Target{{Name: "all", Count: count}}}
		return s, nil
	}
	s.mix = *d.Mix
	if d.Size > 0 {
		s.mix = s.mix.Sized(d.Size)
	}
	if phase != "" {
		p, ok := d.Mix.Phase(phase)
		if !ok {
			return s, fmt.Errorf("dataset %s: its mix has no phase %q", d.Name, phase)
		}
		s.mix, s.knowledge = d.Mix.Sized(p.Size), p.Knowledge
	}
	return s, nil
}
