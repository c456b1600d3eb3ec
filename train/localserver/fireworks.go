package localserver

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// speakFireworks is Fireworks' API under one account: data sets that are named
// first and then sent, jobs with names of the client's choice, no events.
func (s *Server) speakFireworks(root string) {
	s.handle(root, "POST datasets", func(m message) (any, int) {
		id := text(m.body, "datasetId")
		dataset, _ := m.body["dataset"].(map[string]any)
		switch {
		case id == "" || text(dataset, "exampleCount") == "":
			return "want a datasetId and the dataset's exampleCount", http.StatusBadRequest
		case s.file(id, false) != nil:
			return "data set exists: " + id, http.StatusConflict
		}
		return fireworksDataset(s.keep(&File{ID: id, Name: text(dataset, "displayName")})), http.StatusOK
	})
	s.handle(root, "POST datasets/{id}:upload", func(m message) (any, int) {
		f := s.file(m.id, false)
		if f == nil || m.file == nil {
			return "no such data set, or no file: " + m.id, http.StatusNotFound
		}
		f.Content, f.arrived = m.file.Content, true
		return map[string]any{"id": f.ID, "object": "file", "bytes": len(f.Content), "created_at": f.made, "filename": m.file.Name, "purpose": "fine-tune"}, http.StatusOK
	})
	s.handle(root, "GET datasets", func(m message) (any, int) {
		return s.tokened(m, "datasets", wires(s.files, fireworksDataset)), http.StatusOK
	})
	s.handle(root, "GET datasets/{id}", func(m message) (any, int) {
		f := s.file(m.id, true)
		if f == nil {
			return "no such data set: " + m.id, http.StatusNotFound
		}
		return fireworksDataset(f), http.StatusOK
	})
	s.speakFireworksJobs(root, "supervisedFineTuningJobs", "supervisedFineTuningJobId", func(order map[string]any) map[string]any { return order })
	s.speakFireworksJobs(root, "dpoJobs", "dpoJobId", func(order map[string]any) map[string]any {
		training, _ := order["trainingConfig"].(map[string]any)
		return training
	})
}

// speakFireworksJobs is one kind of jobs; training gives where an order says
// how is trained.
func (s *Server) speakFireworksJobs(root, kind, idName string, training func(map[string]any) map[string]any) {
	wire := func(j *Job) map[string]any { return fireworksJob(kind, j) }
	name := func(id string) string { return kind + "/" + id }
	s.handle(root, "POST "+kind, func(m message) (any, int) {
		id := m.query.Get(idName)
		if id == "" {
			id = "job-" + strconv.Itoa(len(s.jobs)+1)
		}
		if s.job(name(id)) != nil {
			return "job exists: " + id, http.StatusConflict
		}
		how := training(m.body)
		last := func(path string) string { return path[strings.LastIndex(path, "/")+1:] }
		job, refused := s.begin(&Job{
			ID: name(id), Order: m.body, model: text(how, "baseModel"), training: last(text(m.body, "dataset")),
			validation: last(text(m.body, "evaluationDataset")), suffix: text(how, "outputModel"),
		})
		if refused != "" {
			return refused, http.StatusBadRequest
		}
		return wire(job), http.StatusOK
	})
	s.handle(root, "GET "+kind, func(m message) (any, int) {
		var jobs []*Job
		for _, j := range s.listed() {
			if strings.HasPrefix(j.ID, kind+"/") {
				jobs = append(jobs, j)
			}
		}
		return s.tokened(m, kind, wires(jobs, wire)), http.StatusOK
	})
	s.handle(root, "GET "+kind+"/{id}", func(m message) (any, int) {
		return s.ask(name(m.id), func(job *Job) (any, int) {
			s.advance(job)
			return wire(job), http.StatusOK
		})
	})
	s.handle(root, "POST "+kind+"/{id}:cancel", func(m message) (any, int) {
		return s.cancel(name(m.id), func(*Job) map[string]any { return map[string]any{} })
	})
}

// tokened is a page of a list with the next page's token.
func (s *Server) tokened(m message, name string, items []any) map[string]any {
	most := s.opts.Page
	if n, err := strconv.Atoi(m.query.Get("pageSize")); err == nil && n < most {
		most = n
	}
	from, err := strconv.Atoi(m.query.Get("pageToken"))
	if err != nil {
		from = 0
	}
	from = min(from, len(items))
	to := min(from+most, len(items))
	out := map[string]any{name: items[from:to], "totalSize": len(items)}
	if to < len(items) {
		out["nextPageToken"] = strconv.Itoa(to)
	}
	return out
}

func fireworksDataset(f *File) map[string]any {
	out := map[string]any{
		"name": "accounts/" + Account + "/datasets/" + f.ID, "displayName": f.Name, "createTime": moment(f.made), "format": "CHAT",
		"exampleCount": strconv.Itoa(f.lines()), "state": "UPLOADING",
	}
	switch {
	case f.isChecked() && f.isGood():
		out["state"] = "READY"
	case f.isChecked():
		out["status"] = map[string]any{"code": "INVALID_ARGUMENT", "message": "a line is no JSON"}
	}
	return out
}

func fireworksJob(kind string, j *Job) map[string]any {
	words := map[string]string{
		"validating_files": "VALIDATING", "queued": "PENDING", "running": "RUNNING", "paused": "PAUSED", "succeeded": "COMPLETED", "failed": "FAILED", "cancelled": "CANCELLED",
	}
	out := map[string]any{
		"name": "accounts/" + Account + "/" + j.ID, "displayName": j.Order["displayName"], "createTime": moment(j.Made), "state": "JOB_STATE_" + words[j.Status],
		"dataset": "accounts/" + Account + "/datasets/" + j.training,
	}
	how := out
	if kind == "dpoJobs" {
		how = map[string]any{}
		out["trainingConfig"] = how
	}
	how["baseModel"], how["outputModel"] = j.model, fmt.Sprintf("accounts/%s/models/%s", Account, j.suffix)
	steps := 0
	for _, e := range j.events {
		steps = max(steps, e.step)
	}
	if steps > 0 {
		out["jobProgress"] = map[string]any{"percent": min(100, 10*steps), "epoch": 0}
	}
	if j.Ended != 0 {
		out["completedTime"] = moment(j.Ended)
		out["estimatedCost"] = map[string]any{"currencyCode": "USD", "units": "1", "nanos": 250_000_000}
	}
	if j.Error != "" {
		out["status"] = map[string]any{"code": "INTERNAL", "message": j.Error}
	}
	return out
}
