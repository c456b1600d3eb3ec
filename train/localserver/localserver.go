// Package localserver speaks training providers' job APIs for tests: it takes
// files, checks them, and brings jobs through their states, a step at each
// question. It fails as it is told to: throttles, breaks off before or after
// the work is done, or does not answer. Start at New.
//
// What it does is one (work.go); how it says it is each provider's own: paths,
// words, pages and keys, which the providers' Python clients have been made to
// read (sdk_test.go).
package localserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Start is when the first thing on a server is made; each later one is a second
// later.
var Start = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// Account is the one that a Fireworks server has.
const Account = "acme"

// Fault is what goes wrong with a request. The zero value is nothing.
type Fault struct {
	Status     int    // answered instead of doing the work
	RetryAfter string // header
	BreakOff   bool   // the line breaks before the work is done
	Lost       bool   // the work is done, and the line breaks before the answer
	Stuck      bool   // the work is done, and there is no answer until the client leaves
}

// Options of a Server.
type Options struct {
	// Provider whose API is spoken: openai, azure, together, fireworks or mistral;
	// empty: OpenAI's and Together's, which share no path but that of files.
	Provider string
	// Key that requests must bear; empty: any.
	Key string
	// Fault is asked for each request, the n-th (from 0) of its kind: "POST files",
	// "GET fine_tuning/jobs", ids as {id}; at Together "POST files/upload", "GET
	// fine-tunes"; at Fireworks "POST datasets/{id}:upload". It may be nil.
	Fault func(kind string, n int) Fault
	// States that a job goes through, in OpenAI's words whatever the provider; nil:
	// those to success.
	States []string
	// Page is how many things a page of a list has, at most; 0: 100.
	Page int
	// HideJobs leaves a new job out of lists for so many of them.
	HideJobs int
}

// Request is one that came.
type Request struct {
	Kind  string   // as Fault is asked
	Query []string // names, sorted
	Keys  []string // of the body's JSON, nested with dots, or of the form; sorted
}

// Server is one provider. It is safe for concurrent use.
type Server struct {
	*httptest.Server
	opts Options
	mux  *http.ServeMux

	mu       sync.Mutex
	ticks    int64
	files    []*File
	jobs     []*Job
	asked    map[string]int
	requests []Request
	hide     int
}

// New starts a server; it is to be closed.
func New(opts Options) *Server {
	if opts.States == nil {
		opts.States = []string{"validating_files", "queued", "running", "running", "running", "succeeded"}
	}
	if opts.Page == 0 {
		opts.Page = 100
	}
	s := &Server{opts: opts, mux: http.NewServeMux(), asked: map[string]int{}}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "no such path: "+r.Method+" "+r.URL.Path)
	})
	switch opts.Provider {
	case "fireworks":
		s.speakFireworks("/v1/accounts/" + Account + "/")
	case "mistral":
		s.speakMistral("/v1/")
	case "azure":
		s.speakOpenAI("/openai/v1/")
	default:
		s.speakOpenAI("/v1/")
		s.speakTogether("/v1/")
	}
	s.Server = httptest.NewServer(s.mux)
	return s
}

// BaseURL is what a client is given.
func (s *Server) BaseURL() string {
	switch s.opts.Provider {
	case "fireworks":
		return s.URL + "/v1/accounts/" + Account
	case "azure":
		return s.URL + "/openai/v1"
	}
	return s.URL + "/v1"
}

// Jobs are those that were ordered, in their order.
func (s *Server) Jobs() []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	var jobs []Job
	for _, j := range s.jobs {
		jobs = append(jobs, *j)
	}
	return jobs
}

// Files are those that arrived, in their order.
func (s *Server) Files() []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	var files []File
	for _, f := range s.files {
		if f.arrived {
			files = append(files, *f)
		}
	}
	return files
}

// Asked is how many requests of a kind came.
func (s *Server) Asked(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[kind]
}

// Requests are those that came, in their order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// message is a request as the work needs it.
type message struct {
	id    string // of the path; empty: it has none
	query url.Values
	body  map[string]any // of JSON
	form  url.Values     // beside the file
	file  *File          // that a form brought; nil: none
}

// handle does a kind of request: the answer is JSON, or a text that says why
// there is none.
func (s *Server) handle(root, kind string, work func(message) (any, int)) {
	method, path, _ := strings.Cut(kind, " ")
	// The multiplexer knows no verb behind an id.
	pattern := method + " " + root + path
	verb := ""
	if before, after, ok := strings.Cut(path, "{id}:"); ok {
		verb = ":" + after
		pattern = method + " " + root + before + "{id}"
	}
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		n := s.asked[kind]
		s.asked[kind]++
		s.mu.Unlock()
		var fault Fault
		if s.opts.Fault != nil {
			fault = s.opts.Fault(kind, n)
		}
		if fault.RetryAfter != "" {
			w.Header().Set("Retry-After", fault.RetryAfter)
		}
		id, isVerb := strings.CutSuffix(r.PathValue("id"), verb)
		switch {
		case fault.Status != 0:
			refuse(w, fault.Status, "told to")
			return
		case fault.BreakOff:
			panic(http.ErrAbortHandler)
		case !s.mayAsk(r):
			refuse(w, http.StatusUnauthorized, "wrong key "+r.Header.Get("Authorization"))
			return
		case !isVerb:
			refuse(w, http.StatusNotFound, "no such verb: "+r.URL.Path)
			return
		}
		m, err := read(r)
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		m.id = id
		s.mu.Lock()
		s.requests = append(s.requests, Request{Kind: kind, Query: names(m.query), Keys: append(keysOf("", m.body), names(m.form)...)})
		reply, status := work(m)
		s.mu.Unlock()
		switch {
		case fault.Lost:
			panic(http.ErrAbortHandler)
		case fault.Stuck:
			<-r.Context().Done()
			return
		case status != http.StatusOK:
			refuse(w, status, fmt.Sprint(reply))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(reply) // a client that left is the test's own doing
	})
}

func (s *Server) mayAsk(r *http.Request) bool {
	switch {
	case s.opts.Key == "":
		return true
	case s.opts.Provider == "azure":
		return r.Header.Get("api-key") == s.opts.Key
	}
	return r.Header.Get("Authorization") == "Bearer "+s.opts.Key
}

func read(r *http.Request) (m message, err error) {
	m.query = r.URL.Query()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		file, header, err := r.FormFile("file")
		if err != nil {
			return m, err
		}
		defer file.Close()
		content, err := io.ReadAll(file)
		m.file = &File{Name: header.Filename, Content: content, arrived: true}
		m.form = r.MultipartForm.Value
		return m, err
	}
	text, err := io.ReadAll(r.Body)
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &m.body)
	}
	return m, err
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message}})
}

func names(values url.Values) []string {
	var found []string
	for name := range values {
		found = append(found, name)
	}
	slices.Sort(found)
	return found
}

// keysOf are the names in an object, each as far down as objects go.
func keysOf(at string, value any) []string {
	object, ok := value.(map[string]any)
	if !ok {
		if list, isList := value.([]any); isList && len(list) > 0 {
			return keysOf(at+"[]", list[0])
		}
		if at == "" {
			return nil
		}
		return []string{at}
	}
	found := []string{}
	for name, inner := range object {
		found = append(found, keysOf(strings.TrimPrefix(at+"."+name, "."), inner)...)
	}
	slices.Sort(found)
	return found
}
