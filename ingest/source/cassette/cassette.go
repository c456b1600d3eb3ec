// Package cassette reads recorded HTTP exchanges with language-model APIs in
// YAML or JSON, as VCR libraries write them (vcrpy, Ruby's VCR, go-vcr). It
// finds the exchanges; package llm reads them. Exchanges with anything else are
// passed over. Start at Format.
package cassette

import (
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// maxBytes bounds a cassette and each of its bodies once decompressed: a YAML
// document has to be read whole, and takes some ten times its size.
const maxBytes = 32 << 20

// Format is the cassette format.
func Format() source.Format {
	return source.Format{
		Name:    "cassette",
		Doc:     "HTTP exchanges with LLM APIs as recorded by VCR libraries (YAML or JSON)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// detect looks for the list of exchanges and the two halves of one.
func detect(p source.Probe) int {
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n-")
	if bytes.HasPrefix(head, []byte("{")) {
		if hasAny(head, `"interactions"`, `"http_interactions"`) && hasAny(head, `"request"`) {
			return 80
		}
		return 0
	}
	if hasAny(head, "interactions:") && hasAny(head, "request:") && hasAny(head, "uri:", "url:") {
		return 90
	}
	return 0
}

func hasAny(text []byte, words ...string) bool {
	for _, word := range words {
		if bytes.Contains(text, []byte(word)) {
			return true
		}
	}
	return false
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	text, err := io.ReadAll(io.LimitReader(in.R, maxBytes+1))
	if err != nil {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	whole := source.Reject{Record: -1, Body: text, Length: int64(len(text))}
	if len(text) > maxBytes {
		whole.Reason, whole.Detail = "too_large", fmt.Sprintf("a cassette is read whole and must stay below %d MiB", maxBytes>>20)
		return out.Reject(whole)
	}
	interactions, err := parse(text)
	if err != nil {
		whole.Reason, whole.Detail = "not_yaml", err.Error()
		return out.Reject(whole)
	}
	in.Records = int64(len(interactions))
	var calls []llm.Call
	var assembler llm.Assembler
	for i, node := range interactions {
		if err := ctx.Err(); err != nil {
			return err
		}
		exchange, at, err := node.exchange()
		var found []llm.Call
		if err == nil {
			found, err = llm.Parse(exchange)
		}
		switch {
		case errors.Is(err, llm.ErrNotACall), errors.Is(err, llm.ErrUnknownShape):
			continue // a cassette records whatever a program fetched
		case err != nil:
			body := node.json()
			if err := out.Reject(source.Reject{Reason: "wrong_type", Detail: err.Error(), Line: int64(node.line), Record: int64(i), Body: body, Length: int64(len(body))}); err != nil {
				return err
			}
			continue
		}
		for k := range found {
			found[k].Position = int64(i)
			if found[k].CreatedAt.IsZero() {
				found[k].CreatedAt = at
			}
			found[k].RequestID = node.requestID()
		}
		calls = append(calls, assembler.Add(found...)...)
	}
	calls = append(calls, assembler.Flush()...)

	date(calls)
	for i := range calls {
		if err := out.Emit(calls[i].Event("")); err != nil {
			return err
		}
	}
	return nil
}

// date gives a time to calls that have none. Many a provider dates neither
// reply nor header, nor does the recorder: a call happened when its neighbours
// did, and Position orders them.
func date(calls []llm.Call) {
	var known time.Time
	for i := range calls {
		if !calls[i].CreatedAt.IsZero() {
			known = calls[i].CreatedAt
		}
		calls[i].At = known
	}
	for i := len(calls) - 1; i >= 0; i-- {
		if calls[i].At.IsZero() {
			calls[i].At = known
		}
		known = calls[i].At
	}
}

// interaction is one recorded exchange.
type interaction struct {
	request, response rawjson.Object
	recordedAt        time.Time
	line              int
}

// parse finds the interactions of a cassette.
func parse(text []byte) ([]interaction, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	root := &doc
	if root.Kind == yaml.DocumentNode && len(root.Content) > 0 {
		root = root.Content[0]
	}
	list := root
	if root.Kind == yaml.MappingNode {
		list = nil
		for i := 0; i+1 < len(root.Content); i += 2 {
			if key := root.Content[i].Value; key == "interactions" || key == "http_interactions" {
				list = root.Content[i+1]
			}
		}
	}
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, errors.New("no list of interactions")
	}
	interactions := make([]interaction, 0, len(list.Content))
	budget := converter{left: 4*len(text) + 1<<20}
	for _, node := range list.Content {
		raw, err := budget.json(node)
		if err != nil {
			return nil, err
		}
		o := rawjson.Parse(raw)
		interactions = append(interactions, interaction{
			request: o.Object("request"), response: o.Object("response"), recordedAt: o.Time("recorded_at"), line: node.Line,
		})
	}
	return interactions, nil
}

func (n *interaction) json() []byte {
	return rawjson.Marshal(map[string]any{"request": n.request, "response": n.response})
}

// exchange takes an interaction apart; at is when it was recorded, where the
// cassette or a header says.
func (n *interaction) exchange() (x llm.Exchange, at time.Time, err error) {
	x.Method = n.request.String("method")
	x.URL = n.request.String("uri", "url")
	status := n.response.Object("status")
	if code := cmp.Or(status.Int("code"), n.response.Int("code", "status_code", "status")); code != nil {
		x.Status = *code
	} else if fields := n.response.String("status"); len(fields) >= 3 { // go-vcr: "200 OK"
		x.Status, _ = strconv.ParseInt(fields[:3], 10, 64)
	}
	if x.Request, err = body(n.request); err != nil {
		return x, at, fmt.Errorf("request: %w", err)
	}
	if x.Reply, err = body(n.response); err != nil {
		return x, at, fmt.Errorf("response: %w", err)
	}
	if at = n.recordedAt; at.IsZero() {
		at = rawjson.ParseTime(header(n.response, "Date"))
	}
	return x, at, nil
}

func (n *interaction) requestID() string {
	for _, name := range []string{"X-Request-Id", "Request-Id", "Apim-Request-Id", "X-Amzn-Requestid"} {
		if id := header(n.response, name); id != "" {
			return id
		}
	}
	return ""
}

// header finds a header's first value, whatever the case of its name.
func header(half rawjson.Object, name string) string {
	for key := range half.Object("headers") {
		if http.CanonicalHeaderKey(key) == name {
			if values := half.Object("headers").Strings(key); len(values) > 0 {
				return values[0]
			}
		}
	}
	return ""
}

// body finds the body of a half: parsed, as text, or as base64; decompressed.
func body(half rawjson.Object) ([]byte, error) {
	if half.Has("parsed_body") {
		return half["parsed_body"], nil
	}
	raw := half["body"]
	if o := rawjson.Parse(raw); o != nil && raw[0] == '{' {
		switch {
		case o.Has(binaryKey):
		case o.Has("base64_string"):
			raw = rawjson.Marshal(map[string]json.RawMessage{binaryKey: o["base64_string"]})
		case o.Has("string"):
			raw = o["string"]
		case o.Has("encoding") || len(o) == 0:
			return nil, nil
		default:
			return raw, nil // the body itself, parsed
		}
	}
	if text, ok := rawjson.Text(raw); ok {
		return []byte(text), nil
	}
	encoded := rawjson.Parse(raw).String(binaryKey)
	decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), ""))
	if err != nil {
		return nil, fmt.Errorf("binary body: %w", err)
	}
	return inflate(decoded, header(half, "Content-Encoding"))
}

// inflate decompresses by what the bytes are, not by what the header says:
// recorders decompress and keep the header.
func inflate(data []byte, encoding string) ([]byte, error) {
	var r io.ReadCloser
	var err error
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		r, err = gzip.NewReader(bytes.NewReader(data))
	case json.Valid(data), bytes.HasPrefix(data, []byte("data:")), bytes.HasPrefix(data, []byte("event:")), encoding == "":
		return data, nil
	case encoding == "deflate" && len(data) > 1 && data[0]&0x0f == 8:
		r, err = zlib.NewReader(bytes.NewReader(data))
	case encoding == "deflate":
		r = flate.NewReader(bytes.NewReader(data))
	default:
		return nil, fmt.Errorf("body in content encoding %q", encoding)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", encoding, err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", encoding, err)
	}
	if len(text) > maxBytes {
		return nil, fmt.Errorf("body above %d MiB", maxBytes>>20)
	}
	return text, nil
}
