package ingest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/weir-lake/weir/lake"
)

// authority signs certificates for a test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// issue writes NAME.crt and NAME.key.
func (a *authority) issue(t *testing.T, name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(a.path(file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// server is the configuration of a cluster that asks for a certificate.
func (a *authority) server(t *testing.T) *tls.Config {
	t.Helper()
	a.issue(t, "server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"kafka.test"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	cert, err := tls.LoadX509KeyPair(a.path("server.crt"), a.path("server.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
}

func securedCluster(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(groupSession/2))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()[0]
}

// Producer, creation of topics, sink and group all get in: with each mechanism
// over TLS with certificates on both sides.
func TestSecuredCluster(t *testing.T) {
	a := newAuthority(t)
	server := a.server(t)
	a.issue(t, "client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	for _, mechanism := range []string{SASLPlain, SASLScramSHA256, SASLScramSHA512} {
		t.Run(mechanism, func(t *testing.T) {
			addr := securedCluster(t, kfake.TLS(server.Clone()), kfake.EnableSASL(), kfake.Superuser(strings.ToUpper(mechanism), "weir", "s3cret"))
			lk := newLake(t)
			security := Security{
				CAFile: a.path("ca.crt"), CertFile: a.path("client.crt"), KeyFile: a.path("client.key"),
				Mechanism: mechanism, User: "weir", Password: "s3cret",
			}
			open := func() *Conn {
				conn, err := Connect(t.Context(), lk, ConnOptions{Brokers: []string{addr}, Security: security})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				return conn
			}
			s := runOn(t, lk, open(), SinkOptions{Group: "weir-test"})
			landed(t, lk, send(t, open(), fleet(t.Name(), 50)...))
			s.end(t)
			if report := drain(t, lk, open(), SinkOptions{}); report.Records != 0 {
				t.Errorf("read again: %+v", report)
			}
		})
	}
}

// What does not fit is refused, with a word on what to look at and without the
// password.
func TestSecurityErrors(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	a.issue(t, "client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	both := securedCluster(t, kfake.TLS(a.server(t)), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "weir", "s3cret"))
	open := securedCluster(t)
	good := Security{CAFile: a.path("ca.crt"), CertFile: a.path("client.crt"), KeyFile: a.path("client.key"), Mechanism: SASLScramSHA512, User: "weir", Password: "s3cret"}
	change := func(f func(*Security)) Security {
		s := good
		f(&s)
		return s
	}
	for name, c := range map[string]struct {
		addr     string
		security Security
		hint     string
	}{
		"wrong password":        {both, change(func(s *Security) { s.Password = "gu3ss" }), "WEIR_KAFKA_PASSWORD"},
		"other mechanism":       {both, change(func(s *Security) { s.Mechanism = SASLPlain }), "--kafka-sasl"},
		"unknown authority":     {both, change(func(s *Security) { s.CAFile = other.path("ca.crt") }), "--kafka-ca"},
		"other name":            {both, change(func(s *Security) { s.ServerName = "elsewhere.test" }), "--kafka-server-name"},
		"no TLS at the cluster": {open, Security{TLS: true}, "--kafka-tls"},
		"no password":           {both, change(func(s *Security) { s.Password = "" }), "WEIR_KAFKA_PASSWORD"},
		"no mechanism":          {both, change(func(s *Security) { s.Mechanism = "" }), "--kafka-sasl"},
		"no such file":          {both, change(func(s *Security) { s.CAFile = a.path("none") }), ""},
		"no certificate":        {both, change(func(s *Security) { s.CAFile = a.path("ca.key") }), ""},
		"key without its half":  {both, change(func(s *Security) { s.CertFile = "" }), ""},
		"no such mechanism":     {both, change(func(s *Security) { s.Mechanism = "gssapi" }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			// Such a cluster says nothing at all.
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := Connect(ctx, newLake(t), ConnOptions{Brokers: []string{c.addr}, Security: c.security})
			if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "gu3ss") {
				t.Errorf("error: %v", err)
			}
			if !strings.Contains(lake.HintOf(err), c.hint) {
				t.Errorf("%v: hint %q", err, lake.HintOf(err))
			}
		})
	}
	for name, security := range map[string]Security{
		"another name for the server": change(func(s *Security) { s.ServerName = "kafka.test" }),
		"not checked at all":          change(func(s *Security) { s.CAFile, s.InsecureSkipVerify = "", true }),
	} {
		conn, err := Connect(t.Context(), newLake(t), ConnOptions{Brokers: []string{both}, Security: security})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		conn.Close()
	}
}

func TestPasswordIsNotShown(t *testing.T) {
	s := Security{TLS: true, Mechanism: SASLPlain, User: "weir", Password: "s3cret"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("connecting", "security", s)
	slog.New(slog.NewTextHandler(&log, nil)).Info("connecting", "security", s)
	text := log.String() + fmt.Sprintf("%v %+v %#v %s", s, s, s, s)
	if strings.Contains(text, "s3cret") || !strings.Contains(text, "weir") {
		t.Errorf("shown as %s", text)
	}
}
