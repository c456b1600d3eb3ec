package otlp

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// signal is a kind of telemetry that is taken.
type signal struct {
	// message is what a request holds. The request's own type has the same
	// fields; its package would bring gRPC into the program.
	message  func() proto.Message
	rejected string // field of the answer's partialSuccess in JSON
}

var signals = map[string]*signal{
	"/v1/traces": {func() proto.Message { return new(tracepb.TracesData) }, "rejectedSpans"},
	"/v1/logs":   {func() proto.Message { return new(logspb.LogsData) }, "rejectedLogRecords"},
}

// encoding is that of a request, and of its answer.
type encoding string

const (
	unknown  encoding = ""
	asJSON   encoding = "application/json"
	protobuf encoding = "application/x-protobuf"
)

func encodingOf(contentType string) encoding {
	switch media, _, err := mime.ParseMediaType(contentType); {
	case err != nil:
		return unknown
	case media == string(asJSON):
		return asJSON
	case media == string(protobuf), media == "application/protobuf":
		return protobuf
	}
	return unknown
}

// body reads a request's body, unpacked.
func (r *Receiver) body(req *http.Request, hold *holding) ([]byte, *fault) {
	in := io.Reader(req.Body)
	switch coding := strings.ToLower(req.Header.Get("Content-Encoding")); coding {
	case "", "identity":
	case "gzip":
		unpacked, err := gzip.NewReader(req.Body)
		if err != nil {
			return nil, &fault{http.StatusBadRequest, "gzip: " + err.Error()}
		}
		defer unpacked.Close()
		in = unpacked
	default:
		return nil, &fault{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Encoding %q: only gzip is known", coding)}
	}
	var body bytes.Buffer
	_, err := io.Copy(&body, &metered{in, r.opts.MaxBody, hold})
	switch {
	case errors.Is(err, errLarge):
		return nil, &fault{http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d bytes unpacked: send smaller batches", r.opts.MaxBody)}
	case errors.Is(err, errBusy):
		return nil, &fault{http.StatusTooManyRequests, "too much is under way"}
	case err != nil:
		return nil, &fault{http.StatusBadRequest, "the body cannot be read: " + err.Error()}
	}
	return body.Bytes(), nil
}

var (
	errLarge = errors.New("too large")
	errBusy  = errors.New("too much is under way")
)

// metered counts the bytes of a request as they come.
type metered struct {
	r    io.Reader
	left int64
	hold *holding
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.left -= int64(n); m.left < 0 {
		return 0, errLarge
	}
	if !m.hold.take(int64(n)) {
		return 0, errBusy
	}
	return n, err
}

// document gives a body as OTLP/JSON, on one line.
func (e encoding) document(body []byte, s *signal) ([]byte, error) {
	if e == protobuf {
		message := s.message()
		if err := proto.Unmarshal(body, message); err != nil {
			return nil, fmt.Errorf("the body is not OTLP in protobuf: %w", err)
		}
		var err error
		if body, err = (protojson.MarshalOptions{UseEnumNumbers: true}).Marshal(message); err != nil {
			return nil, fmt.Errorf("the body is not OTLP in protobuf: %w", err)
		}
	}
	// protojson spaces its output at random; a dead letter's id must not.
	var line bytes.Buffer
	if err := json.Compact(&line, body); err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	if line.Len() == 0 || line.Bytes()[0] != '{' {
		return nil, errors.New("the body is not an OTLP request: a JSON object is one")
	}
	if line.Len() == len("{}") { // nothing was sent
		return nil, nil
	}
	return line.Bytes(), nil
}

// succeed answers that everything is taken, and how much of it only as dead
// letters. Those are not to be sent again.
func (e encoding) succeed(w http.ResponseWriter, s *signal, rejected int64) {
	message := ""
	if rejected > 0 {
		message = fmt.Sprintf("%d could not be understood: see events.dead_letters", rejected)
	}
	var answer []byte
	switch {
	case e == asJSON && rejected > 0:
		answer, _ = json.Marshal(map[string]any{"partialSuccess": map[string]any{s.rejected: fmt.Sprint(rejected), "errorMessage": message}})
	case e == asJSON:
		answer = []byte("{}")
	case rejected > 0:
		partial := protowire.AppendTag(nil, 1, protowire.VarintType)
		partial = protowire.AppendVarint(partial, uint64(rejected))
		partial = protowire.AppendString(protowire.AppendTag(partial, 2, protowire.BytesType), message)
		answer = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
	}
	w.Header().Set("Content-Type", string(e))
	w.Write(answer)
}

// fail answers with a google.rpc.Status, as the protocol asks for.
func (e encoding) fail(w http.ResponseWriter, f *fault) {
	if e == unknown {
		http.Error(w, f.message, f.status)
		return
	}
	answer := protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), f.message)
	if e == asJSON {
		answer, _ = json.Marshal(map[string]string{"message": f.message})
	}
	w.Header().Set("Content-Type", string(e))
	w.WriteHeader(f.status)
	w.Write(answer)
}
