package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/lake"
)

// ConnOptions of Connect. The zero value uses the lake's own broker.
type ConnOptions struct {
	Brokers    []string     // bootstrap addresses, host:port; none: the embedded broker
	Security   Security     // of the cluster at Brokers
	Partitions int          // of topics that do not exist yet; 0: broker.DefaultPartitions
	Logger     *slog.Logger // warnings of the embedded broker; nil: none
	// KeepRecords leaves the records of the embedded broker where they are: who
	// reads them is not the lake's own sink.
	KeepRecords bool
	// Clock gives the time that records are stamped with, which is when they
	// were appended and not when their events happened. Nil: time.Now.
	Clock func() time.Time
}

// Conn is a connection to the cluster that a lake's events go through. It is
// safe for concurrent use.
type Conn struct {
	clusterID string
	clock     func() time.Time
	brokers   []string // bootstrap addresses
	secured   secured
	current   atomic.Pointer[kafka.Client]
	patience  time.Duration   // see fetchPatience
	own       *broker.Broker  // runs in this process
	trimmer   *broker.Trimmer // of the lake's embedded broker, wherever it runs
}

// requestTimeout bounds a request to the cluster: a broker that takes requests
// and does not answer is as good as gone.
const requestTimeout = time.Minute

// metadataTTL is how long the places of partitions are believed: a leader that
// has moved is found after that.
const metadataTTL = 2 * time.Second

// Connect finds the lake's broker: the cluster at opts.Brokers if there are
// any, else the `weir broker` process of the lake if one runs, else the
// embedded broker in this process. It creates the topics that are missing.
// The error wraps broker.ErrInUse if another command has the embedded broker.
func Connect(ctx context.Context, lk *lake.Lake, opts ConnOptions) (_ *Conn, err error) {
	c := &Conn{clock: opts.Clock, patience: fetchPatience}
	if c.clock == nil {
		c.clock = time.Now
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	c.brokers = opts.Brokers
	if len(c.brokers) > 0 {
		if c.secured, err = opts.Security.load(); err != nil {
			return nil, fmt.Errorf("kafka: %w", err)
		}
	} else {
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
		c.brokers = []string{addr}
	}

	c.renew()
	meta, err := c.client().Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		return nil, c.explain(fmt.Errorf("kafka: connect to %s: %w", strings.Join(c.brokers, ","), err))
	}
	if c.clusterID = meta.ClusterID; c.clusterID == "" {
		return nil, fmt.Errorf("kafka: %s: the cluster has no id; weir needs Kafka 0.10.1 or later", strings.Join(c.brokers, ","))
	}
	partitions := opts.Partitions
	if partitions == 0 {
		partitions = broker.DefaultPartitions
	}
	if c.embedded(lk) {
		// The broker created its topics itself.
		if opts.KeepRecords {
			return c, nil
		}
		if c.trimmer, err = broker.NewTrimmer(c.brokers[0]); err != nil {
			return nil, err
		}
	} else if err := broker.CreateTopics(ctx, c.client(), partitions); err != nil {
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
	if client := c.current.Load(); client != nil {
		client.Transport.(*kafka.Transport).CloseIdleConnections()
	}
	if c.own != nil {
		return c.own.Close()
	}
	return nil
}

// client talks to the cluster.
func (c *Conn) client() *kafka.Client { return c.current.Load() }

// renew begins again with new connections and nothing remembered of where the
// cluster's partitions are. Requests under way end as they do.
func (c *Conn) renew() {
	before := c.current.Swap(&kafka.Client{
		Addr:    kafka.TCP(c.brokers...),
		Timeout: requestTimeout,
		Transport: &kafka.Transport{
			ClientID:       "weir",
			MetadataTopics: lake.Topics(),
			MetadataTTL:    metadataTTL,
			TLS:            c.secured.tls,
			SASL:           c.secured.sasl,
		},
	})
	if before != nil {
		before.Transport.(*kafka.Transport).CloseIdleConnections()
	}
}

// Roll makes the lake's embedded broker begin new files, so that a sink that
// drains it afterwards empties it of all older records. It gives false, and does
// nothing, where the cluster is another one.
func (c *Conn) Roll(ctx context.Context) (bool, error) {
	if c.trimmer == nil {
		return false, nil
	}
	return true, broker.Roll(ctx, c.brokers[0])
}

// embedded tells whether the cluster is the lake's own broker, in this process
// or another, also when it was named by --brokers.
func (c *Conn) embedded(lk *lake.Lake) bool { return c.clusterID == lk.ClusterID() }

// partitionCounts asks how many partitions each of the topics has. Topics that
// do not exist are left out.
func (c *Conn) partitionCounts(ctx context.Context, topics []string) (map[string]int, error) {
	meta, err := c.client().Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
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
