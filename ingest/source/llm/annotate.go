package llm

import (
	"cmp"
	"slices"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// person adds someone that an erasure can name.
func (c *Call) person(id string) {
	if id != "" && !slices.Contains(c.PersonIDs, id) {
		c.PersonIDs = append(slices.Clip(c.PersonIDs), id) // choices share the list
	}
}

// Annotate fills in what a log says of a call beside request and reply: from
// the fields of a log line, or from metadata that a client or gateway attached.
// What is known already stays, so the nearest object goes first.
func (c *Call) Annotate(o rawjson.Object) {
	fill := func(field *string, keys ...string) { *field = cmp.Or(*field, o.ID(keys...)) }
	fill(&c.ConversationID, "conversation_id", "session_id", "thread_id", "chat_id", "litellm_session_id", "trace_id")
	fill(&c.TaskID, "task_id", "instance_id", "task")
	fill(&c.Agent, "agent", "agent_name", "agent_id")
	fill(&c.Experiment, "experiment", "experiment_id", "experiment_name", "ab_test", "ab_experiment")
	fill(&c.Arm, "arm", "ab_arm", "experiment_arm", "variant", "ab_variant")
	if purpose := o.String("purpose"); slices.Contains([]string{"eval", "suite", "judge", "compaction"}, purpose) {
		c.Purpose = cmp.Or(c.Purpose, purpose)
	}
	for _, key := range []string{"user", "user_id", "end_user", "end_user_id"} {
		c.person(o.ID(key))
	}
	if final := o.Bool("is_final"); final != nil && c.IsFinal == nil {
		c.IsFinal = final
	}
	c.Tag(o.Strings("tags")...)
}

// Tag adds tags. A tag that names one of the fields of Annotate, as
// experiment:prompt-2 or arm=tuned, fills it in.
func (c *Call) Tag(tags ...string) {
	for _, tag := range tags {
		if !slices.Contains(c.Tags, tag) {
			c.Tags = append(slices.Clip(c.Tags), tag)
		}
		if i := strings.IndexAny(tag, ":="); i > 0 {
			c.Annotate(rawjson.Object{strings.TrimSpace(tag[:i]): rawjson.Marshal(strings.TrimSpace(tag[i+1:]))})
		}
	}
}
