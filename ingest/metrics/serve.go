package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/weir-lake/weir/lake"
)

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready         bool             `json:"ready"`
	Reasons       []string         `json:"reasons"` // why not, sorted
	Partitions    map[string][]int `json:"partitions"`
	CommitAge     float64          `json:"last_commit_age_s"`
	UptimeSeconds float64          `json:"uptime_s"`
}

// Readiness tells whether the sink reads what it should.
func (m *Metrics) Readiness() Readiness {
	r := Readiness{Reasons: m.unready(), Partitions: map[string][]int{}, CommitAge: m.commitAge(), UptimeSeconds: m.clock().Sub(m.started).Seconds()}
	slices.Sort(r.Reasons)
	r.Ready = len(r.Reasons) == 0
	if r.Reasons == nil {
		r.Reasons = []string{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, t := range m.topics {
		for partition := range t.offsets {
			r.Partitions[name] = append(r.Partitions[name], partition)
		}
		slices.Sort(r.Partitions[name])
	}
	return r
}

// Handler answers /metrics, /healthz (200 while the process lives) and /readyz
// (a Readiness, with 200 or 503).
func (m *Metrics) Handler() http.Handler {
	return handler(m.registry, func() (bool, any) {
		r := m.Readiness()
		return r.Ready, r
	})
}

// Source is what Serve serves: a Metrics, Receiver or Broker.
type Source interface {
	Handler() http.Handler
}

func handler(registry *prometheus.Registry, readiness func() (ready bool, answer any)) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		ready, answer := readiness()
		w.Header().Set("Content-Type", "application/json")
		if !ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(answer) // whoever asked has gone
	})
	return mux
}

// Server is a listener for one process.
type Server struct {
	http  *http.Server
	addr  string
	ended chan struct{}
}

// Serve listens on host:port; without a host only this machine can ask, and
// port 0 is a free one. Nothing it answers is secret but it has no access
// control either.
func Serve(address string, source Source) (*Server, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, lake.WithHint(fmt.Errorf("metrics: listen address %q: %w", address, err), "--metrics 127.0.0.1:9464")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, lake.WithHint(fmt.Errorf("metrics: %w", err), "name another port: each process of a machine needs its own")
	}
	s := &Server{
		http:  &http.Server{Handler: source.Handler(), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second},
		addr:  listener.Addr().String(),
		ended: make(chan struct{}),
	}
	go func() {
		defer close(s.ended)
		// It ends by Close; another error would be the listener's, and there is
		// nothing that a sink should stop for.
		_ = s.http.Serve(listener)
	}()
	return s, nil
}

// Addr is where it listens, host:port.
func (s *Server) Addr() string { return s.addr }

// Close ends it, with a second for answers under way.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	<-s.ended
	return err
}
