// Package formats lists the native formats that weir reads. A format is a
// package beside this one and a line in All.
package formats

import (
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/anthropic"
	"github.com/weir-lake/weir/ingest/source/autogen"
	"github.com/weir-lake/weir/ingest/source/cassette"
	"github.com/weir-lake/weir/ingest/source/chatdev"
	"github.com/weir-lake/weir/ingest/source/chatgpt"
	"github.com/weir-lake/weir/ingest/source/claudecode"
	"github.com/weir-lake/weir/ingest/source/codex"
	"github.com/weir-lake/weir/ingest/source/crewai"
	"github.com/weir-lake/weir/ingest/source/discord"
	"github.com/weir-lake/weir/ingest/source/document"
	"github.com/weir-lake/weir/ingest/source/entire"
	"github.com/weir-lake/weir/ingest/source/gatewaylog"
	"github.com/weir-lake/weir/ingest/source/geminicli"
	"github.com/weir-lake/weir/ingest/source/groupchat"
	"github.com/weir-lake/weir/ingest/source/helicone"
	"github.com/weir-lake/weir/ingest/source/irc"
	"github.com/weir-lake/weir/ingest/source/langfuse"
	"github.com/weir-lake/weir/ingest/source/langgraph"
	"github.com/weir-lake/weir/ingest/source/litellm"
	"github.com/weir-lake/weir/ingest/source/messages"
	"github.com/weir-lake/weir/ingest/source/openai"
	"github.com/weir-lake/weir/ingest/source/openhands"
	"github.com/weir-lake/weir/ingest/source/otel"
	"github.com/weir-lake/weir/ingest/source/sharegpt"
	"github.com/weir-lake/weir/ingest/source/slack"
	"github.com/weir-lake/weir/ingest/source/sweagent"
	"github.com/weir-lake/weir/ingest/source/tensorzero"
	"github.com/weir-lake/weir/ingest/source/toolbench"
	"github.com/weir-lake/weir/ingest/source/weirevents"
)

// All lists the formats by name.
func All() []source.Format {
	return []source.Format{
		anthropic.Format(),
		autogen.Format(),
		autogen.Runtime(),
		cassette.Format(),
		chatdev.Format(),
		chatgpt.Format(),
		langgraph.JSONL(),
		claudecode.Format(),
		gatewaylog.Cloudflare(),
		codex.Format(),
		crewai.Format(),
		discord.Format(),
		document.Format(),
		entire.Format(),
		geminicli.Format(),
		groupchat.Format(),
		helicone.Format(),
		irc.Format(),
		gatewaylog.Kong(),
		langfuse.Format(),
		langgraph.Format(),
		litellm.Format(),
		openai.Format(),
		messages.Format(),
		openhands.Format(),
		otel.Format(),
		gatewaylog.Portkey(),
		sharegpt.Format(),
		slack.Format(),
		sweagent.Format(),
		messages.TauBench(),
		tensorzero.Format(),
		toolbench.Format(),
		weirevents.Format(),
	}
}
