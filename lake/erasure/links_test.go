package erasure

import (
	"regexp"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake"
)

// pointing are names of columns that may point at a person or at another row.
var pointing = regexp.MustCompile(`(_id|_ids|author|reviewer|user|person|owner|email)$`)

// elsewhere are those that do not have to be followed, and why.
var elsewhere = map[string]string{
	"parent_conversation_id": "conversations of one subject go together",
	"parent_call_id":         "the same",
	"parent_checkpoint_id":   "the same",
	"previous_response_id":   "a later call, with what was said in it under its own person_ids",
	"tool_call_id":           "within a conversation",
	"task_id":                "a question that many runs are asked",
	"scenario_id":            "an id within a suite",
	"knowledge_id":           "a section of a document, which document_ids names",
	"eval_run_id":            "a run of a suite",
	"run_id":                 "a training run",
	"job_id":                 "the same",
	"request_id":             "events.erasures: the request itself",
}

// Every column that may lead to the erased is followed, or stands above.
func TestEveryLinkIsKnown(t *testing.T) {
	for _, payload := range lake.Payloads() {
		links := LinksOf(payload.Table)
		followed := strings.Join(append(links.Bears, links.Persons, links.Targets), " ")
		for _, column := range payload.Columns() {
			if !pointing.MatchString(column.Name) || elsewhere[column.Name] != "" && !strings.Contains(followed, column.Name) {
				continue
			}
			if payload.Table == "events.chat_messages" && column.Name == "parent_id" {
				continue // within a conversation
			}
			if !regexp.MustCompile(`\b` + column.Name + `\b`).MatchString(followed) {
				t.Errorf("%s.%s: does it lead to a person, or to what a person said?", payload.Table, column.Name)
			}
		}
	}
}
