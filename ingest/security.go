package ingest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/weir-lake/weir/lake"
)

// Names of Security.Mechanism.
const (
	SASLPlain       = "plain"
	SASLScramSHA256 = "scram-sha-256"
	SASLScramSHA512 = "scram-sha-512"
)

// Security is how a cluster is told who we are, and how we know who it is. It
// holds for everything that talks to the cluster: producer, sink, group and the
// creation of topics. The zero value is plain text and no name.
type Security struct {
	// TLS encrypts. It is implied by each of the settings of certificates.
	TLS        bool
	CAFile     string // PEM; the cluster's certificates are checked against it. Empty: the system's
	CertFile   string // PEM; our certificate, with KeyFile
	KeyFile    string // PEM
	ServerName string // that the cluster's certificates are for; empty: the host in the address
	// InsecureSkipVerify takes any certificate: whoever is on the way can read
	// and change everything, the password included.
	InsecureSkipVerify bool

	Mechanism string // SASLPlain, SASLScramSHA256 or SASLScramSHA512; empty: no SASL
	User      string
	Password  string
}

// LogValue keeps the password out of logs.
func (s Security) LogValue() slog.Value {
	return slog.GroupValue(slog.Bool("tls", s.encrypted()), slog.String("sasl", s.Mechanism), slog.String("user", s.User))
}

// String is for messages: without the password.
func (s Security) String() string { return s.LogValue().String() }

// GoString is String, so that no verb of fmt shows the password.
func (s Security) GoString() string { return s.String() }

func (s Security) encrypted() bool {
	return s.TLS || s.CAFile != "" || s.CertFile != "" || s.KeyFile != "" || s.ServerName != "" || s.InsecureSkipVerify
}

// secured is what the Kafka client wants to have. Nil fields: not used.
type secured struct {
	tls  *tls.Config
	sasl sasl.Mechanism
}

// load reads the files and checks that the settings go together.
func (s Security) load() (secured, error) {
	config, err := s.config()
	if err != nil {
		return secured{}, fmt.Errorf("tls: %w", err)
	}
	mechanism, err := s.mechanism()
	if err != nil {
		return secured{}, fmt.Errorf("sasl: %w", err)
	}
	return secured{config, mechanism}, nil
}

func (s Security) config() (*tls.Config, error) {
	if !s.encrypted() {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.ServerName, InsecureSkipVerify: s.InsecureSkipVerify}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in PEM", s.CAFile)
		}
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		return nil, errors.New("a client certificate needs both a certificate and a key file")
	}
	if s.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config, nil
}

func (s Security) mechanism() (sasl.Mechanism, error) {
	if s.Mechanism == "" {
		if s.User != "" {
			return nil, lake.WithHint(fmt.Errorf("user %q without a mechanism", s.User), "--kafka-sasl scram-sha-512, or what the cluster asks for")
		}
		return nil, nil
	}
	if s.User == "" || s.Password == "" {
		return nil, lake.WithHint(fmt.Errorf("%s without user or password", s.Mechanism), "--kafka-user NAME, and the password in the environment as WEIR_KAFKA_PASSWORD")
	}
	switch s.Mechanism {
	case SASLPlain:
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case SASLScramSHA256:
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case SASLScramSHA512:
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	}
	return nil, fmt.Errorf("mechanism %q: not one of %s", s.Mechanism, strings.Join([]string{SASLPlain, SASLScramSHA256, SASLScramSHA512}, ", "))
}

// explain adds what to look at when there is no connection.
func (c *Conn) explain(err error) error {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		header   tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return lake.WithHint(err, "check --kafka-user and WEIR_KAFKA_PASSWORD: the cluster does not accept them")
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		return lake.WithHint(err, "the cluster has another --kafka-sasl: plain, scram-sha-256 or scram-sha-512")
	case errors.As(err, &unknown):
		return lake.WithHint(err, "name the certificate of the cluster's authority with --kafka-ca")
	case errors.As(err, &hostname), errors.As(err, &invalid):
		return lake.WithHint(err, "the cluster's certificate does not fit: check its date, and --kafka-server-name")
	case errors.As(err, &header):
		return lake.WithHint(err, "the listener speaks no TLS: use another port, or leave --kafka-tls away")
	case errors.Is(err, context.Canceled):
		return err
	}
	if c.secured.sasl != nil { // some brokers hang up on a password that they do not know
		return lake.WithHint(err, "check --brokers, --kafka-sasl, --kafka-user and WEIR_KAFKA_PASSWORD, and that the cluster is up")
	}
	return lake.WithHint(err, "check --brokers and --kafka-tls, and that the cluster is up")
}
