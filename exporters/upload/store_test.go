package upload_test

import (
	"bufio"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// store speaks as much of S3 as an upload needs, in memory. It checks sums as S3
// does, and keeps the order in which objects became visible.
type store struct {
	sync.Mutex
	objects map[string]object
	pending map[string]*pending // by upload id
	order   []string            // keys, each time one was written
	calls   map[string]int      // by kind
	refuse  func(kind, key string) (status int, code string)
}

type object struct {
	body []byte
	meta string
}

type pending struct {
	key, meta string
	parts     map[int][]byte
}

const bucket = "/lakes/"

func newStore(t *testing.T) (*store, string) {
	s := &store{objects: map[string]object{}, pending: map[string]*pending{}, calls: map[string]int{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		return
	}
	s.Lock()
	defer s.Unlock()
	key, ok := strings.CutPrefix(r.URL.Path, bucket)
	query := r.URL.Query()
	kind := r.Method
	for _, name := range []string{"uploads", "partNumber", "uploadId"} {
		if query.Has(name) {
			kind += " " + name
			break
		}
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=key/") {
		fail(w, http.StatusForbidden, "AccessDenied")
		return
	}
	if s.refuse != nil {
		if status, code := s.refuse(kind, key); status != 0 {
			fail(w, status, code)
			return
		}
	}
	s.calls[kind]++
	if sum := r.Header.Get("Content-Md5"); sum != "" && sum != base64.StdEncoding.EncodeToString(md5sum(body)) {
		fail(w, http.StatusBadRequest, "BadDigest")
		return
	}
	switch {
	case !ok && r.URL.Path != strings.TrimSuffix(bucket, "/"):
		fail(w, http.StatusNotFound, "NoSuchBucket")
	case kind == "HEAD":
		found, ok := s.objects[key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		w.Header().Set("ETag", `"`+etag(found.body)+`"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(found.body)))
		w.Header().Set("X-Amz-Meta-Sha256", found.meta)
	case kind == "PUT":
		s.write(key, body, r.Header.Get("X-Amz-Meta-Sha256"))
		w.Header().Set("ETag", `"`+etag(body)+`"`)
	case kind == "GET uploads":
		var list struct {
			XMLName xml.Name `xml:"ListMultipartUploadsResult"`
			Upload  []struct{ Key, UploadId string }
		}
		for id, p := range s.pending {
			if strings.HasPrefix(p.key, query.Get("prefix")) {
				list.Upload = append(list.Upload, struct{ Key, UploadId string }{p.key, id})
			}
		}
		answer(w, list)
	case kind == "POST uploads":
		id := fmt.Sprintf("upload-%d", s.calls[kind])
		s.pending[id] = &pending{key: key, meta: r.Header.Get("X-Amz-Meta-Sha256"), parts: map[int][]byte{}}
		answer(w, struct {
			XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
			UploadId string
		}{UploadId: id})
	default:
		s.part(w, kind, key, query.Get("uploadId"), query.Get("partNumber"), body)
	}
}

// readBody reads a body, out of signed chunks where it comes in those.
func readBody(r *http.Request) ([]byte, error) {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return io.ReadAll(r.Body)
	}
	var body []byte
	for in := bufio.NewReader(r.Body); ; {
		head, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		digits, _, _ := strings.Cut(head, ";")
		size, err := strconv.ParseInt(digits, 16, 32)
		if err != nil || size == 0 {
			return body, err
		}
		chunk := make([]byte, size+2) // and the end of the line
		if _, err := io.ReadFull(in, chunk); err != nil {
			return nil, err
		}
		body = append(body, chunk[:size]...)
	}
}

// part answers what is about an upload that has begun.
func (s *store) part(w http.ResponseWriter, kind, key, id, number string, body []byte) {
	p := s.pending[id]
	if p == nil || p.key != key {
		fail(w, http.StatusNotFound, "NoSuchUpload")
		return
	}
	switch kind {
	case "PUT partNumber":
		n, err := strconv.Atoi(number)
		if err != nil {
			fail(w, http.StatusBadRequest, "InvalidArgument")
			return
		}
		p.parts[n] = body
		w.Header().Set("ETag", `"`+etag(body)+`"`)
	case "GET uploadId":
		type part struct {
			PartNumber int
			ETag       string
			Size       int
		}
		var list struct {
			XMLName xml.Name `xml:"ListPartsResult"`
			Part    []part
		}
		for n, body := range p.parts {
			list.Part = append(list.Part, part{n, `"` + etag(body) + `"`, len(body)})
		}
		slices.SortFunc(list.Part, func(a, b part) int { return a.PartNumber - b.PartNumber })
		answer(w, list)
	case "POST uploadId":
		var complete struct {
			Part []struct {
				PartNumber int
				ETag       string
			}
		}
		if err := xml.Unmarshal(body, &complete); err != nil {
			fail(w, http.StatusBadRequest, "MalformedXML")
			return
		}
		var whole []byte
		for _, part := range complete.Part {
			if etag(p.parts[part.PartNumber]) != strings.Trim(part.ETag, `"`) {
				fail(w, http.StatusBadRequest, "InvalidPart")
				return
			}
			whole = append(whole, p.parts[part.PartNumber]...)
		}
		delete(s.pending, id)
		s.write(key, whole, p.meta)
		answer(w, struct {
			XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
			Bucket  string
			Key     string
			ETag    string
		}{Bucket: "lakes", Key: key, ETag: "x-1"})
	case "DELETE uploadId":
		delete(s.pending, id)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *store) write(key string, body []byte, meta string) {
	s.objects[key] = object{body, meta}
	s.order = append(s.order, key)
}

func answer(w http.ResponseWriter, v any) {
	text, err := xml.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(text)
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, code)
}

func md5sum(body []byte) []byte {
	sum := md5.Sum(body)
	return sum[:]
}

func etag(body []byte) string { return hex.EncodeToString(md5sum(body)) }
