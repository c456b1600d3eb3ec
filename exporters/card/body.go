package card

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake/frozen"
)

// body is the card for people.
func (c *Card) body() string {
	var out strings.Builder
	fmt.Fprintf(&out, "# %s\n\n", inline(c.Title))
	if c.About != "" {
		fmt.Fprintf(&out, "%s\n\n", inline(c.About))
	}
	unit := "examples"
	if c.Pairs {
		unit = "preference pairs"
	}
	fmt.Fprintf(&out, "Conversations of AI agents, chosen by [weir](https://github.com/weir-lake/weir) from the event log of a fleet: %s %s of %s conversations or tasks, %s messages, of which %s are trained.\n\n",
		Number(c.Stats.Examples), unit, Number(c.Stats.Subjects), Number(c.Stats.Messages), Number(c.Stats.Targets))
	c.identity(&out)
	c.sides(&out)
	c.choice(&out)
	c.content(&out)
	c.split(&out)
	c.reviews(&out)
	c.losses(&out)
	c.gaps(&out)
	return strings.TrimRight(out.String(), "\n") + "\n"
}

func (c *Card) identity(out *strings.Builder) {
	var rows [][]string
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	code := func(text string) string {
		if text == "" {
			return ""
		}
		return "`" + strings.ReplaceAll(text, "`", "'") + "`"
	}
	add("version", code(c.Version))
	add("content hash of the members", code(c.ContentHash))
	add("hash of the definition", code(c.DefinitionHash))
	add("definition", code(c.Definition))
	add("format", code(c.Target))
	add("counted and priced for", code(c.Model))
	if c.Erased > 0 {
		add("erased since it was frozen", Number(c.Erased)+" members")
	}
	if len(rows) > 0 {
		table(out, 2, []string{"", ""}, rows)
	}
}

func (c *Card) sides(out *strings.Builder) {
	if len(c.Sides) == 0 {
		return
	}
	out.WriteString("## Files\n\n")
	var rows [][]string
	for _, file := range c.Files {
		rows = append(rows, []string{"`" + file.Name + "`", file.Split, "`" + file.SHA256[:min(16, len(file.SHA256))] + "…`", Number(file.Lines), Number(file.Bytes)})
	}
	table(out, 3, []string{"file", "side", "sha256", "lines", "bytes"}, rows)
	rows = nil
	for _, s := range c.Sides {
		rows = append(rows, []string{s.Split, Number(s.Examples), Number(s.Dropped), Number(s.Lines), Number(s.Targets), Number(s.Tokens), Number(s.TrainedTokens)})
	}
	table(out, 1, []string{"side", "examples", "dropped", "lines", "targets", "tokens", "trained tokens"}, rows)
	if c.TokenNote != "" {
		fmt.Fprintf(out, "Tokens: %s.\n\n", inline(c.TokenNote))
	}
	out.WriteString("A line of `lineage.jsonl` ties each line of a training file to the example and the events that it was made from; `manifest.json` says all of this for programs.\n\n")
}

func (c *Card) choice(out *strings.Builder) {
	fmt.Fprintf(out, "## How it was chosen\n\nOf the %s candidate examples of the lake:\n\n![funnel](%s/funnel.svg)\n\n", Number(c.State.Examples), figures)
	var rows [][]string
	var duplicates int64
	for _, fate := range c.State.Fates {
		if fate.Reason == "duplicate" {
			duplicates += fate.Examples
		}
		rows = append(rows, []string{fate.Fate, fate.Reason, Number(fate.Examples), percent(fate.Examples, c.State.Examples)})
	}
	table(out, 2, []string{"fate", "reason", "examples", "share"}, rows)
	fmt.Fprintf(out, "Exact and near duplicates that another example stands for: %s (%s of the candidates). Each near duplicate was verified by the true overlap of its texts.\n\n",
		Number(duplicates), percent(duplicates, c.State.Examples))
	if c.Version != "" {
		fmt.Fprintf(out, "Of the examples on the sides of training and validation the definition took %s.\n\n", Number(c.Stats.Examples))
	}
}

func (c *Card) content(out *strings.Builder) {
	if c.Pairs {
		out.WriteString("A pair is counted here as its better way, with the context that both share.\n\n")
	}
	section := func(title, figure, name string, counts []Count) {
		fmt.Fprintf(out, "## %s\n\n", title)
		if figure != "" {
			fmt.Fprintf(out, "![%s](%s/%[1]s.svg)\n\n", figure, figures)
		}
		var rows [][]string
		for _, one := range counts {
			rows = append(rows, []string{one.Name, Number(one.Train), Number(one.Validation), percent(one.All(), c.Stats.Examples)})
		}
		table(out, 1, []string{name, "train", "validation", "share"}, rows)
	}
	section("Sources", "sources", "source", c.Stats.Sources)
	section("Task types", "", "task type", c.Stats.Tasks)
	section("Scores", "scores", "success score", c.Stats.Scores)
	out.WriteString("The score is 0 to 1: from recorded outcomes, reviews and calibrated judges where there are some, else from heuristics alone.\n\n")
	section("Lengths", "lengths", "characters", c.Stats.Lengths)
	fmt.Fprintf(out, "Half of the examples have up to %s characters, nine tenths up to %s, the longest %s; %s in all.\n\n",
		Number(c.Stats.P50), Number(c.Stats.P90), Number(c.Stats.Longest), Number(c.Stats.Chars))
}

func (c *Card) split(out *strings.Builder) {
	fmt.Fprintf(out, "## Split and leaks\n\nSides are given to whole groups: conversations, tasks, near duplicates and what was generated from them stay together. What links the sides of the lake: **%s**.\n\n",
		Number(c.State.Leaks.Total))
	var kinds []string
	for kind := range c.State.Leaks.ByKind {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	var rows [][]string
	for _, kind := range kinds {
		rows = append(rows, []string{kind, Number(c.State.Leaks.ByKind[kind])})
	}
	table(out, 1, []string{"links by", "found"}, rows)
}

func (c *Card) reviews(out *strings.Builder) {
	out.WriteString("## Human review\n\nOf a random sample of the lake's examples, extrapolated to all that it was drawn from; the interval is of 95 %.\n\n")
	var rows [][]string
	for _, r := range c.State.Reviews {
		rate, interval := "unknown", ""
		if r.DefectRate != nil {
			rate = fmt.Sprintf("%.1f %%", 100**r.DefectRate)
		}
		if r.DefectRateLow != nil && r.DefectRateHigh != nil {
			interval = fmt.Sprintf("%.1f to %.1f %%", 100**r.DefectRateLow, 100**r.DefectRateHigh)
		}
		rows = append(rows, []string{r.Value, r.Warning, Number(r.SetCount), Number(r.SampleCount), Number(r.ReviewedCount), Number(r.DefectCount), rate, interval})
	}
	table(out, 2, []string{"part", "warning", "examples", "drawn", "reviewed", "defective", "defect rate", "interval"}, rows)
}

func (c *Card) losses(out *strings.Builder) {
	if c.Target == "" {
		return
	}
	out.WriteString("## What the format could not carry\n\n")
	if len(c.Losses) == 0 {
		out.WriteString("Nothing was dropped or changed.\n\n")
		return
	}
	var rows [][]string
	for _, loss := range c.Losses {
		what := "changed"
		if loss.Drops {
			what = "dropped"
		}
		rows = append(rows, []string{loss.Rule, what, loss.What, Number(loss.Examples)})
	}
	table(out, 3, []string{"rule", "example", "why", "examples"}, rows)
	out.WriteString("`losses.jsonl` has them one by one.\n\n")
}

// gaps says what a reader might take for granted and must not.
func (c *Card) gaps(out *strings.Builder) {
	out.WriteString("## Known gaps\n\n")
	var gaps []string
	add := func(format string, args ...any) { gaps = append(gaps, fmt.Sprintf(format, args...)) }
	if c.License == "" {
		add("No licence was stated: whether the contents may be passed on is for whoever publishes this to say (`license` above).")
	}
	if len(c.Language) == 0 {
		add("The languages were not stated, and weir does not detect them (`language` above).")
	}
	if c.Target == "" {
		add("Tokens, cost and what a format cannot carry are known once it is exported (`weir export --dataset`).")
	}
	i := slices.IndexFunc(c.State.Reviews, func(r frozen.Review) bool { return r.Part == "all" })
	if i < 0 || c.State.Reviews[i].ReviewedCount == 0 {
		add("No person has reviewed it: the share of defective examples is unknown.")
	}
	for _, fate := range c.State.Fates {
		if fate.Fate == "open" {
			add("%s examples were not settled when it was chosen, and are not in it.", Number(fate.Examples))
		}
	}
	if c.Stats.Inferred > 0 {
		add("The tools of %s examples were inferred from their calls: their log declares none.", Number(c.Stats.Inferred))
	}
	add("Secrets were replaced by known patterns, and names of people by pseudonyms where the log marks them as speakers; what stands within texts may still name somebody.")
	gaps = append(gaps, c.Gaps...)
	gaps = append(gaps, c.Warnings...)
	for _, gap := range gaps {
		fmt.Fprintf(out, "- %s\n", inline(gap))
	}
}
