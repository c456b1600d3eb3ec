package erasure

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Records are records of a Kafka that is not the lake's own, which held rows
// that were taken out: offsets From to To of a partition, both among them.
type Records struct {
	Cluster   string `json:"cluster"`
	Topic     string `json:"topic"`
	Partition int64  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
}

// records adds where the rows found, and the lists to be shortened, stand in
// another Kafka.
func (m *match) records(ctx context.Context, lk *lake.Lake, p *plan) error {
	var places string
	for i, table := range append(tables(), deadLetters, datasetMembers) {
		if i > 0 {
			places += " union "
		}
		places += fmt.Sprintf("select kafka_cluster, kafka_topic, kafka_partition, kafka_offset from %s where kafka_cluster <> %s and (%s)",
			table, duck.Literal(lk.ClusterID()), m.condition(table))
	}
	// Offsets in a row keep their distance from their number.
	rows, err := m.session.DB().QueryContext(ctx, `
		select kafka_cluster, kafka_topic, kafka_partition, min(kafka_offset), max(kafka_offset)
		from (select *, kafka_offset - row_number() over (partition by kafka_cluster, kafka_topic, kafka_partition order by kafka_offset) as island from (`+places+`))
		group by kafka_cluster, kafka_topic, kafka_partition, island`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r Records
		if err := rows.Scan(&r.Cluster, &r.Topic, &r.Partition, &r.From, &r.To); err != nil {
			return err
		}
		p.Records = append(p.Records, r)
	}
	p.Records = merged(p.Records)
	return rows.Err()
}

// merged sorts ranges and joins those that touch.
func merged(list []Records) []Records {
	slices.SortFunc(list, func(a, b Records) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.From, b.From))
	})
	out := list[:0]
	for _, r := range list {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if last.Cluster == r.Cluster && last.Topic == r.Topic && last.Partition == r.Partition && r.From <= last.To+1 {
				last.To = max(last.To, r.To)
				continue
			}
		}
		out = append(out, r)
	}
	return out
}
