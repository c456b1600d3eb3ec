// Package localserver speaks training providers' job APIs for tests: it takes
// files, checks them, and brings jobs through their states, a step at each
// question. It fails as it is told to: throttles, breaks off before or after
// the work is done, or does not answer. Start at New.
package localserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Start is when the first thing on a server is made; each later one is a second
// later.
var Start = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// Fault is what goes wrong with a request. The zero value is nothing.
type Fault struct {
	Status     int    // answered instead of doing the work
	RetryAfter string // header
	BreakOff   bool   // the line breaks before the work is done
	Lost       bool   // the work is done, and the line breaks before the answer
	Stuck      bool   // the work is done, and there is no answer until the client leaves
}

// File is a file on the server.
type File struct {
	ID      string
	Name    string
	Content []byte
	asked   int
}

// Job is a job on the server.
type Job struct {
	ID     string
	Status string
	Order  map[string]any // as it was sent
	Made   int64          // unix
	Ended  int64
	Tokens int64
	Error  string

	step   int
	events []map[string]any
	points []map[string]any
}

// Options of a Server.
type Options struct {
	// Key that requests must bear; empty: any.
	Key string
	// Fault is asked for each request, the n-th (from 0) of its kind: "POST files",
	// "GET fine_tuning/jobs", ids as {id}; at Together "POST files/upload",
	// "GET fine-tunes". It may be nil.
	Fault func(kind string, n int) Fault
	// States that a job goes through; nil: OpenAI's to success.
	States []string
	// Page is how many things a page of a list has, at most; 0: 100.
	Page int
	// HideJobs leaves a new job out of lists for so many of them.
	HideJobs int
}

// Server is one provider. It is safe for concurrent use.
type Server struct {
	*httptest.Server
	opts Options

	mu    sync.Mutex
	ticks int64
	files []*File
	jobs  []*Job
	asked map[string]int
	hide  int
}

// New starts a server; it is to be closed.
func New(opts Options) *Server {
	if opts.States == nil {
		opts.States = []string{"validating_files", "queued", "running", "running", "running", "succeeded"}
	}
	if opts.Page == 0 {
		opts.Page = 100
	}
	s := &Server{opts: opts, asked: map[string]int{}}
	s.Server = httptest.NewServer(s)
	return s
}

// BaseURL is what a client is given.
func (s *Server) BaseURL() string { return s.URL + "/v1" }

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
		files = append(files, *f)
	}
	return files
}

// Asked is how many requests of a kind came.
func (s *Server) Asked(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[kind]
}

// ServeHTTP is http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	kind := r.Method + " " + kindOf(path)
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
	switch {
	case fault.Status != 0:
		refuse(w, fault.Status, "told to")
		return
	case fault.BreakOff:
		panic(http.ErrAbortHandler)
	case s.opts.Key != "" && r.Header.Get("Authorization") != "Bearer "+s.opts.Key && r.Header.Get("api-key") != s.opts.Key:
		refuse(w, http.StatusUnauthorized, "wrong key "+r.Header.Get("Authorization"))
		return
	}
	work, isTogether := ofTogether(path)
	if !isTogether {
		work = path
	}
	reply, status := s.answer(r, work)
	if isTogether && status == http.StatusOK {
		reply = asTogether(reply)
	}
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
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message}})
}

// kindOf puts {id} where a path has one.
func kindOf(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "file-") || strings.HasPrefix(part, "ftjob-") {
			parts[i] = "{id}"
		}
	}
	return strings.Join(parts, "/")
}

// answer does the work of a request.
func (s *Server) answer(r *http.Request, path string) (any, int) {
	if r.Method == http.MethodPost && path == "files" {
		return s.takeFile(r)
	}
	var order map[string]any
	if r.Method == http.MethodPost && path == "fine_tuning/jobs" {
		if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
			return err.Error(), http.StatusBadRequest
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(path, "/")
	switch kind := r.Method + " " + kindOf(path); kind {
	case "GET files":
		return s.page(r, wires(s.files, (*File).peek)), http.StatusOK
	case "GET files/{id}":
		if i := slices.IndexFunc(s.files, func(f *File) bool { return f.ID == parts[1] }); i >= 0 {
			s.files[i].asked++
			return s.files[i].peek(), http.StatusOK
		}
	case "POST fine_tuning/jobs":
		return s.takeOrder(order)
	case "GET fine_tuning/jobs":
		jobs := s.jobs
		if s.hide > 0 {
			s.hide--
			jobs = jobs[:len(jobs)-1]
		}
		return s.page(r, wires(jobs, (*Job).wire)), http.StatusOK
	default:
		if len(parts) < 3 {
			break
		}
		i := slices.IndexFunc(s.jobs, func(j *Job) bool { return j.ID == parts[2] })
		if i < 0 {
			break
		}
		job := s.jobs[i]
		switch kind {
		case "GET fine_tuning/jobs/{id}":
			s.advance(job)
			return job.wire(), http.StatusOK
		case "POST fine_tuning/jobs/{id}/cancel":
			if job.Ended != 0 {
				return "job has ended", http.StatusBadRequest
			}
			s.end(job, "cancelled")
			return job.wire(), http.StatusOK
		case "GET fine_tuning/jobs/{id}/events":
			return s.page(r, slices.Clone(job.events)), http.StatusOK
		case "GET fine_tuning/jobs/{id}/checkpoints":
			return s.page(r, slices.Clone(job.points)), http.StatusOK
		}
	}
	return "no such thing: " + r.Method + " " + path, http.StatusNotFound
}

func (s *Server) tick() int64 {
	s.ticks++
	return Start.Unix() + s.ticks
}

func (s *Server) takeFile(r *http.Request) (any, int) {
	file, header, err := r.FormFile("file")
	if err != nil {
		return err.Error(), http.StatusBadRequest
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if err != nil || r.FormValue("purpose") != "fine-tune" {
		return fmt.Sprint("purpose ", r.FormValue("purpose"), err), http.StatusBadRequest
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &File{ID: "file-" + strconv.Itoa(len(s.files)+1), Name: header.Filename, Content: content}
	s.files = append(s.files, f)
	return f.peek(), http.StatusOK
}

// peek shows a file: what was asked for once is checked.
func (f *File) peek() map[string]any {
	status := "uploaded"
	if f.asked == 0 {
		status = "pending"
	}
	for lines := bufio.NewScanner(strings.NewReader(string(f.Content))); f.asked > 0 && lines.Scan(); {
		if !json.Valid(lines.Bytes()) {
			status = "error"
		}
	}
	return map[string]any{"id": f.ID, "object": "file", "bytes": len(f.Content), "filename": f.Name, "purpose": "fine-tune", "status": status, "Processed": status == "uploaded"}
}

func (s *Server) takeOrder(order map[string]any) (any, int) {
	for _, name := range []string{"training_file", "validation_file"} {
		id, given := order[name]
		if name == "validation_file" && !given {
			continue
		}
		i := slices.IndexFunc(s.files, func(f *File) bool { return f.ID == id })
		if i < 0 || s.files[i].peek()["status"] != "uploaded" {
			return fmt.Sprintf("%s: no such file, or not checked: %v", name, id), http.StatusBadRequest
		}
	}
	job := &Job{ID: "ftjob-" + strconv.Itoa(len(s.jobs)+1), Status: s.opts.States[0], Order: order, Made: s.tick()}
	s.jobs = append(s.jobs, job)
	s.hide = s.opts.HideJobs
	s.tell(job, "message", "job was created", map[string]any{})
	return job.wire(), http.StatusOK
}

func (s *Server) tell(job *Job, kind, message string, data map[string]any) {
	job.events = append(job.events, map[string]any{
		"object": "fine_tuning.job.event", "id": fmt.Sprintf("%s-e%d", job.ID, len(job.events)+1), "created_at": s.tick(),
		"level": "info", "type": kind, "message": message, "data": data,
	})
}

// advance brings a job a step on.
func (s *Server) advance(job *Job) {
	if job.Ended != 0 || job.step == len(s.opts.States)-1 {
		return
	}
	job.step++
	status := s.opts.States[job.step]
	if status == "succeeded" || status == "failed" || status == "cancelled" {
		s.end(job, status)
		return
	}
	job.Status = status
	if status != "running" {
		s.tell(job, "message", "job is "+status, map[string]any{})
		return
	}
	for range 3 {
		step := len(job.events)
		s.tell(job, "metrics", fmt.Sprintf("step %d", step), map[string]any{"step": step, "train_loss": 2 / float64(step+1)})
	}
	n := len(job.points) + 1
	job.points = append(job.points, map[string]any{
		"object": "fine_tuning.job.checkpoint", "id": fmt.Sprintf("%s-c%d", job.ID, n), "created_at": s.tick(),
		"fine_tuned_model_checkpoint": fmt.Sprintf("ft:%v:ckpt-%d", job.Order["model"], n), "step_number": 3 * n,
		"metrics": map[string]any{"train_loss": 1 / float64(n)},
	})
}

func (s *Server) end(job *Job, status string) {
	job.Status, job.Tokens = status, 12_000
	if status == "failed" {
		job.Error = "the loss is not a number"
	}
	s.tell(job, "message", "job has "+status, map[string]any{})
	job.Ended = s.tick()
}

func (j *Job) wire() map[string]any {
	out := map[string]any{
		"object": "fine_tuning.job", "id": j.ID, "model": j.Order["model"], "training_file": j.Order["training_file"],
		"status": j.Status, "created_at": j.Made, "finished_at": nil, "fine_tuned_model": nil, "trained_tokens": nil,
		"metadata": j.Order["metadata"], "error": nil,
	}
	if j.Ended != 0 {
		out["finished_at"], out["trained_tokens"] = j.Ended, j.Tokens
	}
	if j.Status == "succeeded" {
		out["fine_tuned_model"] = fmt.Sprintf("ft:%v:weir:%v", j.Order["model"], j.Order["suffix"])
	}
	if j.Error != "" {
		out["error"] = map[string]any{"code": "diverged", "message": j.Error}
	}
	return out
}

func wires[T any](items []*T, wire func(*T) map[string]any) []map[string]any {
	var out []map[string]any
	for _, item := range items {
		out = append(out, wire(item))
	}
	return out
}

// page gives the newest first.
func (s *Server) page(r *http.Request, items []map[string]any) map[string]any {
	slices.Reverse(items)
	if after := r.URL.Query().Get("after"); after != "" {
		if i := slices.IndexFunc(items, func(item map[string]any) bool { return item["id"] == after }); i >= 0 {
			items = items[i+1:]
		}
	}
	most := s.opts.Page
	if limit, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil && limit < most {
		most = limit
	}
	more := len(items) > most
	if more {
		items = items[:most]
	}
	if items == nil {
		items = []map[string]any{}
	}
	return map[string]any{"object": "list", "data": items, "has_more": more}
}
