package localserver

import (
	"net/http"
	"slices"
	"unicode/utf8"
)

// speakMistral is Mistral's API: pages by number, events and checkpoints within
// the job, and a second job of the same order refused.
func (s *Server) speakMistral(root string) {
	s.handle(root, "POST files", func(m message) (any, int) {
		if m.file == nil || m.form.Get("purpose") != "fine-tune" {
			return "want a file, and purpose fine-tune", http.StatusBadRequest
		}
		if !m.file.isGood() { // it is checked while it comes
			return "invalid file: a line is no JSON", http.StatusUnprocessableEntity
		}
		m.file.asked = 1
		return mistralFile(s.keep(m.file)), http.StatusOK
	})
	s.handle(root, "GET files", func(m message) (any, int) {
		files := slices.Clone(s.files)
		slices.Reverse(files)
		return map[string]any{"object": "list", "total": len(files), "data": s.numbered(m.query, wires(files, mistralFile))}, http.StatusOK
	})
	s.handle(root, "GET files/{id}", func(m message) (any, int) {
		f := s.file(m.id, true)
		if f == nil {
			return "no such file: " + m.id, http.StatusNotFound
		}
		wire := mistralFile(f)
		wire["deleted"] = false
		return wire, http.StatusOK
	})
	s.handle(root, "POST fine_tuning/jobs", func(m message) (any, int) {
		training, _ := m.body["training_files"].([]any)
		validation, _ := m.body["validation_files"].([]any)
		if len(training) == 0 || m.body["hyperparameters"] == nil || utf8.RuneCountInString(text(m.body, "suffix")) > 18 {
			return "want training_files, hyperparameters, and a suffix of 18 characters at most", http.StatusUnprocessableEntity
		}
		first, _ := training[0].(map[string]any)
		order := &Job{Order: m.body, model: text(m.body, "model"), training: text(first, "file_id"), suffix: text(m.body, "suffix")}
		if len(validation) > 0 {
			order.validation, _ = validation[0].(string)
		}
		for _, j := range s.jobs {
			if j.training == order.training && j.model == order.model && j.suffix == order.suffix {
				return "a job of this order exists", http.StatusConflict
			}
		}
		job, refused := s.begin(order)
		if refused != "" {
			return refused, http.StatusUnprocessableEntity
		}
		return mistralJob(job), http.StatusOK
	})
	s.handle(root, "GET fine_tuning/jobs", func(m message) (any, int) {
		jobs := s.listed()
		return map[string]any{"object": "list", "total": len(jobs), "data": s.numbered(m.query, wires(jobs, mistralJob))}, http.StatusOK
	})
	s.handle(root, "GET fine_tuning/jobs/{id}", func(m message) (any, int) {
		return s.ask(m.id, func(job *Job) (any, int) {
			s.advance(job)
			return mistralDetail(job), http.StatusOK
		})
	})
	s.handle(root, "POST fine_tuning/jobs/{id}/cancel", func(m message) (any, int) { return s.cancel(m.id, mistralDetail) })
}

func mistralFile(f *File) map[string]any {
	return map[string]any{
		"id": f.ID, "object": "file", "bytes": len(f.Content), "created_at": f.made, "filename": f.Name, "purpose": "fine-tune",
		"sample_type": "instruct", "source": "upload", "num_lines": f.lines(),
	}
}

func mistralJob(j *Job) map[string]any {
	words := map[string]string{
		"validating_files": "VALIDATING", "queued": "QUEUED", "running": "RUNNING", "paused": "STARTED", "succeeded": "SUCCESS", "failed": "FAILED", "cancelled": "CANCELLED",
	}
	modified := j.Made
	if j.Ended != 0 {
		modified = j.Ended
	}
	out := map[string]any{
		"object": "job", "job_type": "completion", "id": j.ID, "auto_start": j.Order["auto_start"] == true, "model": j.model, "status": words[j.Status],
		"created_at": j.Made, "modified_at": modified, "training_files": []string{j.training}, "validation_files": []string{},
		"hyperparameters": j.Order["hyperparameters"], "fine_tuned_model": orNil(j.result()), "suffix": j.suffix, "trained_tokens": orNil(j.Tokens),
		"integrations": []any{}, "repositories": []any{}, "metadata": map[string]any{"cost": 4.5, "cost_currency": "USD", "train_tokens": 12_000},
	}
	if j.validation != "" {
		out["validation_files"] = []string{j.validation}
	}
	return out
}

func mistralDetail(j *Job) map[string]any {
	out := mistralJob(j)
	events, points := []any{}, []any{}
	for _, e := range slices.Backward(j.events) {
		data := map[string]any{"message": e.message}
		if e.kind == "metrics" {
			data["step"], data["train_loss"] = e.step, e.loss
		}
		events = append(events, map[string]any{"name": "status-updated", "created_at": e.at, "data": data})
	}
	if j.Error != "" {
		events = append(events, map[string]any{"name": "status-updated", "created_at": j.Ended, "data": map[string]any{"status": "FAILED", "error": j.Error}})
	}
	for _, p := range slices.Backward(j.points) {
		points = append(points, map[string]any{"created_at": p.at, "step_number": p.step, "metrics": map[string]any{"train_loss": p.loss}})
	}
	out["events"], out["checkpoints"] = events, points
	return out
}
