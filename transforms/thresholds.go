package transforms

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

//go:embed quality.yaml
var defaultThresholds []byte

// Threshold is a number that curated.quality decides by.
type Threshold struct {
	Value  float64 `yaml:"value" json:"value"`
	Doc    string  `yaml:"doc,omitempty" json:"doc,omitempty"`
	Source string  `yaml:"source,omitempty" json:"source,omitempty"` // where the default comes from
}

type thresholdFile struct {
	Thresholds map[string]Threshold `yaml:"thresholds"`
}

// DefaultThresholds gives the YAML that weir brings, with its comments.
func DefaultThresholds() []byte { return bytes.Clone(defaultThresholds) }

// ParseThresholds reads a file of thresholds and checks it: names that weir
// knows, and values from 0 on.
func ParseThresholds(text []byte) (map[string]Threshold, error) {
	known, err := decodeThresholds(defaultThresholds)
	if err != nil {
		return nil, err
	}
	given, err := decodeThresholds(text)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := given[name].Value
		if _, ok := known[name]; !ok {
			return nil, lake.WithHint(fmt.Errorf("thresholds: there is no %q", name), fmt.Sprintf("there are %v", slices.Sorted(maps.Keys(known))))
		}
		if value < 0 || math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("thresholds: %s: %v is no value", name, value)
		}
	}
	return given, nil
}

func decodeThresholds(text []byte) (map[string]Threshold, error) {
	var file thresholdFile
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true) // a misspelt key would silently keep the default
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("thresholds: %w", err)
	}
	if len(file.Thresholds) == 0 {
		return nil, errors.New("thresholds: none given")
	}
	return file.Thresholds, nil
}

// ThresholdsEvent makes the event that sets thresholds from now on. It says all
// that differ from the defaults: what an earlier event set is forgotten.
func ThresholdsEvent(given map[string]Threshold, now time.Time) (*lake.Event, error) {
	values := map[string]float64{}
	for name, threshold := range given {
		values[name] = threshold.Value
	}
	content, err := json.Marshal(values) // keys sorted
	if err != nil {
		return nil, fmt.Errorf("thresholds: %w", err)
	}
	// The time is part of the id: to go back to earlier values is an event, too.
	event := lake.ConfigEvent("weir://quality", "thresholds", "quality", content, now, now.UTC().Format(time.RFC3339Nano))
	return &event, nil
}

// thresholds makes curated.thresholds. It is a step in Go so that the defaults
// stand in one place, the YAML file that people edit a copy of.
var thresholds = derive.Step{
	Name:    "curated.thresholds",
	Doc:     "What curated.quality decides by: the defaults of quality.yaml, or what the latest config event (kind thresholds, name quality) says",
	Grain:   "one row per threshold",
	Key:     []string{"name"},
	Inputs:  []string{"curated.configs"},
	Version: "1/" + thresholdsVersion(),
	Columns: []lake.Column{
		{Name: "name", Type: lake.Varchar, Doc: "threshold"},
		{Name: "value", Type: lake.Double, Doc: "value that counts"},
		{Name: "default_value", Type: lake.Double, Doc: "value of quality.yaml"},
		{Name: "doc", Type: lake.Varchar, Doc: "what it decides, with its unit"},
		{Name: "source", Type: lake.Varchar, Doc: "where the default comes from"},
	},
	Run: runThresholds,
}

// thresholdsVersion changes with the file: then the table is computed again.
func thresholdsVersion() string {
	sum := sha256.Sum256(defaultThresholds)
	return hex.EncodeToString(sum[:6])
}

func runThresholds(ctx context.Context, session *duck.Session, into string) error {
	known, err := decodeThresholds(defaultThresholds)
	if err != nil {
		return fmt.Errorf("curated.thresholds: %w", err)
	}
	latest, err := session.Strings(ctx, `
		select content from curated.configs where kind = 'thresholds' and name = 'quality' and content is not null
		order by occurred_at desc, event_id desc limit 1`)
	if err != nil {
		return fmt.Errorf("curated.thresholds: %w", err)
	}
	set := map[string]float64{}
	if len(latest) > 0 {
		if err := json.Unmarshal([]byte(latest[0]), &set); err != nil {
			return lake.WithHint(fmt.Errorf("curated.thresholds: the latest config event of kind thresholds: %w", err), "append a sound one: weir quality set FILE")
		}
	}
	statements := []string{"create table " + into + " (name varchar, value double, default_value double, doc varchar, source varchar)"}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		t := known[name]
		value, ok := set[name]
		if !ok {
			value = t.Value
		}
		statements = append(statements, fmt.Sprintf("insert into %s values (%s, %v, %v, %s, %s)", into, duck.Literal(name), value, t.Value, duck.Literal(t.Doc), duck.Literal(t.Source)))
	}
	for _, statement := range statements {
		if err := session.Exec(ctx, statement); err != nil {
			return fmt.Errorf("curated.thresholds: %w", err)
		}
	}
	return nil
}
