package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/lake"
)

// ConnOptions of Connect. The zero value uses the lake's own broker.
type ConnOptions struct {
	Brokers    []string     // bootstrap addresses, host:port; none: the embedded broker
	Partitions int          // of topics that do not exist yet; 0: broker.DefaultPartitions
	Logger     *slog.Logger // warnings of the embedded broker; nil: none
	// Clock gives the time that records are stamped with, which is when they
	// were appended and not when their events happened. Nil: time.Now.
	Clock func() time.Time
}

// Conn is a connection to the cluster that a lake's events go through. It is
// safe for concurrent use.
type Conn struct {
	clusterID string
	clock     func() time.Time
	client    *kafka.Client
	transport *kafka.Transport
	own       *broker.Broker  // runs in this process
	trimmer   *broker.Trimmer // of the lake's embedded broker, wherever it runs
}

// Connect finds the lake's broker: the cluster at opts.Brokers if there are
// any, else the `weir broker` process of the lake if one runs, else the
// embedded broker in this process. It creates the topics that are missing.
// The error wraps broker.ErrInUse if another command has the embedded broker.
func Connect(ctx context.Context, lk *lake.Lake, opts ConnOptions) (_ *Conn, err error) {
	c := &Conn{clock: opts.Clock}
	if c.clock == nil {
		c.clock = time.Now
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	brokers := opts.Brokers
	if len(brokers) == 0 {
		addr, err := broker.Address(ctx, lk)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			c.own, err = broker.Open(ctx, lk, broker.Options{Partitions: opts.Partitions, Logger: opts.Logger})
			if err != nil {
				return nil, err
			}
			addr = c.own.Addr()
		case err != nil:
			return nil, err
		}
		brokers = []string{addr}
	}

	c.transport = &kafka.Transport{
		ClientID:       "weir",
		MetadataTopics: lake.Topics(),
	}
	c.client = &kafka.Client{Addr: kafka.TCP(brokers...), Transport: c.transport}
	meta, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		return nil, lake.WithHint(
			fmt.Errorf("kafka: connect to %s: %w", strings.Join(brokers, ","), err),
			"check --brokers, and that the cluster is up")
	}
	if c.clusterID = meta.ClusterID; c.clusterID == "" {
		return nil, fmt.Errorf("kafka: %s: the cluster has no id; weir needs Kafka 0.10.1 or later", strings.Join(brokers, ","))
	}
	partitions := opts.Partitions
	if partitions == 0 {
		partitions = broker.DefaultPartitions
	}
	if c.embedded(lk) {
		// The broker created its topics itself.
		if c.trimmer, err = broker.NewTrimmer(brokers[0]); err != nil {
			return nil, err
		}
	} else if err := broker.CreateTopics(ctx, c.client, partitions); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return c, nil
}

// ClusterID names the cluster. Offsets are kept under it: another cluster's
// offsets are other offsets.
func (c *Conn) ClusterID() string { return c.clusterID }

// Close closes the connections, and the embedded broker if it runs in this
// process.
func (c *Conn) Close() error {
	if c.trimmer != nil {
		c.trimmer.Close()
	}
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
	if c.own != nil {
		return c.own.Close()
	}
	return nil
}

// embedded tells whether the cluster is the lake's own broker, in this process
// or another, also when it was named by --brokers.
func (c *Conn) embedded(lk *lake.Lake) bool { return c.clusterID == lk.ClusterID() }

// partitionCounts asks how many partitions each of the topics has. Topics that
// do not exist are left out.
func (c *Conn) partitionCounts(ctx context.Context, topics []string) (map[string]int, error) {
	meta, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	counts := map[string]int{}
	for _, topic := range meta.Topics {
		if topic.Error == nil {
			counts[topic.Name] = len(topic.Partitions)
		}
	}
	return counts, nil
}
