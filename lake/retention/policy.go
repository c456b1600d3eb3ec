package retention

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/lake"
)

// PolicyName is the file in a lake's folder that says what upkeep lets go:
//
//	chat: 365d
//	deadletter: 720h
//	swarm:
//	  older-than: 90d
//	  rows: true      # also of subjects that go on
const PolicyName = "retention.yaml"

// Policy gives the rules of a lake, by family. There are none where the lake has
// no such file.
func Policy(ctx context.Context, lk *lake.Lake) ([]Rule, error) {
	data, err := lake.ReadFile(ctx, lk.Storage(), PolicyName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rules, err := ParsePolicy(data)
	if err != nil {
		return nil, lake.WithHint(fmt.Errorf("%s: %w", PolicyName, err), "a line a family, such as chat: 365d")
	}
	return rules, nil
}

// ParsePolicy reads a file as PolicyName shows it.
func ParsePolicy(data []byte) ([]Rule, error) {
	families := map[string]policyRule{}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&families); err != nil && !errors.Is(err, io.EOF) { // EOF: it is empty
		return nil, err
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	var rules []Rule
	for family, one := range families {
		age, err := ParseAge(one.OlderThan)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", family, err)
		}
		rule := Rule{Family: family, OlderThan: age, Rows: one.Rows}
		if err := rule.check(); err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	slices.SortFunc(rules, func(a, b Rule) int { return strings.Compare(a.Family, b.Family) })
	return rules, nil
}

// policyRule is an age, or an age with more to say.
type policyRule struct {
	OlderThan string `yaml:"older-than"`
	Rows      bool   `yaml:"rows"`
}

// UnmarshalYAML takes a scalar for the age.
func (r *policyRule) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&r.OlderThan)
	}
	// Unknown fields are not refused by a node's Decode: a rule that is misspelt
	// would be another one.
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key := node.Content[i].Value; key != "older-than" && key != "rows" {
			return fmt.Errorf("line %d: neither older-than nor rows: %s", node.Content[i].Line, key)
		}
	}
	type plain policyRule
	return node.Decode((*plain)(r))
}

// maxDays keeps an age within a time.Duration.
const maxDays = 100_000

// ParseAge reads an age in days, 365d, or as Go spells a duration, 720h.
func ParseAge(text string) (time.Duration, error) {
	if digits, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.Atoi(digits)
		if err == nil && days > 0 && days <= maxDays {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	} else if age, err := time.ParseDuration(text); err == nil && age > 0 {
		return age, nil
	}
	return 0, fmt.Errorf("%q is no age such as 365d or 720h", text)
}
