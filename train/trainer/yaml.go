package trainer

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// settings are keys and values in the order in which they are written.
type settings []setting

type setting struct {
	key   string
	value any // string, bool, int64, float64, a list or settings
}

// extra puts the keys that the user gave for the trainer over these.
func (s settings) extra(more map[string]any) settings {
	var keys []string
	for key := range more {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		i := slices.IndexFunc(s, func(known setting) bool { return known.key == key })
		if i >= 0 {
			s[i].value = more[key]
			continue
		}
		s = append(s, setting{key, more[key]})
	}
	return s
}

// file is YAML under a comment.
func (s settings) file(comment []string) ([]byte, error) {
	node, err := s.node()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, line := range comment {
		fmt.Fprintf(&out, "# %s\n", line)
	}
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return nil, err
	}
	return out.Bytes(), enc.Close()
}

func (s settings) node() (*yaml.Node, error) {
	mapping := &yaml.Node{Kind: yaml.MappingNode}
	for _, item := range s {
		value, err := nodeOf(item.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", item.key, err)
		}
		key := &yaml.Node{}
		key.SetString(item.key)
		mapping.Content = append(mapping.Content, key, value)
	}
	return mapping, nil
}

func nodeOf(value any) (*yaml.Node, error) {
	switch value := value.(type) {
	case settings:
		return value.node()
	case []settings:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range value {
			node, err := item.node()
			if err != nil {
				return nil, err
			}
			list.Content = append(list.Content, node)
		}
		return list, nil
	case []any:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range value {
			node, err := nodeOf(item)
			if err != nil {
				return nil, err
			}
			list.Content = append(list.Content, node)
		}
		return list, nil
	case float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: decimal(value)}, nil
	}
	var node yaml.Node
	err := node.Encode(value)
	return &node, err
}

// decimal writes a number without an exponent: Python's YAML takes 2e-05 for a
// text.
func decimal(x float64) string {
	text := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
