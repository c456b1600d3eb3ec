package broker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-lake/weir/lake"
)

// Roll makes every partition of the broker at an address begin new files, so
// that trimming can delete all older ones: kfake trims whole files, and keeps the
// one that it writes to. Each partition that holds records gets one more, in a
// transaction that is aborted: no reader sees it, and offsets go on. A sink has to
// read past it before trimming does its work.
func Roll(ctx context.Context, addr string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.TransactionalID("weir-roll"), kgo.ProducerBatchMaxBytes(1<<20))
	if err != nil {
		return fmt.Errorf("broker: roll: %w", err)
	}
	defer client.Close()
	if err := roll(ctx, client); err != nil {
		return fmt.Errorf("broker: roll: %w", err)
	}
	return nil
}

// smallest is the least that Kafka lets a segment be: every batch gets its own.
const smallest = "14"

func roll(ctx context.Context, client *kgo.Client) error {
	meta := kmsg.NewPtrMetadataRequest()
	for _, topic := range lake.Topics() {
		one := kmsg.NewMetadataRequestTopic()
		one.Topic = kmsg.StringPtr(topic)
		meta.Topics = append(meta.Topics, one)
	}
	found, err := meta.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	ends, err := endOffsets(ctx, client, found)
	if err != nil {
		return err
	}
	var records []*kgo.Record
	var topics []string
	for _, topic := range found.Topics {
		for _, p := range topic.Partitions {
			if ends[topicPartition{*topic.Topic, p.Partition}] > 0 {
				records = append(records, &kgo.Record{Topic: *topic.Topic, Partition: p.Partition})
			}
		}
		topics = append(topics, *topic.Topic)
	}
	if len(records) == 0 {
		return nil
	}
	if err := setSegmentBytes(ctx, client, topics, smallest); err != nil {
		return err
	}
	err = abort(ctx, client, records)
	if again := setSegmentBytes(context.WithoutCancel(ctx), client, topics, fmt.Sprint(segmentBytes)); err == nil {
		err = again
	}
	return err
}

// unroll gives topics their segments back that a process left small when it was
// killed within a roll.
func unroll(ctx context.Context, addr string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	defer client.Close()
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, topic := range lake.Topics() {
		resource := kmsg.NewDescribeConfigsRequestResource()
		resource.ResourceType, resource.ResourceName, resource.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{"segment.bytes"}
		req.Resources = append(req.Resources, resource)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("broker: segment.bytes: %w", err)
	}
	var small []string
	for _, resource := range resp.Resources {
		for _, config := range resource.Configs {
			if config.Value != nil && *config.Value == smallest {
				small = append(small, resource.ResourceName)
			}
		}
	}
	if len(small) == 0 {
		return nil
	}
	return setSegmentBytes(ctx, client, small, fmt.Sprint(segmentBytes))
}

// abort writes records in a transaction that comes to nothing.
func abort(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	err := client.ProduceSync(ctx, records...).FirstErr()
	if end := client.EndTransaction(context.WithoutCancel(ctx), kgo.TryAbort); err == nil {
		err = end
	}
	return err
}

type topicPartition struct {
	topic     string
	partition int32
}

func endOffsets(ctx context.Context, client *kgo.Client, meta *kmsg.MetadataResponse) (map[topicPartition]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	for _, topic := range meta.Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return nil, fmt.Errorf("%s: %w", *topic.Topic, err)
		}
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = *topic.Topic
		for _, p := range topic.Partitions {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp = p.Partition, -1
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	ends := map[topicPartition]int64{}
	for _, shard := range client.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, topic := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range topic.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("%s/%d: %w", topic.Topic, p.Partition, err)
				}
				ends[topicPartition{topic.Topic, p.Partition}] = p.Offset
			}
		}
	}
	return ends, nil
}

func setSegmentBytes(ctx context.Context, client *kgo.Client, topics []string, value string) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	for _, topic := range topics {
		resource := kmsg.NewIncrementalAlterConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
		config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config.Name, config.Op, config.Value = "segment.bytes", kmsg.IncrementalAlterConfigOpSet, kmsg.StringPtr(value)
		resource.Configs = append(resource.Configs, config)
		req.Resources = append(req.Resources, resource)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, resource := range resp.Resources {
		if err := kerr.ErrorForCode(resource.ErrorCode); err != nil {
			return fmt.Errorf("%s: segment.bytes: %w", resource.ResourceName, err)
		}
	}
	return nil
}
