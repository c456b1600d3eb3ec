package review

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"

	"gopkg.in/yaml.v3"
)

//go:embed rubric.yaml
var defaultRubric []byte

// Rubric is what reviewers are asked to look at.
type Rubric struct {
	Name      string      `yaml:"name" json:"name"`
	Guide     string      `yaml:"guide" json:"guide"`
	Questions []Criterion `yaml:"questions" json:"questions"`
	hash      string
}

// Criterion is one question; whoever answers it with no rejects or edits.
type Criterion struct {
	Name string `yaml:"name" json:"name"`
	Ask  string `yaml:"ask" json:"ask"`
}

// DefaultRubric is the one that weir brings.
func DefaultRubric() (Rubric, error) { return ParseRubric(defaultRubric) }

// ParseRubric reads a rubric from YAML.
func ParseRubric(text []byte) (Rubric, error) {
	var r Rubric
	if err := yaml.Unmarshal(text, &r); err != nil {
		return Rubric{}, fmt.Errorf("rubric: %w", err)
	}
	if r.Name == "" || len(r.Questions) == 0 {
		return Rubric{}, errors.New("rubric: a name and questions are needed")
	}
	sum := sha256.Sum256(text)
	r.hash = hex.EncodeToString(sum[:])
	return r, nil
}

// Version names the rubric and its very text: name@ and 12 digits of its sha256.
func (r Rubric) Version() string { return r.Name + "@" + r.hash[:12] }
