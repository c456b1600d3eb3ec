package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-lake/weir/lake"
)

// MaxBatchBytes is the largest batch that a topic takes: one event of the
// largest size that does not compress, with its key and the batch's header.
const MaxBatchBytes = lake.MaxEventBytes + 1<<20

// CreateTopics creates those topics of weir that a cluster lacks: kept for
// ever, with room for the largest event, and the extra settings given. Topics
// that exist are left as they are.
func CreateTopics(ctx context.Context, client *kafka.Client, partitions int, extra ...kafka.ConfigEntry) error {
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	var missing []kafka.TopicConfig
	for _, topic := range lake.Topics() {
		if slices.ContainsFunc(meta.Topics, func(t kafka.Topic) bool { return t.Name == topic && t.Error == nil }) {
			continue
		}
		missing = append(missing, kafka.TopicConfig{
			Topic:             topic,
			NumPartitions:     partitions,
			ReplicationFactor: -1, // the cluster's default
			ConfigEntries: append([]kafka.ConfigEntry{
				{ConfigName: "cleanup.policy", ConfigValue: "delete"},
				{ConfigName: "retention.ms", ConfigValue: "-1"},
				{ConfigName: "retention.bytes", ConfigValue: "-1"},
				{ConfigName: "max.message.bytes", ConfigValue: strconv.Itoa(MaxBatchBytes)},
			}, extra...),
		})
	}
	if len(missing) == 0 {
		return nil
	}
	created, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: missing})
	if err != nil {
		return fmt.Errorf("topics: create: %w", err)
	}
	for _, topic := range missing { // in order: the first error is the same one each time
		// Another process may have been quicker.
		if err := created.Errors[topic.Topic]; err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return fmt.Errorf("topics: create %s: %w", topic.Topic, err)
		}
	}
	return nil
}

// Trimmer deletes records of an embedded broker that are safe in the lake.
type Trimmer struct{ client *kgo.Client }

// NewTrimmer is for the broker at an address. It connects when it is used.
func NewTrimmer(addr string) (*Trimmer, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return nil, fmt.Errorf("broker: trim: %w", err)
	}
	return &Trimmer{client}, nil
}

// Close closes the connections.
func (t *Trimmer) Close() { t.client.Close() }

// Trim deletes the records below the lake's offsets, by topic and partition,
// except the last one of each: with no batch left kfake forgets where the log
// ended when it is killed, and starts again at offset 0.
func (t *Trimmer) Trim(ctx context.Context, offsets map[string]map[int]int64) error {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 10_000
	for topic, partitions := range offsets {
		rt := kmsg.NewDeleteRecordsRequestTopic()
		rt.Topic = topic
		for partition, offset := range partitions {
			if offset < 2 {
				continue
			}
			rp := kmsg.NewDeleteRecordsRequestTopicPartition()
			rp.Partition, rp.Offset = int32(partition), offset-1
			rt.Partitions = append(rt.Partitions, rp)
		}
		if len(rt.Partitions) > 0 {
			req.Topics = append(req.Topics, rt)
		}
	}
	if len(req.Topics) == 0 {
		return nil
	}
	resp, err := req.RequestWith(ctx, t.client)
	if err != nil {
		return fmt.Errorf("broker: trim: %w", err)
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			err := kerr.ErrorForCode(p.ErrorCode)
			// Out of range: trimmed further before.
			if err != nil && !errors.Is(err, kerr.OffsetOutOfRange) {
				return fmt.Errorf("broker: trim %s/%d: %w", topic.Topic, p.Partition, err)
			}
		}
	}
	return nil
}
