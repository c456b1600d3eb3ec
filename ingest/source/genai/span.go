package genai

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Span is a span of a trace, or what a log record says of one.
type Span struct {
	TraceID, ID, ParentID string // lower-case hex; the parent's is empty at the root
	Name                  string
	Start, End            time.Time
	Attributes            rawjson.Object // each value as JSON, also where it was structured
	Events                []Event
	Failed                bool   // the span's status is an error
	Message               string // … and its words
	Service               string // the resource's service.name
	Scope                 string // the instrumentation's name
}

// Event is something that happened within a span.
type Event struct {
	Name       string
	At         time.Time
	Attributes rawjson.Object
	Body       json.RawMessage // of a log record
}

// callKinds are the values of the attributes that say what a span is, and
// whether that is a call of a model. The first attribute that is there decides:
// those that an SDK sets for itself go before those that it copies.
var callKinds = []struct {
	key   string
	calls []string
}{
	{"ai.operationId", []string{
		"ai.generateText.doGenerate", "ai.streamText.doStream", "ai.generateObject.doGenerate", "ai.streamObject.doStream",
		"ai.embed.doEmbed", "ai.embedMany.doEmbed",
	}},
	{"gen_ai.operation.name", []string{"chat", "completion", "text_completion", "generate_content", "embeddings"}},
	{"openinference.span.kind", []string{"LLM", "EMBEDDING"}},
	{"langsmith.span.kind", []string{"llm"}},
	{"llm.request.type", []string{"chat", "completion", "embedding"}},
	{"traceloop.span.kind", nil},
}

// IsCall says that the span is one call of a model: not an agent's run, a
// tool's, or the wrapper that an SDK puts around several calls.
func (s *Span) IsCall() bool {
	for _, kind := range callKinds {
		if value := s.Attributes.String(kind.key); value != "" {
			return slices.Contains(kind.calls, value)
		}
	}
	a := s.Attributes
	return a.Has("gen_ai.request.model") && (a.Has("gen_ai.system") || a.Has("gen_ai.provider.name"))
}

func isEmbedding(a rawjson.Object) bool {
	return a.String("gen_ai.operation.name") == "embeddings" || a.String("openinference.span.kind") == "EMBEDDING" ||
		a.String("llm.request.type") == "embedding" || strings.HasPrefix(a.String("ai.operationId"), "ai.embed")
}

// Calls reads the span as a call: one, or one for each choice that the model
// gave. It does not ask IsCall.
func (s *Span) Calls() []llm.Call {
	a := s.Attributes
	for _, e := range s.Events { // the conventions let either carry the content
		if e.Name == "gen_ai.client.inference.operation.details" {
			a = merged(a, e.Attributes)
		}
	}
	c := llm.Call{GatewayCall: lake.GatewayCall{
		Model:         a.String("gen_ai.request.model", "llm.model_name", "ai.model.id", "llm.request.model"),
		ResponseModel: a.String("gen_ai.response.model", "ai.response.model", "llm.response.model"),
		ResponseID:    a.ID("gen_ai.response.id", "ai.response.id"),
		RequestID:     s.ID,
		Agent:         a.String("gen_ai.agent.name", "agent.name", "gen_ai.agent.id"),
		Provider:      Provider(a.String("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider")),
		Tools:         s.tools(a),
		ToolChoice:    choice(a),
		Usage:         usage(a),
	}}
	c.API = API(c.Provider, c.ResponseID)
	if isEmbedding(a) {
		c.API = "embeddings" // a call that costs, and says nothing
	}
	c.At = s.Start
	c.Identify(rawjson.Marshal(map[string]string{"trace": s.TraceID, "span": s.ID}))
	s.readContext(&c, a)
	s.readOutcome(&c, a)
	c.Messages = s.request(a)
	replies, body := s.replies(a)
	c.ResponseID = cmp.Or(c.ResponseID, body.ID("id", "responseId"))
	c.ResponseModel = cmp.Or(c.ResponseModel, body.String("model", "modelVersion"))
	s.readParams(&c, a)

	calls := []llm.Call{c}
	for i := range replies {
		if i > 0 { // usage is the call's, not the choice's
			calls = append(calls, c)
			calls[i].Usage, calls[i].ChoiceIndex = lake.Usage{}, int64(i)
		}
		answer(&calls[i], *replies[i], s.finish(a, body, i))
	}
	if len(replies) == 0 {
		calls[0].FinishReason = s.finish(a, body, 0)
	}
	return calls
}

// answer puts the reply into a call. What came of a call that failed is nobody's
// answer.
func answer(c *llm.Call, reply lake.Message, finish string) {
	c.FinishReason = finish
	reply.Role, reply.Name = "assistant", ""
	reply.Model, reply.EventID = cmp.Or(c.ResponseModel, c.Model), c.ResponseID
	if c.Status == "failure" {
		c.Keep("_partial_output", string(rawjson.Marshal([]lake.Message{reply})))
		return
	}
	c.Output = []lake.Message{reply}
}

func merged(a, b rawjson.Object) rawjson.Object {
	both := rawjson.Object{}
	for key, value := range a {
		both[key] = value
	}
	for key, value := range b {
		if !both.Has(key) {
			both[key] = value
		}
	}
	return both
}

// providers are those that the conventions and SDKs call otherwise than weir.
var providers = map[string]string{
	"aws.bedrock": "bedrock", "az.ai.openai": "azure", "azure.ai.openai": "azure", "azure.ai.inference": "azure",
	"gcp.vertex_ai": "vertex", "vertex_ai": "vertex", "gcp.vertex.agent": "vertex", "gcp.gemini": "gemini", "gcp.gen_ai": "gemini",
	"google": "gemini", "google_genai": "gemini", "mistral_ai": "mistral", "mistralai": "mistral", "x_ai": "xai", "langchain": "",
}

// Provider is a provider's name as weir has it.
func Provider(name string) string {
	name = strings.ToLower(name)
	if known, ok := providers[name]; ok {
		return known
	}
	head, _, _ := strings.Cut(name, ".") // openai.responses
	return head
}

// API guesses whose API a call went to: the provider's, and for OpenAI's two
// by the id of the reply. With it a call that the provider's own log has too is
// the same event.
func API(provider, responseID string) string {
	switch {
	case strings.HasPrefix(responseID, "resp_"):
		return llm.Responses
	case strings.HasPrefix(responseID, "msg_"), provider == "anthropic":
		return llm.Messages
	case provider == "gemini", provider == "vertex":
		return llm.GenerateContent
	}
	return llm.ChatCompletions
}

// readContext finds whose call it is.
func (s *Span) readContext(c *llm.Call, a rawjson.Object) {
	conversation := a.ID("gen_ai.conversation.id")
	if strings.HasPrefix(conversation, "resp_") { // a stateful API's: the reply that this call goes on from
		c.PreviousResponseID, conversation = conversation, ""
	}
	c.ConversationID = cmp.Or(conversation, a.ID("session.id", "langfuse.session.id", "langsmith.metadata.session_id", "thread.id"))
	c.PreviousResponseID = cmp.Or(c.PreviousResponseID, a.ID("gen_ai.request.previous_response_id"))
	about := rawjson.Object{}
	for _, key := range slices.Sorted(maps.Keys(a)) { // of two names for one thing the later counts
		value := a[key]
		for _, prefix := range []string{"ai.telemetry.metadata.", "traceloop.association.properties.", "langfuse.trace.metadata.", "weir."} {
			if name, ok := strings.CutPrefix(key, prefix); ok {
				about[name] = value
			}
		}
	}
	c.Annotate(about)
	c.Annotate(a.Object("metadata"))
	c.Annotate(rawjson.Object{"user": a["user.id"], "user_id": a["enduser.id"], "end_user": a["langfuse.user.id"]})
	c.Tag(a.Strings("tag.tags", "langfuse.trace.tags")...)
	c.ConversationID = cmp.Or(c.ConversationID, s.TraceID)
}

// readOutcome says whether the call itself went well, and how long it took.
func (s *Span) readOutcome(c *llm.Call, a rawjson.Object) {
	c.Status = "success"
	if s.Failed || a.Has("error.type") {
		c.Status = "failure"
		c.Error = s.Message
		for _, e := range s.Events {
			if e.Name == "exception" {
				c.Error = cmp.Or(c.Error, e.Attributes.String("exception.message", "exception.type"))
			}
		}
		c.Error = cmp.Or(c.Error, a.String("error.message", "error.type"), "error")
	}
	if s.End.After(s.Start) && !s.Start.IsZero() {
		ms := float64(s.End.Sub(s.Start).Microseconds()) / 1000
		c.LatencyMS = &ms
	}
	c.TimeToFirstTokenMS = a.Float("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")
	c.IsStream = a.Bool("gen_ai.request.is_stream", "gen_ai.is_streaming", "llm.is_streaming")
	c.HTTPStatus = a.Int("http.response.status_code", "http.status_code")
}

// finish is why the model stopped: as the reply, the message, the span or the
// event says.
func (s *Span) finish(a, body rawjson.Object, choice int) string {
	var said []rawjson.Object
	for _, e := range s.Events {
		if e.Name == "gen_ai.choice" {
			said = append(said, e.Attributes)
		}
	}
	for _, list := range [][]rawjson.Object{
		body.Objects("choices", "candidates"), a.Objects("gen_ai.output.messages"), said,
		objects(indexed(a, "gen_ai.completion")),
	} {
		if choice < len(list) {
			if reason := list[choice].String("finish_reason", "finishReason"); reason != "" {
				return reason
			}
		}
	}
	if reasons := a.Strings("gen_ai.response.finish_reasons"); choice < len(reasons) {
		return reasons[choice]
	}
	return a.String("ai.response.finishReason", "llm.finish_reason", "gen_ai.response.finish_reason")
}

func objects(raw json.RawMessage) []rawjson.Object {
	return rawjson.Object{"": raw}.Objects("")
}

func choice(a rawjson.Object) string {
	return unquote(firstOf(a, "gen_ai.request.tool_choice", "ai.prompt.toolChoice", "gen_ai.openai.request.tool_choice"))
}

// usage reads token usage. The conventions count cached tokens as input; an
// instrumentation that hands on Anthropic's numbers does not, which shows where
// more was cached than was sent.
func usage(a rawjson.Object) lake.Usage {
	u := lake.Usage{
		InputTokens: a.Int("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "ai.usage.promptTokens",
			"ai.usage.inputTokens", "llm.usage.prompt_tokens"),
		OutputTokens: a.Int("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
			"ai.usage.completionTokens", "ai.usage.outputTokens", "llm.usage.completion_tokens"),
		CachedTokens: a.Int("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.details.cache_read_tokens",
			"gen_ai.usage.input_token_details.cached", "llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens",
			"gen_ai.usage.cached_tokens"),
		CacheWriteTokens: a.Int("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
			"gen_ai.usage.details.cache_write_tokens", "llm.token_count.prompt_details.cache_write"),
		ReasoningTokens: a.Int("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.details.reasoning_tokens", "gen_ai.usage.reasoning_tokens",
			"llm.token_count.completion_details.reasoning", "ai.usage.reasoningTokens"),
		TotalTokens: a.Int("gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens", "ai.usage.totalTokens"),
		CostUSD:     a.Float("gen_ai.usage.cost", "llm.cost.total", "operation.cost"),
	}
	var cached int64
	for _, n := range []*int64{u.CachedTokens, u.CacheWriteTokens} {
		if n != nil {
			cached += *n
		}
	}
	if u.InputTokens != nil && cached > *u.InputTokens {
		all := *u.InputTokens + cached
		u.InputTokens = &all
	}
	raw := rawjson.Object{}
	for key, value := range a {
		if isUsage(key) {
			raw[key] = value
		}
	}
	if len(raw) > 0 {
		u.Raw = string(rawjson.Marshal(raw))
	}
	return u
}

func isUsage(key string) bool {
	for _, prefix := range []string{"gen_ai.usage.", "llm.token_count.", "llm.usage.", "llm.cost.", "ai.usage.", "operation.cost"} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}
