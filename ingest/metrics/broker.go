package metrics

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/lake"
)

// Broker is what is known of an embedded broker. Each request for it asks the
// broker, and the lake's log for how much has been taken in.
type Broker struct {
	registry *prometheus.Registry
	broker   *broker.Broker
	lake     *lake.Lake
	clock    func() time.Time
	started  time.Time

	end, waiting, bytes, age, warnings *prometheus.Desc
}

// NewBroker is for a broker that is open.
func NewBroker(b *broker.Broker, lk *lake.Lake, opts Options) *Broker {
	opts.setDefaults()
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	m := &Broker{
		registry: prometheus.NewRegistry(), broker: b, lake: lk, clock: opts.Clock, started: opts.Clock(),
		end:      desc("weir_broker_records_total", "Records that a partition was given: its end offset.", "topic", "partition"),
		waiting:  desc("weir_broker_waiting_records", "Records of a topic that are not in the lake.", "topic"),
		bytes:    desc("weir_broker_bytes", "Bytes that the broker holds of a topic.", "topic"),
		age:      desc("weir_broker_last_produce_age_seconds", "Since the youngest record was sent, or since the start."),
		warnings: desc("weir_broker_warnings_total", "Warnings of the broker, such as of a write that failed."),
	}
	registerProcess(m.registry)
	m.registry.MustRegister(m)
	return m
}

// Describe implements prometheus.Collector.
func (m *Broker) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{m.end, m.waiting, m.bytes, m.age, m.warnings} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (m *Broker) Collect(to chan<- prometheus.Metric) {
	stats := m.broker.Stats()
	to <- prometheus.MustNewConstMetric(m.warnings, prometheus.CounterValue, float64(stats.Warnings))
	last := m.started
	bytes := map[string]int64{}
	for _, p := range stats.Partitions {
		to <- prometheus.MustNewConstMetric(m.end, prometheus.CounterValue, float64(p.End), p.Topic, strconv.Itoa(p.Partition))
		bytes[p.Topic] += p.Bytes
		if p.LastRecord.After(last) {
			last = p.LastRecord
		}
	}
	to <- prometheus.MustNewConstMetric(m.age, prometheus.GaugeValue, max(0, m.clock().Sub(last).Seconds()))
	for topic, n := range bytes {
		to <- prometheus.MustNewConstMetric(m.bytes, prometheus.GaugeValue, float64(n), topic)
		waiting, err := m.waitingOf(topic, stats)
		if err != nil {
			to <- prometheus.NewInvalidMetric(m.waiting, err)
			continue
		}
		to <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(waiting), topic)
	}
}

// waitingOf compares a topic's ends with the offsets in its primary table.
func (m *Broker) waitingOf(topic string, stats broker.Stats) (int64, error) {
	next := map[string]int64{}
	for _, payload := range lake.Payloads() {
		if payload.Topic() != topic {
			continue
		}
		table, err := m.lake.Table(payload.Table)
		if err != nil {
			return 0, err
		}
		head, err := table.Snapshot(context.Background())
		if err == nil {
			next = head.Txns
		} else if !errors.Is(err, lake.ErrNoTable) {
			return 0, err
		}
		break
	}
	var waiting int64
	for _, p := range stats.Partitions {
		if p.Topic == topic {
			// What was deleted before it was read is a loss, which the sink tells of.
			waiting += max(0, p.End-max(p.Start, next[lake.TxnAppID(m.broker.ClusterID(), topic, p.Partition)]))
		}
	}
	return waiting, nil
}

// Handler answers /metrics, /healthz and /readyz as Metrics.Handler does. A
// broker that is open is ready.
func (m *Broker) Handler() http.Handler {
	return handler(m.registry, func() (bool, any) {
		r := Readiness{Ready: true, Reasons: []string{}, Partitions: map[string][]int{}, UptimeSeconds: m.clock().Sub(m.started).Seconds()}
		for _, p := range m.broker.Stats().Partitions {
			r.Partitions[p.Topic] = append(r.Partitions[p.Topic], p.Partition)
		}
		return true, r
	})
}
