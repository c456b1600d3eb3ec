package metrics

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-lake/weir/ingest/otlp"
)

// Receiver is what is known of an OTLP receiver, and of the sink that may run
// beside it in the process.
type Receiver struct {
	registry *prometheus.Registry
	receiver *otlp.Receiver
	sink     *Metrics // nil: none
	clock    func() time.Time
	bound    time.Duration
	started  time.Time
}

// NewReceiver is for one receiver that starts now. sink, which may be nil, is
// shown together with it.
func NewReceiver(receiver *otlp.Receiver, sink *Metrics, opts Options) *Receiver {
	opts.setDefaults()
	m := &Receiver{registry: prometheus.NewRegistry(), receiver: receiver, sink: sink, clock: opts.Clock, bound: opts.FetchBound, started: opts.Clock()}
	if sink != nil {
		m.registry = sink.registry
	} else {
		registerProcess(m.registry)
	}
	counter := func(name, help string, labels prometheus.Labels, value func(otlp.Stats) int64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels},
			func() float64 { return float64(value(receiver.Stats())) }))
	}
	const requests, requestsHelp = "weir_otlp_requests_total", "Requests, by answer: ok once Kafka has all of it."
	counter(requests, requestsHelp, prometheus.Labels{"result": "ok"}, func(s otlp.Stats) int64 { return s.Requests })
	counter(requests, requestsHelp, prometheus.Labels{"result": "refused"}, func(s otlp.Stats) int64 { return s.Refused })
	counter("weir_otlp_events_total", "Events that Kafka has acknowledged.", nil, func(s otlp.Stats) int64 { return s.Events })
	counter("weir_otlp_dead_letters_total", "Records that could not be understood.", nil, func(s otlp.Stats) int64 { return s.DeadLetters })
	counter("weir_otlp_bytes_total", "Bytes of acknowledged requests, unpacked.", nil, func(s otlp.Stats) int64 { return s.Bytes })
	m.registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "weir_otlp_produce_errors_total", Help: "Requests that Kafka did not take, or not in time."},
			func() float64 { return float64(receiver.Load().Unwritten) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "weir_otlp_in_flight_bytes", Help: "Bytes of requests under way, unpacked."},
			func() float64 { return float64(receiver.Load().InFlight) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "weir_otlp_last_produce_age_seconds", Help: "Since Kafka last acknowledged a request, or since the start."}, m.age))
	return m
}

func (m *Receiver) age() float64 {
	since := m.receiver.Load().Acknowledged
	if since.IsZero() {
		since = m.started
	}
	return m.clock().Sub(since).Seconds()
}

// Handler answers /metrics, /healthz and /readyz as Metrics.Handler does. The
// receiver is not ready for a minute after Kafka has refused a request, unless it
// took one since; then it is worth another try. Nor is it where its sink is not.
func (m *Receiver) Handler() http.Handler {
	return handler(m.registry, func() (bool, any) {
		r := Readiness{Reasons: []string{}, Partitions: map[string][]int{}, UptimeSeconds: m.clock().Sub(m.started).Seconds()}
		if m.sink != nil {
			r = m.sink.Readiness()
		}
		load := m.receiver.Load()
		if ago := m.clock().Sub(load.Failed); load.Failed.After(load.Acknowledged) && ago < m.bound {
			r.Reasons = append(r.Reasons, fmt.Sprintf("Kafka did not take a request %v ago", ago.Round(time.Second)))
		}
		r.Ready = len(r.Reasons) == 0
		return r.Ready, r
	})
}
