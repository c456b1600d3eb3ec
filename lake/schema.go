package lake

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrSchema: the columns of a commit do not extend those of the table.
var ErrSchema = errors.New("the columns do not extend the table's")

// Delta spells a schema as Spark's JSON. Field ids are kept under a key of our
// own: delta.columnMapping.id would promise a mapping mode that only newer
// readers know.
const (
	metaComment = "comment"
	metaFieldID = "weir.field_id"
)

type deltaStruct struct {
	Type   string       `json:"type"` // struct
	Fields []deltaField `json:"fields"`
}

type deltaField struct {
	Name     string          `json:"name"`
	Type     json.RawMessage `json:"type"` // a name, or an object for array and struct
	Nullable bool            `json:"nullable"`
	Metadata map[string]any  `json:"metadata"`
}

type deltaArray struct {
	Type         string          `json:"type"` // array
	ElementType  json.RawMessage `json:"elementType"`
	ContainsNull bool            `json:"containsNull"`
}

var deltaNames = map[Type]string{BigInt: "long", Double: "double", Varchar: "string", Boolean: "boolean", TimestampTZ: "timestamp"}

// deltaSchema gives columns as a schemaString.
func deltaSchema(columns []Column) (string, error) {
	text, err := json.Marshal(deltaFields(columns))
	return string(text), err
}

func deltaFields(columns []Column) deltaStruct {
	s := deltaStruct{Type: "struct", Fields: make([]deltaField, len(columns))}
	for i, column := range columns {
		metadata := map[string]any{}
		if column.Doc != "" {
			metadata[metaComment] = column.Doc
		}
		if column.FieldID != 0 {
			metadata[metaFieldID] = column.FieldID
		}
		s.Fields[i] = deltaField{Name: column.Name, Type: deltaType(column), Nullable: true, Metadata: metadata}
	}
	return s
}

func deltaType(column Column) json.RawMessage {
	var inner any = deltaNames[column.Type]
	if column.Type == Struct {
		inner = deltaFields(column.Fields)
	}
	text, _ := json.Marshal(inner) // strings and structs of strings cannot fail
	if column.List {
		text, _ = json.Marshal(deltaArray{Type: "array", ElementType: text, ContainsNull: true})
	}
	return text
}

// parseDeltaSchema reads a schemaString.
func parseDeltaSchema(text string) ([]Column, error) {
	var s deltaStruct
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return parseDeltaFields(s.Fields)
}

func parseDeltaFields(fields []deltaField) ([]Column, error) {
	columns := make([]Column, len(fields))
	for i, field := range fields {
		column := Column{Name: field.Name}
		column.Doc, _ = field.Metadata[metaComment].(string)
		if id, ok := field.Metadata[metaFieldID].(float64); ok {
			column.FieldID = int32(id)
		}
		if err := parseDeltaType(&column, field.Type); err != nil {
			return nil, fmt.Errorf("schema: column %s: %w", field.Name, err)
		}
		columns[i] = column
	}
	return columns, nil
}

func parseDeltaType(column *Column, text json.RawMessage) error {
	var name string
	if json.Unmarshal(text, &name) == nil {
		for t, delta := range deltaNames {
			if delta == name {
				column.Type = t
				return nil
			}
		}
		return fmt.Errorf("type %q is none of weir's", name)
	}
	var nested struct {
		Type        string          `json:"type"`
		ElementType json.RawMessage `json:"elementType"`
		Fields      []deltaField    `json:"fields"`
	}
	if err := json.Unmarshal(text, &nested); err != nil {
		return err
	}
	switch {
	case nested.Type == "array" && !column.List:
		column.List = true
		return parseDeltaType(column, nested.ElementType)
	case nested.Type == "struct":
		fields, err := parseDeltaFields(nested.Fields)
		column.Type, column.Fields = Struct, fields
		return err
	}
	return fmt.Errorf("type %q is none of weir's", nested.Type)
}

// checkColumns refuses what a Delta table or a Parquet file cannot hold.
func checkColumns(columns []Column) error {
	if len(columns) == 0 {
		return errors.New("no columns")
	}
	seen := map[string]bool{}
	for _, column := range columns {
		// Delta's names are unique whatever their case, and these characters
		// are refused by Spark.
		if column.Name == "" || strings.ContainsAny(column.Name, " ,;{}()\n\t=") {
			return fmt.Errorf("column name %q: empty, or with a character that Delta refuses", column.Name)
		}
		if key := strings.ToLower(column.Name); seen[key] {
			return fmt.Errorf("column %s: twice", column.Name)
		} else {
			seen[key] = true
		}
		if column.Type == Struct {
			if err := checkColumns(column.Fields); err != nil {
				return fmt.Errorf("column %s: %w", column.Name, err)
			}
		} else if deltaNames[column.Type] == "" {
			return fmt.Errorf("column %s: unknown type %q", column.Name, column.Type)
		}
	}
	return nil
}

// extendColumns merges the columns of a commit into those of the table: known
// ones keep their place, new ones follow. Columns with field ids may be missing
// from the commit, whose binary is older and whose files lack them. Comments are
// the commit's, unless its binary is older, or binaries of two releases would
// rewrite the metadata in turn.
func extendColumns(current, next []Column) ([]Column, error) {
	return mergeColumns(current, next, knowsAll(current, next))
}

// knowsAll tells whether no column of the table is missing at any level.
func knowsAll(current, next []Column) bool {
	byName := columnsByName(next)
	for _, old := range current {
		column, ok := byName[old.Name]
		if !ok || !knowsAll(old.Fields, column.Fields) {
			return false
		}
	}
	return true
}

func columnsByName(columns []Column) map[string]Column {
	byName := map[string]Column{}
	for _, column := range columns {
		byName[column.Name] = column
	}
	return byName
}

func mergeColumns(current, next []Column, takeDocs bool) ([]Column, error) {
	byName := columnsByName(next)
	taken := map[int32]string{}
	var merged []Column
	for _, old := range current {
		taken[old.FieldID] = old.Name
		column, ok := byName[old.Name]
		delete(byName, old.Name)
		switch {
		case !ok && old.FieldID == 0:
			// Without ids the files of a table must all have the same columns.
			return nil, fmt.Errorf("column %s is missing: %w", old.Name, ErrSchema)
		case !ok:
			merged = append(merged, old)
			continue
		case column.Type != old.Type || column.List != old.List:
			return nil, fmt.Errorf("column %s is %s, not %s: %w", old.Name, old.SQL(), column.SQL(), ErrSchema)
		case column.FieldID != old.FieldID:
			return nil, fmt.Errorf("column %s has field id %d, not %d: %w", old.Name, old.FieldID, column.FieldID, ErrSchema)
		}
		if column.Type == Struct {
			fields, err := mergeColumns(old.Fields, column.Fields, takeDocs)
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", old.Name, err)
			}
			column.Fields = fields
		}
		if !takeDocs {
			column.Doc = old.Doc
		}
		merged = append(merged, column)
	}
	for _, column := range next {
		if _, isNew := byName[column.Name]; !isNew {
			continue
		}
		if other, isTaken := taken[column.FieldID]; isTaken && column.FieldID != 0 {
			return nil, fmt.Errorf("column %s has field id %d, which is %s's: %w", column.Name, column.FieldID, other, ErrSchema)
		}
		merged = append(merged, column)
	}
	return merged, nil
}
