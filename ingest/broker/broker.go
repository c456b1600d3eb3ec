// Package broker is the embedded Kafka broker: kfake over a folder of the
// lake, for one machine. It speaks Kafka's protocol, so whatever works with it
// works with a real cluster, and the reverse; use a real one for more than a
// small fleet.
//
// What it adds to kfake: a lock (kfake takes none, and two processes on one
// folder corrupt it), the lake's own cluster id, small segments and trimming
// (kfake reads every segment into memory when it opens), limits that fit
// weir's events, and a guard against frames that would crash it. Every
// acknowledged batch is fsynced; kfake ignores an error of that fsync.
//
// Start at Open. Address finds the broker of another process.
package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/weir-lake/weir/lake"
)

// Defaults of the embedded broker.
const (
	DefaultPartitions = 4
	// segmentBytes is the size at which a segment is rolled. kfake reads all
	// segments when it opens, and trimming drops whole segments only.
	segmentBytes = 16 << 20
)

// Options of Open. The zero value is a broker for this process alone.
type Options struct {
	Listen     string       // loopback host:port; empty: a free port of 127.0.0.1
	Partitions int          // of topics that do not exist yet; 0: DefaultPartitions
	Advertise  bool         // let other processes find the broker (weir broker)
	Logger     *slog.Logger // warnings of the broker; nil: none
}

// Broker is a running embedded broker. It holds the folder's lock until Close.
type Broker struct {
	cluster *kfake.Cluster
	lock    *lock
	dir     string
	addr    string
	id      string
	public  bool

	warnings *atomic.Int64
}

// Open starts the lake's broker on its data and creates the topics that are
// missing. The error is ErrInUse if another process has the folder.
func Open(ctx context.Context, lk *lake.Lake, opts Options) (_ *Broker, err error) {
	listen, err := listenAddress(opts.Listen)
	if err != nil {
		return nil, err
	}
	dir := lk.BrokerDir()
	held, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			held.release()
		}
	}()
	// Left behind by a process that was killed: the lock says it is gone.
	if err := os.Remove(addressFile(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("broker: %w", err)
	}

	warnings := new(atomic.Int64)
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID(lk.ClusterID()),
		kfake.DataDir(filepath.Join(dir, "data")),
		kfake.SyncWrites(),
		kfake.WithLogger(logger{opts.Logger, warnings}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := net.Listen(network, listen)
			if err != nil {
				return nil, err
			}
			return guarded{l}, nil
		}),
		kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes": strconv.Itoa(segmentBytes),
			"log.retention.ms":  "-1",
			"message.max.bytes": strconv.Itoa(MaxBatchBytes),
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("broker: open %s: %w", dir, err)
	}
	b := &Broker{cluster: cluster, lock: held, dir: dir, addr: cluster.ListenAddrs()[0], id: lk.ClusterID(), public: opts.Advertise, warnings: warnings}
	defer func() {
		if err != nil {
			cluster.Close()
		}
	}()

	partitions := opts.Partitions
	if partitions == 0 {
		partitions = DefaultPartitions
	}
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(b.addr), Transport: transport}
	if err := b.checkIdentity(ctx, client); err != nil {
		return nil, err
	}
	if err := CreateTopics(ctx, client, partitions, kafka.ConfigEntry{ConfigName: "segment.bytes", ConfigValue: strconv.Itoa(segmentBytes)}); err != nil {
		return nil, err
	}
	if err := unroll(ctx, b.addr); err != nil {
		return nil, err
	}
	if err := b.checkOffsets(ctx, lk); err != nil {
		return nil, err
	}
	if opts.Advertise {
		if err := advertise(dir, b.addr); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Addr is the broker's address, host:port.
func (b *Broker) Addr() string { return b.addr }

// ClusterID is the lake's own cluster id, under which its offsets are kept.
func (b *Broker) ClusterID() string { return b.id }

// Close stops the broker, writes its state and gives up the lock. It may be
// called more than once.
func (b *Broker) Close() error {
	b.cluster.Close()
	var err error
	if b.public {
		if err = os.Remove(addressFile(b.dir)); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	b.lock.release()
	return err
}

// checkIdentity refuses a folder that another lake's broker wrote: its offsets
// would be taken for ours.
func (b *Broker) checkIdentity(ctx context.Context, client *kafka.Client) error {
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	if meta.ClusterID != b.id {
		return lake.WithHint(
			fmt.Errorf("broker: %s holds the data of cluster %q, this lake's is %q", b.dir, meta.ClusterID, b.id),
			"a broker folder cannot move between lakes; remove it if its records are in its own lake")
	}
	return nil
}

// listenAddress admits loopback addresses only: the broker has no access
// control, and it advertises the address that it listens on.
func listenAddress(listen string) (string, error) {
	if listen == "" {
		return "127.0.0.1:0", nil
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("broker: listen address %q: %w", listen, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", lake.WithHint(
			fmt.Errorf("broker: listen address %q: not a loopback address", listen),
			"the embedded broker has no access control; use a real Kafka cluster across machines")
	}
	if host == "localhost" {
		host = "127.0.0.1" // one address, so that clients do not try ::1 first
	}
	return net.JoinHostPort(host, port), nil
}

// logger passes kfake's warnings on: they are the only sign of a write that
// did not reach the disk.
type logger struct {
	log   *slog.Logger // nil: they are only counted
	count *atomic.Int64
}

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn {
		return
	}
	l.count.Add(1)
	if l.log == nil {
		return
	}
	l.log.Warn("embedded broker: " + fmt.Sprintf(format, args...))
}
