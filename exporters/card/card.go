// Package card writes dataset cards: a README.md in the form of the Hugging Face
// Hub, with YAML before it that its loader reads, and figures beside it. A card says
// what is in a dataset, how it was chosen, what is known of its quality and what is
// not known. Same inputs, same bytes: it bears no clock and no path. Start at Card.
package card

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/frozen"
)

// Card is what a dataset card is made from. Of an export all of it, of a frozen
// version what is known before an export: no files, tokens or losses.
type Card struct {
	Title          string
	About          string
	License        string   // as the Hub spells it; empty: unknown, which the card says
	Language       []string // ISO 639-1; empty: the card says that nobody said
	Version        string   // NAME@VERSION; empty: not a frozen version
	ContentHash    string   // of the members
	DefinitionHash string
	Definition     string // JSON
	Target         string // of an export; empty: none
	Pairs          bool   // the examples are preference pairs, each with the better way
	Model          string
	Files          []File
	Sides          []Side
	State          frozen.State // of the lake
	Stats          Stats
	Losses         []Loss
	TokenNote      string // how tokens were counted
	Warnings       []string
	Gaps           []string // what else is not known
	Erased         int64    // members that were taken out since the version was frozen
}

// Define fills in what a dataset's definition says of it: JSON as a version
// records it.
func (c *Card) Define(definition []byte, hash string) error {
	var said struct {
		About    string   `json:"about"`
		License  string   `json:"license"`
		Language []string `json:"language"`
	}
	if err := json.Unmarshal(definition, &said); err != nil {
		return fmt.Errorf("card: definition: %w", err)
	}
	c.About, c.License, c.Language = said.About, said.License, said.Language
	c.Definition, c.DefinitionHash = string(definition), hash
	return nil
}

// File is a training file.
type File struct {
	Name   string // relative to the card
	Split  string
	Lines  int64
	Bytes  int64
	SHA256 string
}

// Side is a side of the split as it was exported.
type Side struct {
	Split                                                    string
	Examples, Dropped, Lines, Targets, Tokens, TrainedTokens int64
}

// Loss is what a rule of the conversion did.
type Loss struct {
	Rule     string
	What     string
	Drops    bool
	Examples int64
}

// Stats are counts over the examples.
type Stats struct {
	Examples int64
	Subjects int64
	Messages int64
	Targets  int64 // messages that are trained
	Chars    int64 // of texts, reasoning and arguments
	P50, P90 int64 // characters of an example
	Longest  int64
	Inferred int64 // examples whose tools were inferred from their calls
	Sources  []Count
	Tasks    []Count
	Scores   []Count // by a tenth of success_score
	Lengths  []Count // by the power of two of characters
}

// Count is a number of examples of each side.
type Count struct {
	Name              string
	Train, Validation int64
}

// All are those of both sides.
func (c Count) All() int64 { return c.Train + c.Validation }

// scratch is a narrow table of the session while statistics are taken.
const scratch = "datasets.weir_card"

// Collect takes the statistics of examples: query selects the columns example_id,
// subject_id, source, task_type, split, tools_origin, messages and success_score.
func Collect(ctx context.Context, session *duck.Session, query string) (s Stats, err error) {
	err = session.Exec(ctx, "create or replace table "+scratch+` as
select
    example_id, subject_id, source, task_type, split, tools_origin, success_score,
    len(messages) as messages,
    len([message.weight for message in messages if message.weight > 0]) as targets,
    coalesce(list_sum([
        len(coalesce(message.content, '')) + len(coalesce(message.reasoning, ''))
        + coalesce(list_sum([len(coalesce(call.name, '')) + len(coalesce(call.arguments, '')) for call in coalesce(message.tool_calls, [])]), 0)
        for message in messages
    ]), 0)::BIGINT as chars,

from (`+query+")")
	if err != nil {
		return s, err
	}
	err = session.Get(ctx, `
select
    count(*), count(distinct subject_id), coalesce(sum(messages), 0)::BIGINT, coalesce(sum(targets), 0)::BIGINT, coalesce(sum(chars), 0)::BIGINT,
    coalesce(quantile_disc(chars, 0.5), 0), coalesce(quantile_disc(chars, 0.9), 0), coalesce(max(chars), 0),
    count(*) filter (where tools_origin = 'inferred'),

from `+scratch, &s.Examples, &s.Subjects, &s.Messages, &s.Targets, &s.Chars, &s.P50, &s.P90, &s.Longest, &s.Inferred)
	if err != nil {
		return s, err
	}
	for _, part := range []struct {
		into *[]Count
		key  string
		name func(key string) string
	}{
		{&s.Sources, "source", nil},
		{&s.Tasks, "task_type", nil},
		{&s.Scores, "least(9, floor(success_score * 10))::BIGINT::VARCHAR", band},
		{&s.Lengths, "lpad(len(bin(chars))::VARCHAR, 3, '0')", power},
	} {
		if *part.into, err = counts(ctx, session, part.key, part.name); err != nil {
			return s, err
		}
	}
	return s, session.Exec(ctx, "drop table "+scratch)
}

func counts(ctx context.Context, session *duck.Session, key string, name func(string) string) ([]Count, error) {
	rows, err := session.DB().QueryContext(ctx, "select coalesce("+key+", 'unknown') as name, count(*) filter (where split = 'train'),"+
		" count(*) filter (where split = 'validation') from "+scratch+" group by name order by name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Count
	for rows.Next() {
		var c Count
		if err := rows.Scan(&c.Name, &c.Train, &c.Validation); err != nil {
			return nil, err
		}
		if name != nil {
			c.Name = name(c.Name)
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// band names a tenth of the score: 0.9 to 1.
func band(key string) string {
	n, err := strconv.Atoi(key)
	switch {
	case err != nil:
		return key
	case n == 9:
		return "0.9 to 1"
	}
	return fmt.Sprintf("0.%d to 0.%d", n, n+1)
}

// power names lengths by the number of their binary digits: 3 is 4 to 7.
func power(key string) string {
	digits, err := strconv.Atoi(key)
	switch {
	case err != nil || digits < 1 || digits > 62:
		return key
	case digits == 1:
		return "0 to 1"
	}
	return fmt.Sprintf("%s to %s", Number(int64(1)<<(digits-1)), Number(int64(1)<<digits-1))
}

// Number prints a whole number with thousands apart: 12,345.
func Number(n int64) string {
	text := fmt.Sprint(n)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(text) - 3; i > start; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
