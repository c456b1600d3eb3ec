package review

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The shapes are those of Label Studio's task format:
// https://labelstud.io/guide/task_format.html

type lsTask struct {
	Data        lsData         `json:"data"`
	Annotations []lsAnnotation `json:"annotations,omitempty"`
}

type lsData struct {
	ExampleID   string   `json:"example_id"`
	ContentHash string   `json:"content_hash"`
	Queue       string   `json:"queue"`
	Stratum     string   `json:"stratum"`
	Source      string   `json:"source"`
	TaskType    string   `json:"task_type"`
	Dialogue    []lsTurn `json:"dialogue"`
	Messages    string   `json:"messages"` // JSON, for the text box
}

type lsTurn struct {
	Author string `json:"author"`
	Text   string `json:"text"`
}

type lsAnnotation struct {
	ID           json.RawMessage `json:"id,omitempty"`
	CompletedBy  json.RawMessage `json:"completed_by,omitempty"` // a user's number, or an object of one
	WasCancelled bool            `json:"was_cancelled"`
	LeadTime     *float64        `json:"lead_time,omitempty"` // s
	CreatedAt    time.Time       `json:"created_at,omitzero"`
	UpdatedAt    time.Time       `json:"updated_at,omitzero"`
	Result       []lsResult      `json:"result"`
}

type lsResult struct {
	FromName string `json:"from_name"`
	ToName   string `json:"to_name"`
	Type     string `json:"type"`
	Value    struct {
		Choices []string `json:"choices,omitempty"`
		Text    lsText   `json:"text,omitempty"`
	} `json:"value"`
}

// lsText is a list of texts; older versions export one text.
type lsText []string

func (t *lsText) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*t = lsText{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

func writeLabelStudio(w io.Writer, each func(func(Item) error) error, _ Rubric) error {
	return writeArray(w, each, func(item Item) (any, error) {
		messages, err := editable(item)
		if err != nil {
			return nil, err
		}
		data := lsData{
			ExampleID: item.ExampleID, ContentHash: item.ContentHash, Queue: item.Queue, Stratum: item.Stratum,
			Source: item.Source, TaskType: item.TaskType, Messages: messages,
		}
		for _, m := range item.Messages {
			data.Dialogue = append(data.Dialogue, lsTurn{Author: speaker(m), Text: plain(m)})
		}
		return lsTask{Data: data}, nil
	})
}

func readLabelStudio(text []byte) ([]Decision, error) {
	var tasks []lsTask
	if err := json.Unmarshal(text, &tasks); err != nil {
		return nil, err
	}
	var decisions []Decision
	for i, task := range tasks {
		if task.Data.ExampleID == "" {
			return nil, fmt.Errorf("task %d: no data.example_id: not a task that weir wrote, or a JSON-MIN export", i)
		}
		for _, a := range task.Annotations {
			d, err := a.decision(task.Data)
			if err != nil {
				return nil, fmt.Errorf("task %d: %w", i, err)
			}
			decisions = append(decisions, d)
		}
	}
	return decisions, nil
}

func (a lsAnnotation) decision(data lsData) (Decision, error) {
	d := Decision{ExampleID: data.ExampleID, ContentHash: data.ContentHash, Queue: data.Queue, Reviewer: a.reviewer(), DecidedAt: a.UpdatedAt}
	if d.DecidedAt.IsZero() {
		d.DecidedAt = a.CreatedAt
	}
	if a.LeadTime != nil {
		ms := *a.LeadTime * 1000
		d.DurationMS = &ms
	}
	var edited string
	for _, r := range a.Result {
		switch {
		case r.FromName == "verdict" && len(r.Value.Choices) > 0:
			d.Verdict = r.Value.Choices[0]
		case r.FromName == "note":
			d.Note = strings.Join(r.Value.Text, "\n")
		case r.FromName == "edited_messages":
			edited = strings.Join(r.Value.Text, "\n")
		}
	}
	if a.WasCancelled {
		d.Verdict = Skip
	}
	return d, d.edited(edited)
}

// reviewer is the user's mail address where the export has it, else the number.
func (a lsAnnotation) reviewer() string {
	var user struct {
		ID    json.Number `json:"id"`
		Email string      `json:"email"`
	}
	var number json.Number
	if json.Unmarshal(a.CompletedBy, &number) == nil && number != "" {
		return "label-studio:" + number.String()
	}
	if json.Unmarshal(a.CompletedBy, &user) != nil {
		return ""
	}
	if user.Email != "" {
		return user.Email
	}
	if user.ID != "" {
		return "label-studio:" + user.ID.String()
	}
	return ""
}

// labelConfig is the project's labeling interface.
func labelConfig(r Rubric) string {
	var b strings.Builder
	b.WriteString("<View>\n")
	for line := range strings.SplitSeq(guide(r), "\n") {
		var text strings.Builder
		_ = xml.EscapeText(&text, []byte(line)) // a strings.Builder takes everything
		fmt.Fprintf(&b, "  <Header size=\"5\" value=\"%s\"/>\n", text.String())
	}
	b.WriteString(`  <Paragraphs name="dialogue" value="$dialogue" layout="dialogue" nameKey="author" textKey="text"/>
  <Choices name="verdict" toName="dialogue" choice="single" required="true">
    <Choice value="accept"/>
    <Choice value="reject"/>
    <Choice value="edit"/>
    <Choice value="skip"/>
  </Choices>
  <TextArea name="edited_messages" toName="dialogue" value="$messages" rows="12" maxSubmissions="1" editable="true"/>
  <TextArea name="note" toName="dialogue" rows="2" maxSubmissions="1" editable="true"/>
</View>
`)
	return b.String()
}
