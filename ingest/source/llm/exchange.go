package llm

import (
	"cmp"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// The values of GatewayCall.API.
const (
	ChatCompletions = "chat_completions"
	Responses       = "responses"
	Messages        = "messages"
	GenerateContent = "generate_content"
)

// Errors of Parse.
var (
	// ErrNotACall: the exchange is something else that these APIs do, such as
	// counting tokens, storing a file or deleting a conversation.
	ErrNotACall = errors.New("not a call of a language model")
	// ErrUnknownShape: neither the request nor the reply is of a known API.
	ErrUnknownShape = errors.New("neither request nor reply of a known API")
)

// Exchange is one recorded request and its reply. All but one of the bodies
// may be missing.
type Exchange struct {
	Method  string // HTTP method; empty: POST
	URL     string // where the request went; empty when the log does not say
	Status  int64  // HTTP status of the reply; 0 unknown
	Request []byte // JSON
	Reply   []byte // JSON; or server-sent events as text, or as an array of their data
}

// Call is one choice of a call.
type Call struct {
	lake.GatewayCall
	At         time.Time // when it happened, where the log says; zero: CreatedAt
	CreatedAt  time.Time // of the reply, as the provider has it; zero: unknown
	Background bool      // a response that runs in the background
	Pending    bool      // … and has not ended
	NoRequest  bool      // only the reply is known, as when a response is polled
	Cached     bool      // a gateway's cache replied, with the id of the reply that it kept
	Host       string    // where the request went
	record     [][]byte  // the exchange as sent: what the id rests on when the provider gave none
}

// Parse reads an exchange: a call for each choice of the reply, or one without
// an output when the call failed or the reply is missing.
func Parse(x Exchange) ([]Call, error) {
	if method := strings.ToUpper(x.Method); method != "" && method != "POST" && method != "GET" {
		return nil, ErrNotACall
	}
	target, _ := url.Parse(x.URL)
	if target == nil {
		target = &url.URL{}
	}
	byURL, other := apiOfPath(target.Path)
	request := rawjson.Parse(x.Request)
	reply, stream := readReply(x.Reply)
	api := apiOfReply(reply.body)
	switch {
	case other:
		return nil, ErrNotACall
	case api == "" && byURL != "":
		api = byURL
	case api == "" && x.URL != "" && request == nil:
		return nil, ErrNotACall
	case api == "" && (x.URL == "" || request.Has("model")): // many a service takes an input
		api = apiOfRequest(request)
	}
	if api == "" {
		return nil, ErrUnknownShape
	}
	if isTokenCount(request, reply.body) {
		return nil, ErrNotACall
	}

	base := Call{Host: target.Host, NoRequest: request == nil}
	base.API = api
	base.Provider = provider(target.Host, api)
	base.Model = modelOfPath(target.Path)
	if x.Status > 0 {
		base.HTTPStatus = &x.Status
	}
	if stream {
		base.IsStream = &stream
	}
	base.Identify([]byte(x.URL), x.Request, x.Reply)

	var calls []Call
	switch api {
	case ChatCompletions:
		base.readChatRequest(request)
		calls = base.readChatReply(reply.body)
	case Responses:
		base.readResponsesRequest(request, reply.body)
		calls = base.readResponsesReply(reply.body, strings.HasSuffix(target.Path, "/compact"))
	case Messages:
		base.readMessagesRequest(request)
		calls = base.readMessagesReply(reply.body)
	case GenerateContent:
		base.readGeminiRequest(request)
		calls = base.readGeminiReply(reply.body)
	}
	number(calls)
	for i := range calls {
		calls[i].settle(reply, x.Status, len(x.Reply) > 0)
		if i > 0 { // usage is the call's, not the choice's
			calls[i].Usage = lake.Usage{}
		}
	}
	return calls, nil
}

// number puts choices in the order of their index, and numbers them itself
// where the reply gave two the same.
func number(calls []Call) {
	slices.SortStableFunc(calls, func(a, b Call) int { return cmp.Compare(a.ChoiceIndex, b.ChoiceIndex) })
	for i := 1; i < len(calls); i++ {
		if calls[i].ChoiceIndex == calls[i-1].ChoiceIndex {
			for k := range calls {
				calls[k].ChoiceIndex = int64(k)
			}
			return
		}
	}
}

const (
	truncated = "the reply ended before its end"
	missing   = "the reply holds no message"
)

// settle decides whether the call succeeded.
func (c *Call) settle(r reply, status int64, replied bool) {
	switch {
	case c.Status != "" || c.Pending:
	case c.Error != "":
		c.Status = "failure"
	case status >= 400:
		c.Status, c.Error = "failure", "HTTP status "+itoa(status)
	case r.truncated && c.FinishReason == "":
		c.Status, c.Error = "failure", truncated
	case len(c.Output) > 0 || c.FinishReason != "" || c.Purpose == "compaction":
		c.Status = "success"
	case replied:
		c.Status, c.Error = "failure", missing
	}
	if c.Status == "failure" && c.Output != nil { // what came of it is nobody's answer
		c.Keep("_partial_output", string(rawjson.Marshal(c.Output)))
		c.Output = nil
	}
	for i := range c.Output {
		c.Output[i].Model = cmp.Or(c.ResponseModel, c.Model)
		c.Output[i].EventID = c.ResponseID
	}
}

var (
	callPath  = regexp.MustCompile(`/(chat/completions|responses(/compact|/[a-z]+_[A-Za-z0-9_-]+)?|messages)/?$|/invoke(-with-response-stream)?$|:(generateContent|streamGenerateContent|rawPredict|streamRawPredict)$`)
	otherPath = regexp.MustCompile(`(/count_tokens|:countTokens|/input_tokens|/input_items|/cancel|/conversations(/[^/]+)?|/conversations/[^/]+/items(/[^/]+)?|/embeddings|/moderations|/batches(/.*)?|/files(/.*)?|/models(/[^:]*)?)/?$`)
	modelPath = regexp.MustCompile(`/(?:models?|deployments)/([^/:]+(?::\d+)?)(?:[:/]|$)`)
)

// apiOfPath tells the API from a URL's path; other: the path is known to be
// something else.
func apiOfPath(path string) (api string, other bool) {
	if !callPath.MatchString(path) {
		return "", otherPath.MatchString(path)
	}
	switch {
	case strings.Contains(path, "/chat/completions"):
		return ChatCompletions, false
	case strings.Contains(path, "/responses"):
		return Responses, false
	case strings.Contains(path, "enerateContent"):
		return GenerateContent, false
	case strings.Contains(path, "/messages"), strings.Contains(path, "anthropic"), strings.Contains(path, "claude"):
		return Messages, false
	}
	return "", false // a cloud's invoke path serves many APIs
}

func modelOfPath(path string) string {
	if match := modelPath.FindStringSubmatch(path); match != nil {
		return match[1]
	}
	return ""
}

func apiOfReply(reply rawjson.Object) string {
	object, kind := reply.String("object"), reply.String("type")
	switch {
	case reply == nil, object == "chat.completion.chunk": // a piece of a reply
		return ""
	case strings.HasPrefix(object, "chat.completion"), reply.List("choices") != nil:
		return ChatCompletions
	case object == "response", object == "response.compaction":
		return Responses
	case kind == "message" && reply.Has("content"):
		return Messages
	case reply.List("candidates") != nil, reply.Has("usageMetadata"), reply.Has("promptFeedback"):
		return GenerateContent
	}
	return ""
}

func apiOfRequest(request rawjson.Object) string {
	switch {
	case request.List("contents") != nil:
		return GenerateContent
	case request.List("messages") == nil && (request.Has("input") || request.Has("instructions")):
		return Responses
	case request.List("messages") == nil:
		return ""
	case request.Has("system"), request.Has("anthropic_version"), strings.HasPrefix(request.String("model"), "claude"):
		return Messages
	}
	for _, tool := range request.Objects("tools") {
		if tool.Has("input_schema") {
			return Messages
		}
	}
	for _, message := range request.Objects("messages") {
		for _, block := range message.Objects("content") {
			if kind := block.String("type"); kind == "tool_use" || kind == "tool_result" {
				return Messages
			}
		}
	}
	return ChatCompletions
}

func isTokenCount(request, reply rawjson.Object) bool {
	return len(reply) == 1 && (reply.Has("input_tokens") || reply.Has("totalTokens")) && request != nil
}

var providers = []struct{ suffix, name string }{
	{"api.openai.com", "openai"}, {"openai.azure.com", "azure"}, {"azure.com", "azure"},
	{"api.anthropic.com", "anthropic"}, {"amazonaws.com", "bedrock"},
	{"generativelanguage.googleapis.com", "gemini"}, {"aiplatform.googleapis.com", "vertex"},
	{"cerebras.ai", "cerebras"}, {"together.xyz", "together"}, {"together.ai", "together"},
	{"fireworks.ai", "fireworks"}, {"groq.com", "groq"}, {"mistral.ai", "mistral"},
	{"deepseek.com", "deepseek"}, {"openrouter.ai", "openrouter"}, {"x.ai", "xai"},
}

// provider names who answered: by host, else by whose API it is.
func provider(host, api string) string {
	name, _, _ := strings.Cut(host, ":")
	for _, p := range providers {
		if name == p.suffix || strings.HasSuffix(name, "."+p.suffix) {
			return p.name
		}
	}
	if name != "" {
		return name
	}
	switch api {
	case Messages:
		return "anthropic"
	case GenerateContent:
		return "gemini"
	}
	return "openai"
}
