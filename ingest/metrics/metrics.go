// Package metrics shows what a running sink, OTLP receiver or embedded broker
// does: to Prometheus under /metrics, and under /healthz and /readyz to whatever
// looks after processes. It keeps numbers only and decides nothing. Start at New,
// NewReceiver or NewBroker, and Serve; docs/operations.md says what each number
// means and when to be woken.
package metrics

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/weir-lake/weir/ingest"
)

// DefaultFetchBound is the age of a topic's last answer from the cluster above
// which a sink is not ready. An idle topic is answered for twice a second.
const DefaultFetchBound = time.Minute

// Options of New. The zero value is usable.
type Options struct {
	FetchBound time.Duration    // see DefaultFetchBound; 0: that
	Clock      func() time.Time // nil: time.Now
}

func (o *Options) setDefaults() {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.FetchBound == 0 {
		o.FetchBound = DefaultFetchBound
	}
}

// Metrics is what is known of one sink. It is an ingest.Observer, and safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	clock    func() time.Time
	bound    time.Duration
	started  time.Time

	records, bytes, files, commits, lost, stale, stalls, fetchErrors *prometheus.CounterVec // by topic
	rows                                                             *prometheus.CounterVec // by table
	deadLetters                                                      *prometheus.CounterVec // by reason
	redactions                                                       *prometheus.CounterVec // by kind
	publications                                                     *prometheus.CounterVec // by result
	generations                                                      prometheus.Counter
	commitSeconds                                                    prometheus.Histogram
	offset, lag                                                      *prometheus.GaugeVec // by topic and partition

	mu        sync.Mutex
	topics    map[string]*topic
	committed time.Time // the last commit of any topic; zero: none
}

var _ ingest.Observer = (*Metrics)(nil)

// topic is what is known of the partitions that are read.
type topic struct {
	offsets map[int]int64 // in the lake
	ends    map[int]int64
	fetched time.Time // the last answer, or the assignment
}

// New is for one sink that starts now.
func New(opts Options) *Metrics {
	opts.setDefaults()
	m := &Metrics{registry: prometheus.NewRegistry(), clock: opts.Clock, bound: opts.FetchBound, topics: map[string]*topic{}}
	m.started = m.clock()

	m.records = m.counter("weir_sink_records_total", "Records of topics that are in the lake.", "topic")
	m.bytes = m.counter("weir_sink_bytes_total", "Bytes of their values, as sent.", "topic")
	m.files = m.counter("weir_sink_files_total", "Data files added.", "topic")
	m.commits = m.counter("weir_sink_commits_total", "Commits to tables.", "topic")
	m.lost = m.counter("weir_sink_lost_records_total", "Records of gaps that were accepted with --accept-gap.", "topic")
	m.stale = m.counter("weir_sink_stale_batches_total", "Batches dropped because another sink had committed them.", "topic")
	m.stalls = m.counter("weir_sink_stalls_total", "Times that connections were given up because nothing came though there was more.", "topic")
	m.fetchErrors = m.counter("weir_sink_fetch_errors_total", "Fetches that failed.", "topic")
	m.rows = m.counter("weir_sink_rows_total", "Rows added.", "table")
	m.deadLetters = m.counter("weir_sink_dead_letters_total", "Dead letters that the sink made.", "reason")
	m.redactions = m.counter("weir_redactions_total", "Secrets and personal data replaced.", "kind")
	m.publications = m.counter("weir_catalog_publications_total", "Attempts to publish catalog and current/.", "result")
	m.generations = prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_sink_generations_total", Help: "Times that the group gave out its partitions."})
	m.commitSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "weir_sink_commit_seconds", Help: "From the end of a batch's reading to its last commit.",
		Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60},
	})
	m.offset = m.gauge("weir_sink_offset", "Next offset to read, by the lake's log.")
	m.lag = m.gauge("weir_sink_lag", "Records of a partition that are not in the lake.")
	m.registry.MustRegister(m.generations, m.commitSeconds,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "weir_sink_last_commit_age_seconds", Help: "Since the last commit of any topic, or since the start."}, m.commitAge),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "weir_sink_assigned_partitions", Help: "Partitions that this sink reads."}, m.assigned))
	registerProcess(m.registry)
	return m
}

// registerProcess adds what Go and the system know of the process.
func registerProcess(registry *prometheus.Registry) {
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

func (m *Metrics) counter(name, help, label string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) gauge(name, help string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"topic", "partition"})
	m.registry.MustRegister(g)
	return g
}

// Generation counts rebalances.
func (m *Metrics) Generation(int32) { m.generations.Inc() }

// Assigned forgets the partitions of a topic that are no longer read.
func (m *Metrics) Assigned(name string, offsets map[int]int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offset.DeletePartialMatch(prometheus.Labels{"topic": name})
	m.lag.DeletePartialMatch(prometheus.Labels{"topic": name})
	t := &topic{offsets: map[int]int64{}, ends: map[int]int64{}, fetched: m.clock()}
	m.topics[name] = t
	for partition, at := range offsets {
		t.offsets[partition] = at
		m.offset.WithLabelValues(name, strconv.Itoa(partition)).Set(float64(at))
	}
}

// Fetched notes that the cluster answers.
func (m *Metrics) Fetched(name string, err error) {
	if err != nil {
		m.fetchErrors.WithLabelValues(name).Inc()
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.topics[name]; t != nil {
		t.fetched = m.clock()
	}
}

// Read notes where a partition ends.
func (m *Metrics) Read(name string, partition int, _, end int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.topics[name]; t != nil {
		t.ends[partition] = end
		m.showLag(name, t, partition)
	}
}

// showLag is called with mu held.
func (m *Metrics) showLag(name string, t *topic, partition int) {
	end, known := t.ends[partition]
	at, read := t.offsets[partition]
	if known && read {
		m.lag.WithLabelValues(name, strconv.Itoa(partition)).Set(float64(max(0, end-at)))
	}
}

// Committed counts what a batch brought.
func (m *Metrics) Committed(name string, took time.Duration, report ingest.SinkReport, next map[int]int64) {
	m.commitSeconds.Observe(took.Seconds())
	add(m.records, name, report.Records)
	add(m.bytes, name, report.Bytes)
	add(m.files, name, report.Files)
	add(m.commits, name, report.Commits)
	add(m.lost, name, report.Lost)
	for table, n := range report.Rows {
		add(m.rows, table, n)
	}
	for reason, n := range report.DeadLetters {
		add(m.deadLetters, reason, n)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.committed = m.clock()
	t := m.topics[name]
	if t == nil {
		return
	}
	for partition, at := range next {
		if _, read := t.offsets[partition]; read {
			t.offsets[partition] = at
			m.offset.WithLabelValues(name, strconv.Itoa(partition)).Set(float64(at))
			m.showLag(name, t, partition)
		}
	}
}

// add shows a counter also where it stands at 0: a rate over what is absent is
// nothing, not 0.
func add(c *prometheus.CounterVec, label string, n int64) { c.WithLabelValues(label).Add(float64(n)) }

// Stale counts lost races.
func (m *Metrics) Stale(name string) { m.stale.WithLabelValues(name).Inc() }

// Stalled counts connections that were given up.
func (m *Metrics) Stalled(name string) { m.stalls.WithLabelValues(name).Inc() }

// Redacted counts what was replaced, by kind.
func (m *Metrics) Redacted(kind string, n int64) { add(m.redactions, kind, n) }

// Published counts attempts to publish the catalog.
func (m *Metrics) Published(err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.publications.WithLabelValues(result).Inc()
}

func (m *Metrics) commitAge() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := m.committed
	if since.IsZero() {
		since = m.started
	}
	return m.clock().Sub(since).Seconds()
}

func (m *Metrics) assigned() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, t := range m.topics {
		n += len(t.offsets)
	}
	return float64(n)
}

// unready tells why the sink is not ready; nil if it is. A member of a group
// with more sinks than partitions is ready without any.
func (m *Metrics) unready() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.topics) == 0 {
		return []string{"no partitions are assigned yet"}
	}
	var reasons []string
	for name, t := range m.topics {
		if age := m.clock().Sub(t.fetched); len(t.offsets) > 0 && age > m.bound {
			reasons = append(reasons, fmt.Sprintf("%s: no answer from the cluster for %v", name, age.Round(time.Second)))
		}
	}
	return reasons
}
