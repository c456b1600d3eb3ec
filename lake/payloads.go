package lake

import "time"

// Persons is part of every payload: the people that an erasure can name.
type Persons struct {
	PersonIDs []string `json:"person_ids,omitempty" fid:"19" doc:"ids of the people who speak or are spoken of; an erasure names them"`
}

// Usage is token usage of one model call. Input counts everything that was
// sent, cached or not; the native numbers stay as sent in Raw.
type Usage struct {
	InputTokens      *int64   `json:"input_tokens,omitempty" fid:"80" doc:"tokens sent, cached ones included"`
	CachedTokens     *int64   `json:"cached_tokens,omitempty" fid:"81" doc:"tokens of the input that were read from the provider's cache"`
	CacheWriteTokens *int64   `json:"cache_write_tokens,omitempty" fid:"82" doc:"tokens of the input that were written to the provider's cache"`
	OutputTokens     *int64   `json:"output_tokens,omitempty" fid:"83" doc:"tokens generated, as reported"`
	ReasoningTokens  *int64   `json:"reasoning_tokens,omitempty" fid:"84" doc:"reasoning tokens, as reported"`
	TotalTokens      *int64   `json:"total_tokens,omitempty" fid:"85" doc:"total as reported; never recomputed"`
	CostUSD          *float64 `json:"cost_usd,omitempty" fid:"86" doc:"cost at call time in USD, as reported"`
	Raw              string   `json:"usage,omitempty" fid:"87" doc:"JSON: the native usage object as sent"`
}

// Kinds of ChatMessage: what a line of a transcript is, whatever role it bears.
const (
	KindPrompt      = "prompt"      // a human asks
	KindOutput      = "output"      // (part of) a logged model output; the only kind that can be a target
	KindToolResult  = "tool_result" // a tool or the environment answers
	KindSummary     = "summary"     // a compaction summary: opens the next context window
	KindContext     = "context"     // inserted by a client, template or harness; the model saw it
	KindQueued      = "queued"      // typed by a human while the agent worked, delivered in mid-turn
	KindRefusal     = "refusal"     // a human refused a tool call (the content is the human's words)
	KindInterrupt   = "interrupt"   // a human stopped the agent; the model did not see it as a prompt
	KindError       = "error"       // a synthetic line (API error); never seen as an output
	KindNotice      = "notice"      // bookkeeping of the client; the model did not see it
	KindSystem      = "system"      // an agent's system prompt
	KindEnvironment = "environment" // an executor, a script or a terminal speaks in a group chat
)

// ChatMessage is the payload of weir.chat.message.v1: one message, or one part
// of a model output, of a conversation or group chat.
type ChatMessage struct {
	Persons
	ConversationID       string     `json:"conversation_id,omitempty" fid:"20" doc:"conversation; a sub-agent's run is a conversation of its own under its parent's subject"`
	ParentConversationID string     `json:"parent_conversation_id,omitempty" fid:"21" doc:"conversation that started this one"`
	ParentCallID         string     `json:"parent_call_id,omitempty" fid:"22" doc:"tool call of the parent conversation that this one answers"`
	MessageID            string     `json:"message_id,omitempty" fid:"23" doc:"native id of the line"`
	ParentID             string     `json:"parent_id,omitempty" fid:"24" doc:"native id of the line before; may point at one not (yet) in the lake"`
	ResponseID           string     `json:"response_id,omitempty" fid:"25" doc:"native id of the model output that the line is part of"`
	Kind                 string     `json:"kind,omitempty" fid:"26" doc:"prompt, output, tool_result, summary, context, queued, refusal, interrupt, error, notice, system or environment"`
	Agent                string     `json:"agent,omitempty" fid:"27" doc:"agent that speaks; empty for humans"`
	Recipient            string     `json:"recipient,omitempty" fid:"28" doc:"agent that is addressed, where one is"`
	Channel              string     `json:"channel,omitempty" fid:"29" doc:"channel, phase or branch"`
	Role                 string     `json:"role,omitempty" fid:"30" doc:"role as sent; relative to one agent's view in group chats"`
	Name                 string     `json:"name,omitempty" fid:"31" doc:"speaker's display name; tool name of a result"`
	Content              string     `json:"content,omitempty" fid:"32" doc:"text as sent"`
	Reasoning            string     `json:"reasoning,omitempty" fid:"33" doc:"readable reasoning"`
	ToolCalls            []ToolCall `json:"tool_calls,omitempty" fid:"34" doc:"calls that the message makes"`
	ToolCallID           string     `json:"tool_call_id,omitempty" fid:"35" doc:"call that a result answers"`
	IsError              *bool      `json:"is_error,omitempty" fid:"36" doc:"the tool failed"`
	IsFinal              *bool      `json:"is_final,omitempty" fid:"37" doc:"ends the conversation (a terminal event)"`
	Parts                string     `json:"parts,omitempty" fid:"38" doc:"JSON array of what is not text"`
	Tools                []Tool     `json:"tools,omitempty" fid:"39" doc:"tools declared at this point, where the log says"`
	Model                string     `json:"model,omitempty" fid:"40" doc:"model that wrote the message"`
	FinishReason         string     `json:"finish_reason,omitempty" fid:"41" doc:"why the model stopped, as sent"`
	TaskID               string     `json:"task_id,omitempty" fid:"42" doc:"native task id (instance, question, task); joins split groups"`
	Outcome              string     `json:"outcome,omitempty" fid:"43" doc:"success or failure where the log labels the conversation"`
	Purpose              string     `json:"purpose,omitempty" fid:"44" doc:"eval, suite or judge: traffic that never becomes an example"`
	Position             int64      `json:"position" fid:"45" doc:"place in the source file: record ordinal × 1000 + place in the record"`
	OrderedAt            time.Time  `json:"ordered_at" fid:"46" doc:"running maximum of time in the source file: the order key across files"`
	LatencyMS            *float64   `json:"latency_ms,omitempty" fid:"47" doc:"time that the turn took, ms"`
	Usage
}

// GatewayCall is the payload of weir.gateway.call.v1: one LLM call, one choice.
type GatewayCall struct {
	Persons
	RequestID          string    `json:"request_id,omitempty" fid:"20" doc:"id of the call in the gateway or recorder"`
	ResponseID         string    `json:"response_id,omitempty" fid:"21" doc:"provider's id of the reply"`
	PreviousResponseID string    `json:"previous_response_id,omitempty" fid:"22" doc:"native link to the call that this one continues"`
	ConversationID     string    `json:"conversation_id,omitempty" fid:"23" doc:"native conversation, session or trace id; empty where the log has none"`
	TaskID             string    `json:"task_id,omitempty" fid:"24" doc:"native task id"`
	Agent              string    `json:"agent,omitempty" fid:"25" doc:"agent that called"`
	Provider           string    `json:"provider,omitempty" fid:"26" doc:"provider: openai, anthropic, together, …"`
	API                string    `json:"api,omitempty" fid:"27" doc:"chat_completions, responses, messages or generate_content"`
	Model              string    `json:"model,omitempty" fid:"28" doc:"model asked for"`
	ResponseModel      string    `json:"response_model,omitempty" fid:"29" doc:"model that answered, as reported"`
	Experiment         string    `json:"experiment,omitempty" fid:"30" doc:"A/B test that the call was part of"`
	Arm                string    `json:"arm,omitempty" fid:"31" doc:"arm of that test"`
	Messages           []Message `json:"messages,omitempty" fid:"32" doc:"the request, system prompt first"`
	Output             []Message `json:"output,omitempty" fid:"33" doc:"the reply: one assistant message; empty on failure and where the log has no reply"`
	Tools              []Tool    `json:"tools,omitempty" fid:"34" doc:"tools declared in the request"`
	ToolChoice         string    `json:"tool_choice,omitempty" fid:"35" doc:"tool choice, JSON text as sent"`
	ResponseFormat     string    `json:"response_format,omitempty" fid:"36" doc:"output format asked for, JSON text as sent"`
	ParallelToolCalls  *bool     `json:"parallel_tool_calls,omitempty" fid:"37" doc:"as sent"`
	Params             string    `json:"params,omitempty" fid:"38" doc:"JSON: other request parameters (temperature, …); _response, _gateway: what else the reply and the gateway say"`
	FinishReason       string    `json:"finish_reason,omitempty" fid:"39" doc:"why the model stopped, as sent"`
	Status             string    `json:"status,omitempty" fid:"40" doc:"success or failure of the call itself, not of its task"`
	Error              string    `json:"error,omitempty" fid:"41" doc:"error text of a failed call"`
	HTTPStatus         *int64    `json:"http_status,omitempty" fid:"42" doc:"HTTP status of the reply"`
	Purpose            string    `json:"purpose,omitempty" fid:"43" doc:"eval, suite, judge or compaction: calls that never become examples"`
	Tags               []string  `json:"tags,omitempty" fid:"44" doc:"tags of the gateway"`
	ChoiceIndex        int64     `json:"choice_index" fid:"45" doc:"choice of the reply (n > 1: one event a choice; usage stands on choice 0)"`
	Position           int64     `json:"position" fid:"46" doc:"place in the source file; orders calls of equal time"`
	IsStream           *bool     `json:"is_stream,omitempty" fid:"47" doc:"reply was streamed"`
	IsBatch            *bool     `json:"is_batch,omitempty" fid:"48" doc:"call ran in a provider's batch API"`
	LatencyMS          *float64  `json:"latency_ms,omitempty" fid:"49" doc:"request to last byte, ms"`
	TimeToFirstTokenMS *float64  `json:"time_to_first_token_ms,omitempty" fid:"50" doc:"request to first token, ms"`
	IsFinal            *bool     `json:"is_final,omitempty" fid:"51" doc:"ends its conversation: nothing will follow"`
	Usage
}

// Checkpoint is the payload of weir.checkpoint.saved.v1: a saved state of a task.
type Checkpoint struct {
	Persons
	TaskID             string    `json:"task_id,omitempty" fid:"20" doc:"task or thread whose state it is"`
	CheckpointID       string    `json:"checkpoint_id,omitempty" fid:"21" doc:"native checkpoint id"`
	ParentCheckpointID string    `json:"parent_checkpoint_id,omitempty" fid:"22" doc:"native id of the checkpoint before"`
	Namespace          string    `json:"namespace,omitempty" fid:"23" doc:"sub-graph; empty for the root graph"`
	Agent              string    `json:"agent,omitempty" fid:"24" doc:"agent or node that saved it"`
	Status             string    `json:"status,omitempty" fid:"25" doc:"native status word; not an outcome"`
	Cause              string    `json:"cause,omitempty" fid:"26" doc:"input, loop, update or fork"`
	Instruction        string    `json:"instruction,omitempty" fid:"27" doc:"what the task asks for, where the log says"`
	Summary            string    `json:"summary,omitempty" fid:"28" doc:"running summary in the state; the model saw it as context"`
	State              string    `json:"state,omitempty" fid:"29" doc:"JSON: the other channels of the state"`
	Messages           []Message `json:"messages,omitempty" fid:"30" doc:"messages in the state at this checkpoint, in order"`
	Outcome            string    `json:"outcome,omitempty" fid:"31" doc:"success or failure where there is evidence; else empty"`
	Evidence           string    `json:"evidence,omitempty" fid:"32" doc:"what the outcome rests on"`
	Step               *int64    `json:"step,omitempty" fid:"33" doc:"step number, -1 for the input"`
	IsFinal            *bool     `json:"is_final,omitempty" fid:"34" doc:"the task ended here"`
	Files              []string  `json:"files,omitempty" fid:"35" doc:"files that the task touched"`
	ConversationID     string    `json:"conversation_id,omitempty" fid:"36" doc:"conversation whose state it is, where another id than the task's"`
	Usage
}

// Document is the payload of weir.document.added.v1. A document is a seed,
// never an example.
type Document struct {
	Persons
	Kind      string `json:"kind,omitempty" fid:"20" doc:"constitution, system_prompt, rules, methodology, tool_description or essay"`
	Title     string `json:"title,omitempty" fid:"21" doc:"title, else the first heading"`
	Text      string `json:"text,omitempty" fid:"22" doc:"the text"`
	Version   string `json:"version,omitempty" fid:"23" doc:"version as named by its author, else the text's sha256"`
	MediaType string `json:"media_type,omitempty" fid:"24" doc:"text/markdown, text/plain or application/json"`
}

// GeneratedExample is the payload of weir.example.generated.v1: an augmented
// or synthetic example.
type GeneratedExample struct {
	Persons
	Method            string    `json:"method,omitempty" fid:"20" doc:"how it was made: paraphrase, persona_swap, …"`
	GeneratorModel    string    `json:"generator_model,omitempty" fid:"21" doc:"model that wrote it; empty for a deterministic method"`
	PromptHash        string    `json:"prompt_hash,omitempty" fid:"22" doc:"sha256 of the generator's prompt"`
	ParentIDs         []string  `json:"parent_ids,omitempty" fid:"23" doc:"examples that it was made from"`
	DocumentIDs       []string  `json:"document_ids,omitempty" fid:"24" doc:"documents that seeded it: provenance, not a split edge"`
	ScenarioID        string    `json:"scenario_id,omitempty" fid:"25" doc:"scenario that seeded it; a split edge"`
	TaskType          string    `json:"task_type,omitempty" fid:"26" doc:"task type of the example"`
	Messages          []Message `json:"messages,omitempty" fid:"27" doc:"the example's messages, weights set"`
	Tools             []Tool    `json:"tools,omitempty" fid:"28" doc:"tools declared"`
	Seed              *int64    `json:"seed,omitempty" fid:"29" doc:"seed of a deterministic method"`
	CostUSD           *float64  `json:"cost_usd,omitempty" fid:"30" doc:"what generating it cost, USD"`
	InputTokens       *int64    `json:"input_tokens,omitempty" fid:"31" doc:"tokens that the generator read, as it counts them"`
	OutputTokens      *int64    `json:"output_tokens,omitempty" fid:"32" doc:"tokens that the generator wrote, as it counts them"`
	Variation         *int64    `json:"variation,omitempty" fid:"33" doc:"which of several by one method from one root, from 0"`
	ResponseFormat    string    `json:"response_format,omitempty" fid:"34" doc:"JSON: the parent's response format, which the answers still follow"`
	ToolChoice        string    `json:"tool_choice,omitempty" fid:"35" doc:"JSON: the parent's tool choice"`
	KnowledgeID       string    `json:"knowledge_id,omitempty" fid:"36" doc:"section of curated.knowledge that seeded it: provenance, not a split edge"`
	ParallelToolCalls *bool     `json:"parallel_tool_calls,omitempty" fid:"37" doc:"as sent with the parent"`
}

// Judgement is the payload of weir.judgement.scored.v1: one automatic score.
type Judgement struct {
	Persons
	TargetKind     string   `json:"target_kind,omitempty" fid:"20" doc:"example, conversation, call, message or result"`
	TargetID       string   `json:"target_id,omitempty" fid:"21" doc:"what was judged"`
	Rubric         string   `json:"rubric,omitempty" fid:"22" doc:"rubric name"`
	RubricVersion  string   `json:"rubric_version,omitempty" fid:"23" doc:"rubric version or hash"`
	JudgeModel     string   `json:"judge_model,omitempty" fid:"24" doc:"model that judged; empty for a program"`
	Reasons        string   `json:"reasons,omitempty" fid:"25" doc:"the judge's reasons"`
	Error          string   `json:"error,omitempty" fid:"26" doc:"why there is no score: a judge that fails gives none"`
	Score          *float64 `json:"score,omitempty" fid:"27" doc:"score as given"`
	HigherIsBetter *bool    `json:"higher_is_better,omitempty" fid:"28" doc:"polarity of the score"`
	Passed         *bool    `json:"passed,omitempty" fid:"29" doc:"verdict, where the rubric has one"`
	CostUSD        *float64 `json:"cost_usd,omitempty" fid:"30" doc:"what judging cost, USD"`
	ComparedID     string   `json:"compared_id,omitempty" fid:"31" doc:"what the target was compared with, where the rubric takes two"`
	ContentHash    string   `json:"content_hash,omitempty" fid:"32" doc:"content hash of the example that was judged"`
	PromptHash     string   `json:"prompt_hash,omitempty" fid:"33" doc:"sha256 of the judge's prompt"`
	InputTokens    *int64   `json:"input_tokens,omitempty" fid:"34" doc:"tokens that the judge read, as it counts them"`
	OutputTokens   *int64   `json:"output_tokens,omitempty" fid:"35" doc:"tokens that the judge wrote, as it counts them"`
}

// Review is the payload of weir.review.decided.v1: one human decision.
type Review struct {
	Persons
	ExampleID      string    `json:"example_id,omitempty" fid:"20" doc:"example that was reviewed"`
	ContentHash    string    `json:"content_hash,omitempty" fid:"21" doc:"content that was seen; another hash makes the review stale"`
	Reviewer       string    `json:"reviewer,omitempty" fid:"22" doc:"who decided"`
	Verdict        string    `json:"verdict,omitempty" fid:"23" doc:"accept, reject, edit or skip"`
	EditedMessages []Message `json:"edited_messages,omitempty" fid:"24" doc:"on edit: the messages as they should be"`
	Rubric         string    `json:"rubric,omitempty" fid:"25" doc:"rubric that was shown"`
	Note           string    `json:"note,omitempty" fid:"26" doc:"the reviewer's note"`
	Queue          string    `json:"queue,omitempty" fid:"27" doc:"queue that the item came from"`
	DurationMS     *float64  `json:"duration_ms,omitempty" fid:"28" doc:"time spent, ms"`
}

// Swarm is the payload of weir.swarm.*.v1: what agents leave for each other.
type Swarm struct {
	Persons
	Kind       string     `json:"kind,omitempty" fid:"20" doc:"trace, read, claim, release, proposal, vote, decision, help, handoff or lesson"`
	Agent      string     `json:"agent,omitempty" fid:"21" doc:"agent that acts"`
	Recipient  string     `json:"recipient,omitempty" fid:"22" doc:"agent that is helped or handed to"`
	Topic      string     `json:"topic,omitempty" fid:"23" doc:"what it is about: task, decision or domain"`
	Resource   string     `json:"resource,omitempty" fid:"24" doc:"resource that a claim holds"`
	ParentID   string     `json:"parent_id,omitempty" fid:"25" doc:"event that this one answers: the trace read, the proposal voted for"`
	Choice     string     `json:"choice,omitempty" fid:"26" doc:"what a vote or decision stands for"`
	Content    string     `json:"content,omitempty" fid:"27" doc:"the text left"`
	Body       string     `json:"body,omitempty" fid:"28" doc:"JSON: anything else"`
	Domain     string     `json:"domain,omitempty" fid:"29" doc:"domain of expertise"`
	Strength   *float64   `json:"strength,omitempty" fid:"30" doc:"strength when left, 0 to 1"`
	Priority   *float64   `json:"priority,omitempty" fid:"31" doc:"priority, 0 to 1"`
	HalfLifeS  *float64   `json:"half_life_s,omitempty" fid:"32" doc:"half-life of the strength, s"`
	Expertise  *float64   `json:"expertise,omitempty" fid:"33" doc:"voter's weight when it voted"`
	Difficulty *float64   `json:"difficulty,omitempty" fid:"34" doc:"difficulty of the task, 0 to 1"`
	Granted    *bool      `json:"granted,omitempty" fid:"35" doc:"the claim was granted"`
	IsAssigned *bool      `json:"is_assigned,omitempty" fid:"36" doc:"the task was assigned, not claimed"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty" fid:"37" doc:"when a claim lapses"`
}

// TrainingRun is the payload of weir.training.state.v1: a state change of a run.
type TrainingRun struct {
	Persons
	RunID          string   `json:"run_id,omitempty" fid:"20" doc:"training run"`
	JobID          string   `json:"job_id,omitempty" fid:"21" doc:"provider's job id"`
	Provider       string   `json:"provider,omitempty" fid:"22" doc:"provider or local trainer"`
	BaseModel      string   `json:"base_model,omitempty" fid:"23" doc:"model that is trained"`
	ResultModel    string   `json:"result_model,omitempty" fid:"24" doc:"model that came out"`
	Dataset        string   `json:"dataset,omitempty" fid:"25" doc:"dataset name"`
	DatasetVersion string   `json:"dataset_version,omitempty" fid:"26" doc:"dataset version"`
	DatasetHash    string   `json:"dataset_hash,omitempty" fid:"27" doc:"content hash of the version"`
	Method         string   `json:"method,omitempty" fid:"28" doc:"sft, dpo or rft"`
	Phase          string   `json:"phase,omitempty" fid:"29" doc:"training phase of the plan"`
	State          string   `json:"state,omitempty" fid:"30" doc:"planned, submitted, queued, running, succeeded, failed or cancelled"`
	Config         string   `json:"config,omitempty" fid:"31" doc:"JSON: hyperparameters and distillation rules"`
	Metrics        string   `json:"metrics,omitempty" fid:"32" doc:"JSON: metrics at this step"`
	Checkpoint     string   `json:"checkpoint,omitempty" fid:"33" doc:"where a checkpoint lies"`
	Error          string   `json:"error,omitempty" fid:"34" doc:"why it failed"`
	Step           *int64   `json:"step,omitempty" fid:"35" doc:"optimiser step"`
	TrainedTokens  *int64   `json:"trained_tokens,omitempty" fid:"36" doc:"tokens billed or trained so far"`
	CostUSD        *float64 `json:"cost_usd,omitempty" fid:"37" doc:"cost so far, USD"`
	DurationS      *float64 `json:"duration_s,omitempty" fid:"38" doc:"running time so far, s"`
	// What a plan says of a run that is still to come (runs.yaml); the run that
	// carries it out names the plan.
	Plan             string   `json:"plan,omitempty" fid:"39" doc:"planned run of runs.yaml; of a run: the one that it carries out"`
	PlannedExamples  *int64   `json:"planned_examples,omitempty" fid:"40" doc:"of a planned run: examples to train on"`
	PlannedDurationS *float64 `json:"planned_duration_s,omitempty" fid:"41" doc:"of a planned run: running time, s"`
	PlannedCostUSD   *float64 `json:"planned_cost_usd,omitempty" fid:"42" doc:"of a planned run: cost, USD"`
	ExportHash       string   `json:"export_hash,omitempty" fid:"43" doc:"content hash of the exported files that are trained on"`
	DistillHash      string   `json:"distill_hash,omitempty" fid:"44" doc:"hash of the distillation rules that the export was made by"`
	// Where what came out lies: checkpoint names a state of the training, weights
	// what is served.
	Weights       string     `json:"weights,omitempty" fid:"45" doc:"where the resulting weights lie: a folder or a URI"`
	ArtifactHash  string     `json:"artifact_hash,omitempty" fid:"46" doc:"sha256 of the weights or checkpoint: of a folder, over its files' hashes and names"`
	ArtifactBytes *int64     `json:"artifact_bytes,omitempty" fid:"47" doc:"size of the weights or checkpoint, bytes"`
	KeepUntil     *time.Time `json:"keep_until,omitempty" fid:"48" doc:"the weights or checkpoint are not to be deleted before"`
}

// Decisions on a model.
const (
	DecisionPromoted = "promoted" // the alias names it from now on, and no other
	DecisionRetired  = "retired"  // no alias names it any more
	DecisionTainted  = "tainted"  // it saw what it should not have, as an erasure found
)

// ModelDecision is the payload of weir.model.decided.v1: what was decided on a
// model that a training run made.
type ModelDecision struct {
	Persons
	RunID     string `json:"run_id,omitempty" fid:"20" doc:"training run that made the model"`
	Model     string `json:"model,omitempty" fid:"21" doc:"the model, as its calls name it"`
	Decision  string `json:"decision,omitempty" fid:"22" doc:"promoted, retired or tainted"`
	Alias     string `json:"alias,omitempty" fid:"23" doc:"of a promotion: the name that clients use, such as production; one model at a time bears it"`
	Reason    string `json:"reason,omitempty" fid:"24" doc:"why"`
	DecidedBy string `json:"decided_by,omitempty" fid:"25" doc:"who decided; weir for what it found itself"`
}

// Outcome is the payload of weir.outcome.recorded.v1: what became of a task,
// turn or step.
type Outcome struct {
	Persons
	TargetKind string   `json:"target_kind,omitempty" fid:"20" doc:"conversation, task, call, message or example"`
	TargetID   string   `json:"target_id,omitempty" fid:"21" doc:"what the outcome is of"`
	Level      string   `json:"level,omitempty" fid:"22" doc:"task, turn or step"`
	Value      string   `json:"value,omitempty" fid:"23" doc:"success or failure"`
	Evidence   string   `json:"evidence,omitempty" fid:"24" doc:"what it rests on"`
	Origin     string   `json:"origin,omitempty" fid:"25" doc:"who says so: tests, merge, label, reward, person"`
	Agent      string   `json:"agent,omitempty" fid:"26" doc:"agent that is credited or blamed"`
	Score      *float64 `json:"score,omitempty" fid:"27" doc:"graded outcome, 0 to 1"`
	Step       *int64   `json:"step,omitempty" fid:"28" doc:"step that decided, 0-based"`
}

// Feedback is the payload of weir.feedback.given.v1: a person's reaction.
type Feedback struct {
	Persons
	UnitKind string   `json:"unit_kind,omitempty" fid:"20" doc:"conversation, call, message or task"`
	UnitID   string   `json:"unit_id,omitempty" fid:"21" doc:"what the person reacted to"`
	Kind     string   `json:"kind,omitempty" fid:"22" doc:"thumb, rating, comment or correction"`
	Comment  string   `json:"comment,omitempty" fid:"23" doc:"the person's words"`
	Author   string   `json:"author,omitempty" fid:"24" doc:"who reacted"`
	Value    *float64 `json:"value,omitempty" fid:"25" doc:"thumb: 1 or -1; rating: 0 to 1"`
}

// Scenario is the payload of weir.eval.scenario.v1: a scenario of an eval suite.
type Scenario struct {
	Persons
	Suite        string    `json:"suite,omitempty" fid:"20" doc:"suite"`
	SuiteVersion string    `json:"suite_version,omitempty" fid:"21" doc:"version of the suite"`
	ScenarioID   string    `json:"scenario_id,omitempty" fid:"22" doc:"id in the suite"`
	Category     string    `json:"category,omitempty" fid:"23" doc:"coordination, handoff, conflict, constitutional, …"`
	Prompt       string    `json:"prompt,omitempty" fid:"24" doc:"the prompt as text"`
	Messages     []Message `json:"messages,omitempty" fid:"25" doc:"the prompt as messages, where it has several"`
	Tools        []Tool    `json:"tools,omitempty" fid:"26" doc:"tools declared"`
	Expected     string    `json:"expected,omitempty" fid:"27" doc:"expected answer"`
	Grader       string    `json:"grader,omitempty" fid:"28" doc:"exact, regex, json_schema, tool_call or judge"`
	GraderConfig string    `json:"grader_config,omitempty" fid:"29" doc:"JSON: the grader's settings"`
	Origin       string    `json:"origin,omitempty" fid:"30" doc:"shipped, imported or drafted from the test split"`
	ReviewStatus string    `json:"review_status,omitempty" fid:"31" doc:"draft, reviewed or retired"`
}

// EvalResult is the payload of weir.eval.result.v1: one model on one scenario,
// one trial.
type EvalResult struct {
	Persons
	Suite      string   `json:"suite,omitempty" fid:"20" doc:"suite"`
	ScenarioID string   `json:"scenario_id,omitempty" fid:"21" doc:"scenario"`
	Category   string   `json:"category,omitempty" fid:"22" doc:"category of the scenario"`
	EvalRunID  string   `json:"eval_run_id,omitempty" fid:"23" doc:"run of the suite"`
	Experiment string   `json:"experiment,omitempty" fid:"24" doc:"A/B test, where the run is part of one"`
	Arm        string   `json:"arm,omitempty" fid:"25" doc:"arm: what is compared"`
	Provider   string   `json:"provider,omitempty" fid:"26" doc:"provider"`
	Model      string   `json:"model,omitempty" fid:"27" doc:"model that answered"`
	Phase      string   `json:"phase,omitempty" fid:"28" doc:"training phase of the model"`
	Metric     string   `json:"metric,omitempty" fid:"29" doc:"what the score measures"`
	Grader     string   `json:"grader,omitempty" fid:"30" doc:"grader"`
	JudgeModel string   `json:"judge_model,omitempty" fid:"31" doc:"model that graded, where one did"`
	Rubric     string   `json:"rubric,omitempty" fid:"32" doc:"rubric"`
	Prompt     string   `json:"prompt,omitempty" fid:"33" doc:"prompt as run"`
	Expected   string   `json:"expected,omitempty" fid:"34" doc:"expected answer"`
	Output     string   `json:"output,omitempty" fid:"35" doc:"what the model answered"`
	Scores     string   `json:"scores,omitempty" fid:"36" doc:"JSON: named scores beside the main one"`
	Reason     string   `json:"reason,omitempty" fid:"37" doc:"the grader's reason"`
	Error      string   `json:"error,omitempty" fid:"38" doc:"why there is no answer; an error is not a failed answer"`
	Trial      int64    `json:"trial" fid:"39" doc:"trial number, 0-based"`
	Score      *float64 `json:"score,omitempty" fid:"40" doc:"score, 0 to 1 where the tool says so"`
	Passed     *bool    `json:"passed,omitempty" fid:"41" doc:"the grader's verdict"`
	LatencyMS  *float64 `json:"latency_ms,omitempty" fid:"42" doc:"latency, ms"`
	IsCached   *bool    `json:"is_cached,omitempty" fid:"43" doc:"the answer came from the tool's cache: latency and cost say nothing"`
	Usage
}

// DatasetVersion is the payload of weir.dataset.version.v1.
type DatasetVersion struct {
	Persons
	Dataset     string `json:"dataset,omitempty" fid:"20" doc:"dataset"`
	Version     string `json:"version,omitempty" fid:"21" doc:"version"`
	ContentHash string `json:"content_hash,omitempty" fid:"22" doc:"hash of the members' contents and sides"`
	Manifest    string `json:"manifest,omitempty" fid:"23" doc:"JSON: the manifest"`
	MemberCount int64  `json:"member_count" fid:"24" doc:"members"`
}

// DatasetMembers is the payload of weir.dataset.members.v1: at most 5,000
// members of a version. The split ledger reads these.
type DatasetMembers struct {
	Persons
	Dataset     string          `json:"dataset,omitempty" fid:"20" doc:"dataset"`
	Version     string          `json:"version,omitempty" fid:"21" doc:"version"`
	ContentHash string          `json:"content_hash,omitempty" fid:"22" doc:"hash of the version"`
	Members     []DatasetMember `json:"members,omitempty" fid:"23" doc:"the members"`
	Batch       int64           `json:"batch" fid:"24" doc:"number of the batch, 0-based"`
}

// DatasetMember is one example of a dataset version.
type DatasetMember struct {
	ExampleID   string `json:"example_id,omitempty" fid:"1" doc:"example"`
	ContentHash string `json:"content_hash,omitempty" fid:"2" doc:"its content"`
	SubjectID   string `json:"subject_id,omitempty" fid:"3" doc:"its subject"`
	Side        string `json:"side,omitempty" fid:"4" doc:"train, validation or test"`
	// What the version froze of it beside its content, so that its rows can be
	// made again. Exports that are recorded leave these out.
	Target       string   `json:"target,omitempty" fid:"5" doc:"target of the mixture that it counts for"`
	Place        int64    `json:"place" fid:"6" doc:"place within the target, from 1, the best first; 0: none"`
	GroupID      string   `json:"group_id,omitempty" fid:"7" doc:"split group when it was frozen"`
	SuccessScore *float64 `json:"success_score,omitempty" fid:"8" doc:"score when it was frozen, 0 to 1"`
}

// Assignment is the payload of weir.experiment.assigned.v1: a unit's arm.
type Assignment struct {
	Persons
	Experiment string   `json:"experiment,omitempty" fid:"20" doc:"A/B test"`
	UnitKind   string   `json:"unit_kind,omitempty" fid:"21" doc:"conversation, person or task"`
	UnitID     string   `json:"unit_id,omitempty" fid:"22" doc:"unit"`
	Arm        string   `json:"arm,omitempty" fid:"23" doc:"arm"`
	Salt       string   `json:"salt,omitempty" fid:"24" doc:"salt of the assignment hash"`
	Weight     *float64 `json:"weight,omitempty" fid:"25" doc:"the arm's share, 0 to 1"`
}

// Erasure is the payload of weir.erasure.requested.v1.
type Erasure struct {
	Persons
	RequestID string   `json:"request_id,omitempty" fid:"20" doc:"request"`
	Kind      string   `json:"kind,omitempty" fid:"21" doc:"subject or person; ids: what was taken out, so that what is said of it later goes as well"`
	KeyedHash string   `json:"keyed_hash,omitempty" fid:"22" doc:"HMAC-SHA256 of whom to forget, under the lake's key"`
	Reason    string   `json:"reason,omitempty" fid:"23" doc:"why"`
	IDHashes  []string `json:"id_hashes,omitempty" fid:"24" doc:"kind ids: HMAC-SHA256 of ids that nothing in the lake bears any more"`
}

// Config is the payload of weir.config.set.v1: configuration that decides rows.
type Config struct {
	Persons
	Kind    string `json:"kind,omitempty" fid:"20" doc:"thresholds, salt, boilerplate, datasets, prices, rubric, …"`
	Name    string `json:"name,omitempty" fid:"21" doc:"name, where a kind has several"`
	Content string `json:"content,omitempty" fid:"22" doc:"the configuration as text, JSON where it is structured"`
	Hash    string `json:"hash,omitempty" fid:"23" doc:"sha256 of the content"`
}

// DeadLetter is the payload of weir.deadletter.record.v1: a record that could
// not be understood, before or after Kafka.
type DeadLetter struct {
	Persons
	Stage          string `json:"stage,omitempty" fid:"20" doc:"ingest (before Kafka) or sink (after)"`
	Reason         string `json:"reason,omitempty" fid:"21" doc:"class of the fault: not_json, truncated, wrong_type, invalid_utf8, too_large, unknown_type, …"`
	Detail         string `json:"detail,omitempty" fid:"22" doc:"what exactly was wrong"`
	Format         string `json:"format,omitempty" fid:"23" doc:"source format that was tried"`
	File           string `json:"file,omitempty" fid:"24" doc:"file as named on the command line"`
	Line           *int64 `json:"line,omitempty" fid:"25" doc:"line in the file, 1-based"`
	Record         *int64 `json:"record,omitempty" fid:"26" doc:"record in the file, 0-based"`
	Topic          string `json:"topic,omitempty" fid:"27" doc:"topic of a record that came through Kafka"`
	TopicPartition *int64 `json:"topic_partition,omitempty" fid:"28" doc:"its partition"`
	TopicOffset    *int64 `json:"topic_offset,omitempty" fid:"29" doc:"its offset"`
	Body           string `json:"body,omitempty" fid:"30" doc:"first 256 KiB, secrets redacted"`
	Encoding       string `json:"encoding,omitempty" fid:"31" doc:"of body: utf-8, or base64 where the bytes are not valid UTF-8"`
	SHA256         string `json:"sha256,omitempty" fid:"32" doc:"sha256 of the whole record as read"`
	LengthBytes    int64  `json:"length_bytes" fid:"33" doc:"length of the whole record, bytes"`
}
