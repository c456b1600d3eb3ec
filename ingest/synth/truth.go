package synth

// Truth is one line of truth.jsonl: something that was planted, for tests to
// find again. Kind says which fields are set.
//
//	duplicate       ids[1] says word for word what ids[0] said
//	near_duplicate  ids[1] is ids[0] with edit_rate of its words replaced; jaccard of their word 3-grams
//	family          ids work on the same task
//	outcome         value (success or failure) of ids[0]
//	conflict        ids[0] is a group chat in which two agents claim the same resource
//	secret          value stands in ids[0]
//	erasure         value is the person who asks to be forgotten; ids are the subjects
//	arm             ids[0] was assigned to the arm named by value
//	feature         value is something that a session has: compaction, sub_agent, …
//	broken          file has a bad record on line; value is the reason it must be refused for
//	records         value is a format, count its records
type Truth struct {
	Kind     string   `json:"kind"`
	IDs      []string `json:"ids,omitempty"` // conversation, session or task ids
	Value    string   `json:"value,omitempty"`
	EditRate float64  `json:"edit_rate,omitempty"`
	Jaccard  float64  `json:"jaccard,omitempty"`
	File     string   `json:"file,omitempty"`
	Line     int64    `json:"line,omitempty"`
	Count    int64    `json:"count,omitempty"`
}
