package judge

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/lake"
)

// Kinds of rubrics.
const (
	Single   = "single"   // one example, a score on the scale
	Pairwise = "pairwise" // a variation beside its parent: 1 won, 0.5 even, 0 lost
)

// Rubric is what a judge goes by.
type Rubric struct {
	Name    string `yaml:"name"`
	Version string `yaml:"version"` // of the author's
	Kind    string `yaml:"kind"`
	About   string `yaml:"about"`
	Scale   struct {
		Least float64 `yaml:"least"`
		Most  float64 `yaml:"most"`
	} `yaml:"scale"` // of single rubrics, both ends included
	HigherIsBetter *bool    `yaml:"higher_is_better"` // declared, never guessed
	Pass           *float64 `yaml:"pass"`             // least score that passes, or the greatest where lower is better; none: no verdict
	Instructions   string   `yaml:"instructions"`
	// BySeed has each example judged by the section of curated.knowledge that it
	// was made from, and others not at all.
	BySeed bool `yaml:"by_seed"`

	hash string
}

// FullVersion is the author's version and the beginning of the file's sha256:
// a rubric that was changed without a new version is another one all the same.
func (r Rubric) FullVersion() string { return r.Version + "-" + r.hash[:8] }

// WithDocument is the rubric with principles to judge by, the same for every
// example: another version.
func (r Rubric) WithDocument(text string) Rubric {
	r.BySeed = false
	r.Instructions += "\nThe principles:\n" + text + "\n"
	sum := sha256.Sum256([]byte(r.hash + text))
	r.hash = hex.EncodeToString(sum[:])
	return r
}

//go:embed rubrics/*.yaml
var shipped embed.FS

// Names are the rubrics that come with weir.
func Names() []string {
	files, err := fs.Glob(shipped, "rubrics/*.yaml")
	if err != nil {
		return nil // the pattern is a constant
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(path.Base(file), ".yaml")
	}
	return files
}

// Load finds a rubric that comes with weir by its name, any other by the path
// of its file.
func Load(name string) (Rubric, error) {
	var text []byte
	var err error
	if slices.Contains(Names(), name) {
		text, err = shipped.ReadFile("rubrics/" + name + ".yaml")
	} else {
		text, err = os.ReadFile(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Rubric{}, lake.WithHint(fmt.Errorf("no rubric %q", name), "name a YAML file, or one of "+strings.Join(Names(), ", "))
	} else if err != nil {
		return Rubric{}, err
	}
	return Parse(text)
}

// Parse reads a rubric. Unknown fields are errors, because a misspelt polarity
// would turn every verdict around.
func Parse(text []byte) (Rubric, error) {
	var r Rubric
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	if err := dec.Decode(&r); err != nil {
		return r, fmt.Errorf("rubric: %w", err)
	}
	sum := sha256.Sum256(text)
	r.hash = hex.EncodeToString(sum[:])
	if r.Kind == Pairwise {
		r.Scale.Least, r.Scale.Most = 0, 1
	}
	var wrong string
	switch {
	case r.Name == "" || r.Version == "" || strings.TrimSpace(r.Instructions) == "":
		wrong = "name, version and instructions are required"
	case r.Kind != Single && r.Kind != Pairwise:
		wrong = "kind is single or pairwise"
	case r.HigherIsBetter == nil:
		wrong = "higher_is_better is required"
	case r.Kind == Pairwise && !*r.HigherIsBetter:
		wrong = "in a pairwise rubric higher is better"
	case r.BySeed && r.Kind != Single:
		wrong = "by_seed is for a single rubric"
	case r.Scale.Least >= r.Scale.Most:
		wrong = "scale: least must be below most"
	case r.Pass != nil && (*r.Pass < r.Scale.Least || *r.Pass > r.Scale.Most):
		wrong = "pass is off the scale"
	}
	if wrong != "" {
		return r, fmt.Errorf("rubric %s: %s", r.Name, wrong)
	}
	return r, nil
}

// passed is the verdict; nil where the rubric has none.
func (r Rubric) passed(score float64) *bool {
	if r.Pass == nil {
		return nil
	}
	ok := score >= *r.Pass
	if !*r.HigherIsBetter {
		ok = score <= *r.Pass
	}
	return &ok
}
