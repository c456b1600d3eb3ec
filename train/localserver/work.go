package localserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// File is a file on the server.
type File struct {
	ID      string
	Name    string
	Content []byte

	arrived bool // Fireworks names a data set before it comes
	made    int64
	asked   int
}

// Job is a job on the server.
type Job struct {
	ID     string
	Status string         // in OpenAI's words
	Order  map[string]any // as it was sent
	Made   int64          // unix
	Ended  int64
	Tokens int64
	Error  string

	model      string
	training   string // id of the file
	validation string // empty: none
	suffix     string
	step       int
	events     []event
	points     []point
}

type event struct {
	id      string
	at      int64
	kind    string // message or metrics
	message string
	step    int // of metrics
	loss    float64
}

type point struct {
	id   string
	at   int64
	step int
	name string
	loss float64
}

func (s *Server) tick() int64 {
	s.ticks++
	return Start.Unix() + s.ticks
}

func moment(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// keep takes a file.
func (s *Server) keep(f *File) *File {
	if f.ID == "" {
		f.ID = fmt.Sprintf("file-%d", len(s.files)+1)
	}
	f.made = s.tick()
	s.files = append(s.files, f)
	return f
}

// file finds one, and counts that it was asked for: what was asked for once is
// checked.
func (s *Server) file(id string, ask bool) *File {
	i := slices.IndexFunc(s.files, func(f *File) bool { return f.ID == id })
	if i < 0 {
		return nil
	}
	if ask {
		s.files[i].asked++
	}
	return s.files[i]
}

// isChecked tells whether a file was looked at, and isGood what was seen.
func (f *File) isChecked() bool { return f.arrived && f.asked > 0 }

func (f *File) isGood() bool {
	for lines := bufio.NewScanner(bytes.NewReader(f.Content)); lines.Scan(); {
		if !json.Valid(bytes.TrimPrefix(lines.Bytes(), []byte("\xef\xbb\xbf"))) {
			return false
		}
	}
	return true
}

func (f *File) lines() int { return bytes.Count(f.Content, []byte("\n")) }

// begin takes an order, if its files are there and checked.
func (s *Server) begin(job *Job) (*Job, string) {
	files := []string{job.training}
	if job.validation != "" {
		files = append(files, job.validation)
	}
	for _, id := range files {
		if f := s.file(id, false); f == nil || !f.isChecked() || !f.isGood() {
			return nil, fmt.Sprintf("no such file, or not checked: %q", id)
		}
	}
	if job.ID == "" {
		job.ID = "ftjob-" + strconv.Itoa(len(s.jobs)+1)
	}
	job.Status, job.Made = s.opts.States[0], s.tick()
	s.jobs = append(s.jobs, job)
	s.hide = s.opts.HideJobs
	s.tell(job, event{kind: "message", message: "job was created"})
	return job, ""
}

func (s *Server) job(id string) *Job {
	i := slices.IndexFunc(s.jobs, func(j *Job) bool { return j.ID == id })
	if i < 0 {
		return nil
	}
	return s.jobs[i]
}

// listed are the jobs that a list shows, the newest first.
func (s *Server) listed() []*Job {
	jobs := slices.Clone(s.jobs)
	if s.hide > 0 {
		s.hide--
		jobs = jobs[:len(jobs)-1]
	}
	slices.Reverse(jobs)
	return jobs
}

func (s *Server) tell(job *Job, e event) {
	e.id, e.at = fmt.Sprintf("%s-e%d", job.ID, len(job.events)+1), s.tick()
	job.events = append(job.events, e)
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
		s.tell(job, event{kind: "message", message: "job is " + status})
		return
	}
	for range 3 {
		step := len(job.events)
		s.tell(job, event{kind: "metrics", message: fmt.Sprintf("step %d", step), step: step, loss: 2 / float64(step+1)})
	}
	n := len(job.points) + 1
	job.points = append(job.points, point{
		id: fmt.Sprintf("%s-c%d", job.ID, n), at: s.tick(), step: 3 * n, name: fmt.Sprintf("ft:%s:ckpt-%d", job.model, n), loss: 1 / float64(n),
	})
}

func (s *Server) end(job *Job, status string) {
	job.Status, job.Tokens = status, 12_000
	if status == "failed" {
		job.Error = "the loss is not a number"
	}
	s.tell(job, event{kind: "message", message: "job has " + status})
	job.Ended = s.tick()
}

// result is the model that came out; empty: none has yet.
func (j *Job) result() string {
	if j.Status != "succeeded" {
		return ""
	}
	return fmt.Sprintf("ft:%s:weir:%s", j.model, j.suffix)
}

// ask does what is asked of a job that a path names; what it answers is the
// provider's.
func (s *Server) ask(id string, answer func(*Job) (any, int)) (any, int) {
	job := s.job(id)
	if job == nil {
		return "no such job: " + id, http.StatusNotFound
	}
	return answer(job)
}

// cancel ends a job, unless it has ended.
func (s *Server) cancel(id string, wire func(*Job) map[string]any) (any, int) {
	return s.ask(id, func(job *Job) (any, int) {
		if job.Ended != 0 {
			return "job has ended", http.StatusBadRequest
		}
		s.end(job, "cancelled")
		return wire(job), http.StatusOK
	})
}

// numbered is a page by its number, from 0, and its size.
func (s *Server) numbered(query url.Values, items []any) []any {
	most := s.opts.Page
	if n, err := strconv.Atoi(query.Get("page_size")); err == nil && n < most {
		most = n
	}
	page, err := strconv.Atoi(query.Get("page"))
	if err != nil {
		page = 0
	}
	from := min(page*most, len(items))
	return items[from:min(from+most, len(items))]
}

func wires[T any](items []*T, wire func(*T) map[string]any) []any {
	out := []any{}
	for _, item := range items {
		out = append(out, wire(item))
	}
	return out
}

func text(object map[string]any, name string) string {
	found, _ := object[name].(string)
	return found
}

// orNil is null for what is not there yet.
func orNil[T comparable](value T) any {
	var none T
	if value == none {
		return nil
	}
	return value
}
