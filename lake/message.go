package lake

// Message is one message of a conversation, as it stands in events and in
// canonical examples. Tool-call arguments stay the JSON text that was sent.
type Message struct {
	Role       string     `json:"role,omitempty" fid:"1" doc:"system, developer, user, assistant or tool"`
	Name       string     `json:"name,omitempty" fid:"2" doc:"speaker, where several share a role; tool name on tool messages"`
	Content    string     `json:"content,omitempty" fid:"3" doc:"plain text as sent"`
	Reasoning  string     `json:"reasoning,omitempty" fid:"4" doc:"readable reasoning text; never signatures or encrypted blocks"`
	ToolCalls  []ToolCall `json:"tool_calls,omitempty" fid:"5" doc:"calls that the message makes, in order"`
	ToolCallID string     `json:"tool_call_id,omitempty" fid:"6" doc:"on a tool message: the call that it answers"`
	IsError    *bool      `json:"is_error,omitempty" fid:"7" doc:"on a tool message: the tool failed"`
	Weight     *float64   `json:"weight,omitempty" fid:"8" doc:"1: a target, 0: context; null where the source says nothing"`
	Model      string     `json:"model,omitempty" fid:"9" doc:"model that wrote the message"`
	EventID    string     `json:"event_id,omitempty" fid:"10" doc:"native id of the message or of the output that it belongs to"`
	Parts      string     `json:"parts,omitempty" fid:"11" doc:"JSON array of what is not text (images by reference, server tool blocks)"`
	Usage      string     `json:"usage,omitempty" fid:"12" doc:"JSON: token usage as sent, where the source counts it per message"`
}

// ToolCall is one call of a tool by an assistant message.
type ToolCall struct {
	ID        string `json:"id,omitempty" fid:"1" doc:"call id, as sent; may be empty"`
	Name      string `json:"name,omitempty" fid:"2" doc:"tool that is called"`
	Arguments string `json:"arguments,omitempty" fid:"3" doc:"arguments, the JSON text as sent"`
}

// Tool is a tool that the model could call.
type Tool struct {
	Name        string `json:"name,omitempty" fid:"1" doc:"tool name"`
	Description string `json:"description,omitempty" fid:"2" doc:"what the model was told of it"`
	Parameters  string `json:"parameters,omitempty" fid:"3" doc:"JSON Schema of the arguments, as JSON text"`
}
