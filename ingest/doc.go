// Package ingest brings events through Kafka into the lake: Producer sends
// them to the topics of their families, Sink turns topics into data files and
// commits. Native log formats are read by ingest/source and its neighbours;
// the embedded broker is ingest/broker. Start at Connect.
//
// # Exactly once
//
// The lake's own log says how far each partition of a topic was read: the
// commit that adds a batch's files also moves the partition's counter from the
// offset where the batch began to the offset where it ends, and is refused if
// the counter stands elsewhere. A crash, a second sink or one that was paused
// and wakes up can therefore lose that race and nothing else; whoever loses
// drops its batch and reads on from the log. Kafka's group offsets play no
// part in it.
//
// A topic may feed several tables: those of its family, and the dead letters.
// Tables are committed one by one, so each has a counter of its own, and the
// topic's first table is its primary one. A batch is committed to the others
// first, each from its own counter to the batch's end and only if it has rows
// there; to the primary table last, also if it has no rows there. The primary
// counter is thus never ahead of another table's rows, and reading starts from
// it. What a crash left committed elsewhere is read again and skipped, row by
// row, for the tables whose counters are already past it.
//
//	weir.dataset/0, batch 100–199      dataset_members   dataset_versions (primary)
//	before                             at 90             at 100
//	commit members: 90 → 200           at 200            at 100
//	crash; read again from 100: members below 200 are skipped, versions are not
//	commit versions: 100 → 200         at 200            at 200
//
// A record that makes no event becomes a row of events.dead_letters under the
// same rule, with its position. A record that is not there any more (deleted
// by retention, or a topic that was created anew) stops the sink with an error.
package ingest
