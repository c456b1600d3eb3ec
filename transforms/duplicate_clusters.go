package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

// alarmSize is how many different contents a cluster may have before a person
// must look: thousands that are "the same" are mostly a template.
const alarmSize = 200

// duplicateClusters makes curated.duplicate_clusters. It is a step in Go because
// whether an example survives depends on those that rank before it, one by one:
// SQL would need as many rounds as the longest chain.
//
// An example is dropped only against a survivor that it was compared with: of
// A~B~C with A unlike C, ranked in this order, A and C survive.
var duplicateClusters = derive.Step{
	Name: "curated.duplicate_clusters",
	Doc: "Clusters of duplicates, and who survives in each. A cluster of more than 200 different contents is an alarm: " +
		"its near duplicates all survive until a configuration event of kind duplicate_release names its cluster_id",
	Grain:   "one row per example that has a duplicate",
	Key:     []string{"example_id"},
	Inputs:  []string{"curated.duplicate_pairs", "curated.configs"},
	Version: "2",
	Columns: []lake.Column{
		{Name: "example_id", Type: lake.Varchar, Doc: "the example"},
		{Name: "cluster_id", Type: lake.Varchar, Doc: "least example id of the cluster: what accepted pairs connect"},
		{Name: "representative_id", Type: lake.Varchar, Doc: "the survivor that it was compared with; itself if it survives"},
		{Name: "cluster_size", Type: lake.BigInt, Doc: "examples of the cluster"},
		{Name: "is_representative", Type: lake.Boolean, Doc: "it survives"},
		{Name: "is_alarmed", Type: lake.Boolean, Doc: "the cluster is too large, and nobody has released it"},
	},
	Run: runDuplicateClusters,
}

func runDuplicateClusters(ctx context.Context, session *duck.Session, into string) error {
	released, err := session.Strings(ctx, "select distinct name from curated.configs where kind = 'duplicate_release' order by 1")
	if err != nil {
		return fmt.Errorf("curated.duplicate_clusters: %w", err)
	}
	pairs, err := readPairs(ctx, session)
	if err != nil {
		return fmt.Errorf("curated.duplicate_clusters: %w", err)
	}
	if err := session.Exec(ctx, "create table "+into+` (example_id varchar, cluster_id varchar, representative_id varchar,
		cluster_size bigint, is_representative boolean, is_alarmed boolean)`); err != nil {
		return err
	}
	insert := "insert into " + into + ` select row.id, row.cluster, row.kept, row.size, row.id = row.kept, row.alarm
		from (select unnest(from_json(?, '[{"id":"VARCHAR","cluster":"VARCHAR","kept":"VARCHAR","size":"BIGINT","alarm":"BOOLEAN"}]')) as row)`
	for batch := range slices.Chunk(clusters(pairs, released, alarmSize), writeBatch) {
		text, err := json.Marshal(batch)
		if err != nil {
			return err
		}
		if err := session.Exec(ctx, insert, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// duplicatePair says that right goes if left stays.
type duplicatePair struct {
	left, right string
	exact       bool
}

// readPairs gives the accepted pairs, the most alike first.
func readPairs(ctx context.Context, session *duck.Session) ([]duplicatePair, error) {
	rows, err := session.DB().QueryContext(ctx, `select left_id, right_id, kind is not distinct from 'exact' from curated.duplicate_pairs
		where accepted order by kind is distinct from 'exact', jaccard desc, left_id, right_id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var pairs []duplicatePair
	for rows.Next() {
		var p duplicatePair
		if err := rows.Scan(&p.left, &p.right, &p.exact); err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
	return pairs, rows.Err()
}

// clusterRow is one row of curated.duplicate_clusters.
type clusterRow struct {
	ID      string `json:"id"`
	Cluster string `json:"cluster"`
	Kept    string `json:"kept"`
	Size    int64  `json:"size"`
	Alarm   bool   `json:"alarm"`
}

// clusters gives the rows of every example in a pair, sorted by id. Pairs point
// from better to worse; of a row's survivors the one whose pair comes first counts.
func clusters(pairs []duplicatePair, released []string, alarm int) []clusterRow {
	var nodes forest
	for _, p := range pairs {
		nodes.join(nodes.add(p.left), nodes.add(p.right))
	}
	names := make([]string, len(nodes.parent))
	for name, node := range nodes.ids {
		names[node] = name
	}
	least := map[int32]string{}
	contents := map[int32]int{} // different contents of a cluster
	for node := range names {
		root := nodes.root(int32(node))
		contents[root]++
		if id, ok := least[root]; !ok || names[node] < id {
			least[root] = names[node]
		}
	}
	for _, p := range pairs {
		if p.exact { // each copy has one exact pair, with its survivor
			contents[nodes.root(nodes.ids[p.left])]--
		}
	}
	alarmed := func(node int32) bool {
		root := nodes.root(node)
		return contents[root] > alarm && !slices.Contains(released, least[root])
	}
	kept := survivors(&nodes, slices.DeleteFunc(slices.Clone(pairs), func(p duplicatePair) bool {
		return !p.exact && alarmed(nodes.ids[p.left])
	}))
	rows := make([]clusterRow, len(names))
	for node, name := range names {
		root := nodes.root(int32(node))
		rows[node] = clusterRow{ID: name, Cluster: least[root], Kept: names[kept[node]], Size: int64(nodes.size[root]), Alarm: alarmed(int32(node))}
	}
	slices.SortFunc(rows, func(a, b clusterRow) int { return strings.Compare(a.ID, b.ID) })
	return rows
}

// survivors gives for each node the survivor that it goes for, or itself. A node
// is decided once all that are better are.
func survivors(nodes *forest, pairs []duplicatePair) []int32 {
	worse := make([][]int32, len(nodes.parent)) // pairs by their better node
	waits := make([]int, len(nodes.parent))
	kept := make([]int32, len(nodes.parent))
	rank := make([]int, len(nodes.parent)) // of the pair that decided
	for node := range kept {
		kept[node], rank[node] = int32(node), len(pairs)
	}
	for i, p := range pairs {
		left, right := nodes.ids[p.left], nodes.ids[p.right]
		worse[left] = append(worse[left], int32(i))
		waits[right]++
	}
	var ready []int32
	for node, n := range waits {
		if n == 0 {
			ready = append(ready, int32(node))
		}
	}
	for len(ready) > 0 {
		node := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, i := range worse[node] {
			right := nodes.ids[pairs[i].right]
			if kept[node] == node && int(i) < rank[right] {
				kept[right], rank[right] = node, int(i)
			}
			if waits[right]--; waits[right] == 0 {
				ready = append(ready, right)
			}
		}
	}
	return kept
}
