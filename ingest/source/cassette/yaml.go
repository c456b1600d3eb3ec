package cassette

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// binaryKey marks a YAML !!binary scalar in the JSON that it becomes.
const binaryKey = "!!binary"

// converter writes YAML as JSON, keys in their order. Aliases are written out,
// so a few lines of YAML can stand for gigabytes: left bounds the output.
type converter struct {
	left  int
	depth int
}

var errTooMuch = errors.New("aliases stand for far more than the file holds")

func (c *converter) json(node *yaml.Node) ([]byte, error) {
	var b strings.Builder
	if err := c.write(&b, node); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

func (c *converter) write(b *strings.Builder, node *yaml.Node) error {
	if c.depth++; c.depth > 1000 {
		return errors.New("nested more than 1000 deep")
	}
	defer func() { c.depth-- }()
	if c.left -= len(node.Value) + 1; c.left < 0 {
		return errTooMuch
	}
	switch node.Kind {
	case yaml.AliasNode:
		return c.write(b, node.Alias)
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(node.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			key := node.Content[i]
			if key.Kind == yaml.AliasNode {
				key = key.Alias
			}
			b.Write(rawjson.Marshal(key.Value))
			b.WriteByte(':')
			if err := c.write(b, node.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, element := range node.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := c.write(b, element); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case yaml.ScalarNode:
		b.WriteString(scalar(node))
	default:
		return fmt.Errorf("line %d: unexpected YAML", node.Line)
	}
	return nil
}

// scalar writes a scalar. What is neither number, boolean nor null is text:
// JSON has no dates.
func scalar(node *yaml.Node) string {
	switch node.ShortTag() {
	case "!!null":
		return "null"
	case "!!bool":
		var value bool
		if node.Decode(&value) == nil {
			return strconv.FormatBool(value)
		}
	case "!!int", "!!float":
		if json.Valid([]byte(node.Value)) {
			return node.Value // digits as they were written
		}
		var number float64
		if node.Decode(&number) == nil {
			if text := rawjson.Marshal(number); text != nil {
				return string(text)
			}
			return "null" // .inf and .nan
		}
	case "!!binary":
		return `{"` + binaryKey + `":` + string(rawjson.Marshal(strings.Join(strings.Fields(node.Value), ""))) + `}`
	}
	return string(rawjson.Marshal(node.Value))
}
