package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

// splitGroups makes curated.split_groups: the connected components of
// curated.group_edges. It is a step in Go because union-find takes seconds for
// a million edges where recursive SQL takes minutes, or does not end on a chain.
var splitGroups = derive.Step{
	Name:    "curated.split_groups",
	Doc:     "Groups of examples that are tied to each other, however far apart",
	Grain:   "one row per example",
	Key:     []string{"example_id"},
	Inputs:  []string{"curated.group_edges"},
	Version: "1",
	Columns: []lake.Column{
		{Name: "example_id", Type: lake.Varchar, Doc: "example"},
		{Name: "group_id", Type: lake.Varchar, Doc: "least example id of the group"},
	},
	Run: runSplitGroups,
}

func runSplitGroups(ctx context.Context, session *duck.Session, into string) error {
	groups, err := readGroups(ctx, session)
	if err != nil {
		return fmt.Errorf("curated.split_groups: %w", err)
	}
	if err := session.Exec(ctx, "create table "+into+" (example_id varchar, group_id varchar)"); err != nil {
		return err
	}
	return writeGroups(ctx, session, into, groups)
}

// readGroups gives each example, sorted, with its group's least example.
func readGroups(ctx context.Context, session *duck.Session) ([][2]string, error) {
	rows, err := session.DB().QueryContext(ctx, "select left_id, right_id from curated.group_edges")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var nodes forest
	examples := map[string]int32{}
	for rows.Next() {
		var example, knot string
		if err := rows.Scan(&example, &knot); err != nil {
			return nil, err
		}
		left := nodes.add(example)
		examples[example] = left
		nodes.join(left, nodes.add(knot))
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	least := map[int32]string{}
	for example, node := range examples {
		root := nodes.root(node)
		if id, ok := least[root]; !ok || example < id {
			least[root] = example
		}
	}
	groups := make([][2]string, 0, len(examples))
	for example, node := range examples {
		groups = append(groups, [2]string{example, least[nodes.root(node)]})
	}
	slices.SortFunc(groups, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return groups, nil
}

// writeBatch bounds the JSON text that one insert carries.
const writeBatch = 20_000

func writeGroups(ctx context.Context, session *duck.Session, into string, groups [][2]string) error {
	for batch := range slices.Chunk(groups, writeBatch) {
		text, err := json.Marshal(batch)
		if err != nil {
			return err
		}
		insert := "insert into " + into + ` select pair[1], pair[2] from (select unnest(from_json(?, '[["VARCHAR"]]')) as pair)`
		if err := session.Exec(ctx, insert, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// forest is union-find over names. The zero value is empty.
type forest struct {
	ids    map[string]int32
	parent []int32
	size   []int32
}

// add gives a name's node, a new one of its own if the name is new.
func (f *forest) add(name string) int32 {
	if id, ok := f.ids[name]; ok {
		return id
	}
	if f.ids == nil {
		f.ids = map[string]int32{}
	}
	id := int32(len(f.parent))
	f.ids[name] = id
	f.parent = append(f.parent, id)
	f.size = append(f.size, 1)
	return id
}

func (f *forest) root(node int32) int32 {
	for f.parent[node] != node {
		f.parent[node] = f.parent[f.parent[node]] // halve the path
		node = f.parent[node]
	}
	return node
}

func (f *forest) join(a, b int32) {
	a, b = f.root(a), f.root(b)
	if a == b {
		return
	}
	if f.size[a] < f.size[b] {
		a, b = b, a
	}
	f.parent[b] = a
	f.size[a] += f.size[b]
}
