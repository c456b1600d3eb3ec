package review

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// The shapes are those of argilla 2's Record.to_dict, which
// dataset.records.to_json writes and from_json reads. They bear no times: a
// decision counts from when it is first taken in.

type argillaRecord struct {
	ID          string                       `json:"id"`
	Fields      map[string]any               `json:"fields"`
	Metadata    map[string]any               `json:"metadata"`
	Suggestions map[string]argillaSuggestion `json:"suggestions"`
	Responses   map[string][]argillaResponse `json:"responses"`
	Vectors     map[string]any               `json:"vectors"`
	ServerID    *string                      `json:"_server_id"`
}

type argillaSuggestion struct {
	Value any      `json:"value"`
	Score *float64 `json:"score"`
	Agent *string  `json:"agent"`
}

type argillaResponse struct {
	Value  json.RawMessage `json:"value"`
	UserID string          `json:"user_id"`
}

type argillaMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func writeArgilla(w io.Writer, each func(func(Item) error) error, _ Rubric) error {
	return writeArray(w, each, func(item Item) (any, error) {
		messages, err := editable(item)
		if err != nil {
			return nil, err
		}
		chat := []argillaMessage{}
		for _, m := range item.Messages {
			chat = append(chat, argillaMessage{Role: speaker(m), Content: plain(m)})
		}
		return argillaRecord{
			ID:     item.ExampleID,
			Fields: map[string]any{"conversation": chat},
			Metadata: map[string]any{
				"content_hash": item.ContentHash, "queue": item.Queue, "stratum": item.Stratum,
				"source": item.Source, "task_type": item.TaskType,
			},
			// A suggestion fills the box in beforehand.
			Suggestions: map[string]argillaSuggestion{"edited_messages": {Value: messages}},
			Responses:   map[string][]argillaResponse{},
			Vectors:     map[string]any{},
		}, nil
	})
}

func readArgilla(text []byte) ([]Decision, error) {
	var records []argillaRecord
	if err := json.Unmarshal(text, &records); err != nil {
		return nil, err
	}
	var decisions []Decision
	for i, record := range records {
		hash, _ := record.Metadata["content_hash"].(string)
		if record.ID == "" || hash == "" {
			return nil, fmt.Errorf("record %d: no id or no metadata.content_hash: not a record that weir wrote", i)
		}
		queue, _ := record.Metadata["queue"].(string)
		for _, response := range record.Responses["verdict"] {
			d := Decision{ExampleID: record.ID, ContentHash: hash, Queue: queue, Reviewer: "argilla:" + response.UserID}
			if response.UserID == "" {
				d.Reviewer = ""
			}
			if err := json.Unmarshal(response.Value, &d.Verdict); err != nil {
				return nil, fmt.Errorf("record %d: verdict: %w", i, err)
			}
			d.Note = record.answer("note", response.UserID)
			if err := d.edited(record.answer("edited_messages", response.UserID)); err != nil {
				return nil, fmt.Errorf("record %d: %w", i, err)
			}
			decisions = append(decisions, d)
		}
	}
	return decisions, nil
}

// answer is a user's text; empty if there is none.
func (r argillaRecord) answer(question, userID string) string {
	i := slices.IndexFunc(r.Responses[question], func(a argillaResponse) bool { return a.UserID == userID })
	var text string
	if i < 0 || json.Unmarshal(r.Responses[question][i].Value, &text) != nil {
		return ""
	}
	return text
}

// argillaDataset is a script that makes the dataset and logs the records.
func argillaDataset(r Rubric) string {
	return `# Makes an Argilla 2 dataset of the records that weir wrote:
#   ARGILLA_API_URL=… ARGILLA_API_KEY=… python argilla-dataset.py records.json
# Afterwards: client.datasets("weir-review").records(with_responses=True).to_json("reviewed.json")
import os, sys
import argilla as rg

client = rg.Argilla(api_url=os.environ["ARGILLA_API_URL"], api_key=os.environ["ARGILLA_API_KEY"])
settings = rg.Settings(
    guidelines=` + strconv.Quote(guide(r)) + `,
    fields=[rg.ChatField(name="conversation")],
    questions=[
        rg.LabelQuestion(name="verdict", labels=["accept", "reject", "edit", "skip"]),
        rg.TextQuestion(name="edited_messages", required=False),
        rg.TextQuestion(name="note", required=False),
    ],
    metadata=[rg.TermsMetadataProperty(name=name) for name in ("content_hash", "queue", "stratum", "source", "task_type")],
)
dataset = rg.Dataset(name="weir-review", settings=settings, client=client)
dataset.create()
dataset.records.from_json(sys.argv[1])
`
}
