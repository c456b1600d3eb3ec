package lake

import "context"

// Position is where an event landed: the record's place in its topic.
type Position struct {
	Cluster   string
	Topic     string
	Partition int
	Offset    int64
}

// Appender takes events towards the lake. The ingest package implements it
// over Kafka and cmd wires it, so that nobody else imports the Kafka client.
type Appender interface {
	// Append queues events. It may block for back-pressure. Events of one
	// subject stay in the order of the calls.
	Append(ctx context.Context, events ...Event) error
	// Flush waits until everything appended is acknowledged by the broker and
	// returns the next offset of each partition that was written.
	Flush(ctx context.Context) ([]Position, error)
}
