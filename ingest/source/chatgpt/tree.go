package chatgpt

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// branching is a node of the tree as the export has it.
type branching struct {
	Parent   *string         `json:"parent"`
	Children []string        `json:"children"`
	Message  json.RawMessage `json:"message"`

	key string // in the mapping
}

// tree is the mapping with its links in order. Siblings stand from the oldest
// to the youngest, so that what a later export adds does not move what an
// earlier one had.
type tree struct {
	nodes map[string]*branching
	below map[string][]*branching // children by parent; of "" those that have none
}

func plant(mapping map[string]*branching) tree {
	t := tree{nodes: map[string]*branching{}, below: map[string][]*branching{}}
	rank := map[string]int{} // among its siblings, as the parent lists them
	for key, n := range mapping {
		if n == nil {
			continue
		}
		n.key = key
		t.nodes[key] = n
		for i, child := range n.Children {
			rank[child] = i + 1
		}
	}
	// The links up count: a list of children may lack some.
	for key, n := range t.nodes {
		parent := ""
		if n.Parent != nil && t.nodes[*n.Parent] != nil && *n.Parent != key {
			parent = *n.Parent
		}
		t.below[parent] = append(t.below[parent], n)
	}
	for _, siblings := range t.below {
		slices.SortFunc(siblings, func(a, b *branching) int {
			listed := func(n *branching) int { return cmp.Or(rank[n.key], len(t.nodes)+1) }
			return cmp.Or(cmp.Compare(listed(a), listed(b)), a.time().Compare(b.time()), cmp.Compare(a.key, b.key))
		})
	}
	return t
}

func (n *branching) time() time.Time { return rawjson.Parse(n.Message).Time("create_time") }

// place is what a message needs of the path above it.
type place struct {
	conversation string
	parent       string    // latest message above
	depth        int64     // messages above
	at           time.Time // of the latest above
	last         time.Time // running maximum
	response     string    // model output that an assistant's message goes on with
	call, tool   string    // call that waits for its result, and of which tool
}

// walk goes through a tree, each path from its root.
type walk struct {
	out    source.Out
	record source.Record
	id     string
	start  time.Time
	tree   tree
}

// all visits every node. The oldest child goes on with the conversation of its
// parent; each younger one, a regenerated answer or an edited question, begins a
// conversation of its own under the same subject, whose first message has its
// parent in the older one.
func (w *walk) all() error {
	type visit struct {
		n     *branching
		above place
	}
	seen := map[string]bool{}
	var todo []visit // a stack, the next on top
	push := func(siblings []*branching, above place) {
		for i, n := range slices.Backward(siblings) {
			below := above
			if n.Parent != nil && w.tree.nodes[*n.Parent] == nil {
				below.parent = *n.Parent // cut off from what it answers
			}
			if i > 0 {
				below.conversation = w.id + "/branch-" + n.key
			}
			todo = append(todo, visit{n, below})
		}
	}
	run := func() error {
		for len(todo) > 0 {
			next := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if seen[next.n.key] {
				continue
			}
			seen[next.n.key] = true
			below, err := w.visit(next.n, next.above)
			if err != nil {
				return err
			}
			push(w.tree.below[next.n.key], below)
		}
		return nil
	}
	root := place{conversation: w.id, at: w.start, last: w.start}
	push(w.tree.below[""], root)
	if err := run(); err != nil {
		return err
	}
	// What is left hangs together in rings, which no export should have.
	for _, key := range slices.Sorted(maps.Keys(w.tree.nodes)) {
		if !seen[key] {
			todo = append(todo, visit{w.tree.nodes[key], place{conversation: w.id + "/branch-" + key, at: w.start, last: w.start}})
			if err := run(); err != nil {
				return err
			}
		}
	}
	return nil
}

// visit emits a node's message and returns the place below it.
func (w *walk) visit(n *branching, p place) (place, error) {
	if len(n.Message) == 0 || string(n.Message) == "null" {
		return p, nil // the root of the tree
	}
	reject := func(reason, detail string) (place, error) {
		return p, w.out.Reject(source.Reject{
			Reason: reason, Detail: "mapping." + n.key + ": " + detail, Line: w.record.Line, Record: w.record.Ordinal,
			Body: n.Message, Length: int64(len(n.Message)),
		})
	}
	o := rawjson.Parse(n.Message)
	if o == nil {
		return reject(source.ReasonWrongType, "message: no object")
	}
	at := o.Time("create_time")
	if at.IsZero() {
		at = p.at
	}
	m, fault := message(o, n.key, &p)
	if fault != "" {
		return reject(source.ReasonUnknownType, fault)
	}
	if m == nil {
		return p, nil
	}
	if at.After(p.last) {
		p.last = at
	}
	p.at = at
	m.ConversationID, m.MessageID, m.ParentID = p.conversation, n.key, p.parent
	m.Position, m.OrderedAt = p.depth, p.last
	p.depth++
	p.parent = n.key
	return p, w.emit(eventID(w.id, n.key), at, native(o), m)
}
