package exporters

import (
	"context"
	"fmt"

	"github.com/weir-lake/weir/exporters/card"
	"github.com/weir-lake/weir/lake/duck"
)

// writeCard writes the dataset card of a finished export beside its files. It
// stands outside the manifest: people fill in what weir cannot know, and an export
// that would not change leaves what they wrote alone.
func (e *exporting) writeCard(ctx context.Context, session *duck.Session, examples []string, dir string) error {
	stats, err := card.Collect(ctx, session, "select * from "+scanParquet(examples...))
	if err != nil {
		return fmt.Errorf("card: %w", err)
	}
	m := &e.manifest
	c := card.Card{
		Title: "Training set for " + m.Target, Target: m.Target, Model: m.Model,
		Pairs: m.Unit == UnitPair, State: e.source.state, Stats: stats, TokenNote: m.Tokens.Note, Warnings: m.Warnings,
	}
	if !m.Tokens.IsExact {
		c.Gaps = append(c.Gaps, "The model's own vocabulary is not known: tokens are an estimate by "+m.Tokens.Encoding+".")
	}
	if d := m.Dataset; d != nil {
		c.Title, c.Version, c.ContentHash, c.Erased = d.Name+" for "+m.Target, d.ref(), d.ContentHash, d.Erased
		if err := c.Define(e.source.definition, e.source.definitionHash); err != nil {
			return err
		}
	}
	for _, file := range m.Files {
		if file.Split != "" {
			c.Files = append(c.Files, card.File{Name: file.Name, Split: file.Split, Lines: file.Lines, Bytes: file.Bytes, SHA256: file.SHA256})
		}
	}
	for _, s := range m.Splits {
		c.Sides = append(c.Sides, card.Side{
			Split: s.Split, Examples: s.Examples, Dropped: s.Dropped, Lines: s.Lines, Targets: s.Targets, Tokens: s.Tokens, TrainedTokens: s.TrainedTokens,
		})
	}
	for _, loss := range m.Losses {
		c.Losses = append(c.Losses, card.Loss{Rule: loss.Rule, What: loss.What, Drops: loss.Drops, Examples: loss.Examples})
	}
	return c.Write(dir)
}
