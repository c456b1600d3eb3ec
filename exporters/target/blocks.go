package target

import (
	"slices"
	"strings"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// turnOf is messages that stand in one turn of a format whose turns are lists
// of blocks: a tool's result is the user's, and what the user says then is of
// the same turn.
type turnOf struct {
	isReply  bool
	messages []lake.Message
}

// inTurns divides messages into turns, and gives the system's text apart.
func inTurns(messages []lake.Message) (system string, turns []turnOf) {
	for _, m := range messages {
		if m.Role == "system" {
			system = m.Content
			continue
		}
		isReply := m.Role == "assistant"
		if n := len(turns); n > 0 && turns[n-1].isReply == isReply {
			turns[n-1].messages = append(turns[n-1].messages, m)
			continue
		}
		turns = append(turns, turnOf{isReply, []lake.Message{m}})
	}
	return system, turns
}

// wrapResults says where the results of tools are put into objects.
func wrapResults(e *canonical.Example, losses Losses) Rule {
	for _, m := range e.Messages {
		if m.Role == "tool" && !isObject(m.Content) {
			losses.add(RuleResultWrapped)
		}
	}
	return ""
}

// withoutTools refuses calls, and lets tools go that nobody called.
func withoutTools(e *canonical.Example, losses Losses) Rule {
	for _, m := range e.Messages {
		if len(m.ToolCalls) > 0 {
			return RuleNoCalls
		}
	}
	if len(e.Tools) > 0 {
		losses.add(RuleToolsOmitted)
		e.Tools = nil
	}
	return ""
}

// reservedTexts fail a Nova job wherever they stand in a prompt. (Nova user
// guide, copy of 2026.)
var reservedTexts = []string{"User:", "Bot:", "Assistant:", "System:", "<image>", "<video>", "[EOS]"}

func reservedIn(text string) string {
	i := slices.IndexFunc(reservedTexts, func(reserved string) bool { return strings.Contains(text, reserved) })
	if i < 0 {
		return ""
	}
	return reservedTexts[i]
}

// noReserved refuses the texts that a provider reserves.
func noReserved(e *canonical.Example, _ Losses) Rule {
	for _, m := range e.Messages {
		if reservedIn(m.Content) != "" || reservedIn(m.Reasoning) != "" {
			return RuleReserved
		}
	}
	return ""
}

// turnOrder checks that turns begin with the user's, alternate, and end on a
// reply. reply is the name of its role.
func (c *checker) turnOrder(turns []object, path, reply string) {
	before := reply
	for i, turn := range turns {
		role, _ := turn["role"].(string)
		switch {
		case i == 0 && role == reply:
			c.add(ruleOrder, index(path, i), "is the first turn and a reply")
		case role == before && i > 0 && role != "":
			c.add(ruleOrder, index(path, i), "is the second %s turn in a row", role)
		}
		before = role
	}
	if n := len(turns); n > 0 && before != reply {
		c.add(ruleEnding, index(path, n-1), "is the last turn and no reply")
	}
}
