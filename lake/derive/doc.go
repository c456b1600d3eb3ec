// Package derive builds tables from SQL files: it reads their headers, finds
// the order, runs them on the inputs' pinned snapshots, checks the result and
// writes it in one commit a table, with the versions of the inputs recorded.
// It does not know which tables there are: transforms and evalsql do.
//
// A file is a header and one SELECT:
//
//	-- Chat messages, one copy each: redelivered events removed.
//	--
//	-- grain:   one row per message
//	-- key:     message_id
//	-- scope:   row
//	-- inputs:  events.chat_messages, curated.configs (whole)
//	-- columns:
//	--   message_id  VARCHAR  event id
//	--   subject_id  VARCHAR  conversation
//	--   messages    MESSAGE[]  see NamedTypes
//	select …
//
// Rules, thresholds, sources and notes may stand beside these keys, for people.
// Text goes on over lines that are indented by two more.
//
// The scope is a promise about the SELECT, and lets Build compute less:
//
//   - subject: the rows of a subject_id depend only on the input rows of that
//     subject. When inputs changed, the SELECT runs on the touched subjects
//     alone. An input that every subject sees, such as configuration, is marked
//     (whole); a change of it computes everything again.
//   - row: the same for tables over events, where besides an event's id decides:
//     all events with one id are looked at together, whatever their subjects.
//   - all: no promise. The table is computed from scratch, so it must be narrow.
//     It may read its own rows, as they were, to spare work: its name stands
//     among the inputs, marked (before). They must never change what comes out.
//
// However a table was computed, only the subjects whose rows differ from those
// in the lake are replaced, so that a table downstream of it is touched by these
// alone. Files hold whole subjects; a subject that changes moves to a young
// file, because what was talked about today is likely to be tomorrow.
//
// Start at Build; derivetest runs the cases of a file.
package derive
