package localserver

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"
)

// speakOpenAI is OpenAI's API, and Azure's: that has no metadata, shorter
// suffixes, and files that it checks before they are processed.
func (s *Server) speakOpenAI(root string) {
	s.handle(root, "POST files", func(m message) (any, int) {
		if m.file == nil || m.form.Get("purpose") != "fine-tune" {
			return "want a file, and purpose fine-tune", http.StatusBadRequest
		}
		return s.openAIFile(s.keep(m.file)), http.StatusOK
	})
	s.handle(root, "GET files", func(m message) (any, int) {
		files := slices.Clone(s.files)
		slices.Reverse(files)
		return s.after(m.query, wires(files, s.openAIFile)), http.StatusOK
	})
	s.handle(root, "GET files/{id}", func(m message) (any, int) {
		f := s.file(m.id, true)
		if f == nil {
			return "no such file: " + m.id, http.StatusNotFound
		}
		return s.openAIFile(f), http.StatusOK
	})
	s.handle(root, "POST fine_tuning/jobs", func(m message) (any, int) {
		most := 64
		if s.opts.Provider == "azure" {
			most = 18
			if m.body["metadata"] != nil {
				return "metadata: unknown parameter", http.StatusBadRequest
			}
		}
		suffix := text(m.body, "suffix")
		if utf8.RuneCountInString(suffix) > most {
			return "suffix is too long", http.StatusBadRequest
		}
		job, refused := s.begin(&Job{
			Order: m.body, model: text(m.body, "model"), training: text(m.body, "training_file"), validation: text(m.body, "validation_file"), suffix: suffix,
		})
		if refused != "" {
			return refused, http.StatusBadRequest
		}
		return openAIJob(job), http.StatusOK
	})
	s.handle(root, "GET fine_tuning/jobs", func(m message) (any, int) {
		return s.after(m.query, wires(s.listed(), openAIJob)), http.StatusOK
	})
	s.handle(root, "GET fine_tuning/jobs/{id}", func(m message) (any, int) {
		return s.ask(m.id, func(job *Job) (any, int) {
			s.advance(job)
			return openAIJob(job), http.StatusOK
		})
	})
	s.handle(root, "POST fine_tuning/jobs/{id}/cancel", func(m message) (any, int) { return s.cancel(m.id, openAIJob) })
	s.handle(root, "GET fine_tuning/jobs/{id}/events", func(m message) (any, int) {
		return s.ask(m.id, func(job *Job) (any, int) {
			events := []any{}
			for _, e := range slices.Backward(job.events) {
				data := map[string]any{}
				if e.kind == "metrics" {
					data = map[string]any{"step": e.step, "train_loss": e.loss}
				}
				events = append(events, map[string]any{
					"object": "fine_tuning.job.event", "id": e.id, "created_at": e.at, "level": "info", "type": e.kind, "message": e.message, "data": data,
				})
			}
			return s.after(m.query, events), http.StatusOK
		})
	})
	s.handle(root, "GET fine_tuning/jobs/{id}/checkpoints", func(m message) (any, int) {
		return s.ask(m.id, func(job *Job) (any, int) {
			points := []any{}
			for _, p := range slices.Backward(job.points) {
				points = append(points, map[string]any{
					"object": "fine_tuning.job.checkpoint", "id": p.id, "created_at": p.at, "fine_tuning_job_id": job.ID,
					"fine_tuned_model_checkpoint": p.name, "step_number": p.step, "metrics": map[string]any{"train_loss": p.loss},
				})
			}
			return s.after(m.query, points), http.StatusOK
		})
	})
}

// openAIFile says Together's word as well: the two share the path.
func (s *Server) openAIFile(f *File) map[string]any {
	status := "pending"
	switch {
	case f.isChecked() && !f.isGood():
		status = "error"
	case f.isChecked() && s.opts.Provider == "azure":
		status = "processed"
	case f.isChecked():
		status = "uploaded"
	}
	return map[string]any{
		"id": f.ID, "object": "file", "bytes": len(f.Content), "created_at": f.made, "filename": f.Name, "purpose": "fine-tune", "status": status,
		"Processed": f.isChecked() && f.isGood(),
	}
}

func openAIJob(j *Job) map[string]any {
	out := map[string]any{
		"object": "fine_tuning.job", "id": j.ID, "model": j.model, "training_file": j.training, "validation_file": orNil(j.validation),
		"status": j.Status, "created_at": j.Made, "finished_at": orNil(j.Ended), "fine_tuned_model": orNil(j.result()), "trained_tokens": orNil(j.Tokens),
		"metadata": j.Order["metadata"], "method": j.Order["method"], "error": nil, "hyperparameters": map[string]any{}, "organization_id": "org-1",
		"result_files": []string{}, "seed": 0, "suffix": j.suffix,
	}
	if j.Error != "" {
		out["error"] = map[string]any{"code": "diverged", "message": j.Error, "param": nil}
	}
	return out
}

// after is a page of a list: what comes after an id.
func (s *Server) after(query url.Values, items []any) map[string]any {
	id := func(item any) any {
		object, _ := item.(map[string]any)
		return object["id"]
	}
	if after := query.Get("after"); after != "" {
		if i := slices.IndexFunc(items, func(item any) bool { return id(item) == after }); i >= 0 {
			items = items[i+1:]
		}
	}
	most := s.opts.Page
	if limit, err := strconv.Atoi(query.Get("limit")); err == nil && limit < most {
		most = limit
	}
	more := len(items) > most
	if more {
		items = items[:most]
	}
	return map[string]any{"object": "list", "data": items, "has_more": more}
}
