package localserver

import (
	"net/http"
	"slices"
)

// speakTogether is Together's API, but for the files' list, which is OpenAI's.
func (s *Server) speakTogether(root string) {
	s.handle(root, "POST files/upload", func(m message) (any, int) {
		if m.file == nil || m.form.Get("purpose") != "fine-tune" || m.form.Get("file_name") == "" {
			return "want a file, its file_name, and purpose fine-tune", http.StatusBadRequest
		}
		return s.openAIFile(s.keep(m.file)), http.StatusOK
	})
	s.handle(root, "POST fine-tunes", func(m message) (any, int) {
		if m.body["batch_size"] == nil {
			return "batch_size is required", http.StatusBadRequest
		}
		job, refused := s.begin(&Job{
			Order: m.body, model: text(m.body, "model"), training: text(m.body, "training_file"), validation: text(m.body, "validation_file"),
			suffix: text(m.body, "suffix"),
		})
		if refused != "" {
			return refused, http.StatusBadRequest
		}
		return togetherJob(job), http.StatusOK
	})
	s.handle(root, "GET fine-tunes", func(message) (any, int) {
		return map[string]any{"data": wires(s.listed(), togetherJob)}, http.StatusOK
	})
	// What the provider's own client asks before it orders.
	s.handle(root, "POST fine-tunes/estimate-price", func(message) (any, int) {
		return map[string]any{
			"estimated_total_price": 0.5, "user_limit": 100, "estimated_train_token_count": 24_000, "estimated_eval_token_count": 0, "allowed_to_proceed": true,
		}, http.StatusOK
	})
	s.handle(root, "GET fine-tunes/models/limits", func(m message) (any, int) {
		lora := map[string]any{"max_batch_size": 64, "max_batch_size_dpo": 32, "min_batch_size": 1, "max_rank": 64, "target_modules": []string{"q_proj"}}
		return map[string]any{"model_name": m.query.Get("model_name"), "max_num_epochs": 20, "max_num_evals": 100, "max_learning_rate": 0.01, "min_learning_rate": 1e-8, "lora_training": lora}, http.StatusOK
	})
	s.handle(root, "GET fine-tunes/{id}", func(m message) (any, int) {
		return s.ask(m.id, func(job *Job) (any, int) {
			s.advance(job)
			return togetherJob(job), http.StatusOK
		})
	})
	s.handle(root, "POST fine-tunes/{id}/cancel", func(m message) (any, int) { return s.cancel(m.id, togetherJob) })
	s.handle(root, "GET fine-tunes/{id}/events", func(m message) (any, int) {
		return s.ask(m.id, func(job *Job) (any, int) {
			events := []any{}
			for _, e := range slices.Backward(job.events) {
				wire := map[string]any{"object": "fine-tune-event", "created_at": moment(e.at), "level": "info", "message": e.message, "type": "JOB_PENDING"}
				if e.kind == "metrics" {
					wire["step"], wire["type"] = e.step, "EPOCH_COMPLETE"
				}
				events = append(events, wire)
			}
			return map[string]any{"data": events}, http.StatusOK
		})
	})
	s.handle(root, "GET fine-tunes/{id}/checkpoints", func(m message) (any, int) {
		return s.ask(m.id, func(job *Job) (any, int) {
			points := []any{}
			for _, p := range slices.Backward(job.points) {
				points = append(points, map[string]any{"step": p.step, "created_at": moment(p.at), "path": p.name, "checkpoint_type": "Intermediate"})
			}
			return map[string]any{"data": points}, http.StatusOK
		})
	})
}

func togetherJob(j *Job) map[string]any {
	status := j.Status
	words := map[string]string{"validating_files": "pending", "succeeded": "completed", "failed": "error", "paused": "queued"}
	if word, ok := words[status]; ok {
		status = word
	}
	updated := j.Made
	if j.Ended != 0 {
		updated = j.Ended
	}
	return map[string]any{
		"id": j.ID, "status": status, "model": j.model, "training_file": j.training, "model_output_name": "team/out", "token_count": orNil(j.Tokens),
		"created_at": moment(j.Made), "updated_at": moment(updated), "training_type": j.Order["training_type"],
	}
}
