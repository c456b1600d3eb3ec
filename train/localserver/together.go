package localserver

import (
	"strings"
	"time"
)

// ofTogether gives the path of OpenAI's that does the same work, or none.
func ofTogether(path string) (string, bool) {
	if path == "files/upload" {
		return "files", true
	}
	rest, ok := strings.CutPrefix(path, "fine-tunes")
	return "fine_tuning/jobs" + rest, ok
}

// asTogether says the same as a reply of OpenAI's in Together's words. Files say
// it in both, under one path.
func asTogether(reply any) any {
	thing, ok := reply.(map[string]any)
	if !ok {
		return reply
	}
	moment := func(key string) any {
		unix, ok := thing[key].(int64)
		if !ok {
			return nil
		}
		return time.Unix(unix, 0).UTC().Format(time.RFC3339)
	}
	switch thing["object"] {
	case "list":
		items, _ := thing["data"].([]map[string]any)
		data := []any{}
		for _, item := range items {
			data = append(data, asTogether(item))
		}
		return map[string]any{"data": data}
	case "fine_tuning.job":
		status, _ := thing["status"].(string)
		words := map[string]string{"validating_files": "pending", "succeeded": "completed", "failed": "error"}
		if word, ok := words[status]; ok {
			status = word
		}
		return map[string]any{
			"id": thing["id"], "status": status, "model": thing["model"], "training_file": thing["training_file"],
			"model_output_name": "team/out", "token_count": thing["trained_tokens"], "created_at": moment("created_at"), "updated_at": moment("finished_at"),
		}
	case "fine_tuning.job.event":
		event := map[string]any{
			"object": "fine-tune-event", "created_at": moment("created_at"), "level": thing["level"], "message": thing["message"], "type": "job_progress",
		}
		if data, ok := thing["data"].(map[string]any); ok && data["step"] != nil {
			event["step"] = data["step"]
		}
		return event
	case "fine_tuning.job.checkpoint":
		return map[string]any{
			"step": thing["step_number"], "created_at": moment("created_at"), "path": thing["fine_tuned_model_checkpoint"], "checkpoint_type": "Intermediate",
		}
	}
	return reply
}
