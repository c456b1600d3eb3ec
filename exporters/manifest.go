package exporters

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/exporters/tokens"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/frozen"
)

// FewValidationGroups is the number of groups below which a validation loss says
// little: the examples of one group are not independent.
const FewValidationGroups = 30

const (
	manifestName   = "manifest.json"
	manifestFormat = 1

	tokenNote     = "messages by OpenAI's published counting rule; tool declarations and calls are estimated"
	tokenizerNote = "texts by the tokenizer file; messages framed as ChatML or Llama 3 where it has their tokens; tool declarations and calls are estimated"
)

// Manifest says what an export holds, where it is from, and what was lost on
// the way. It bears no clock and no path: the same inputs give the same bytes.
type Manifest struct {
	Format      int         `json:"format"`
	Target      string      `json:"target"`
	Model       string      `json:"model"`        // tokens and cost are stated for it
	ContentHash string      `json:"content_hash"` // sha256 over the names and sha256 of the training files
	Compression string      `json:"compression,omitempty"`
	Dataset     *DatasetRef `json:"dataset,omitempty"` // the version that was exported; null: what the funnel sends to each side
	Files       []File      `json:"files"`
	Unit        string      `json:"unit,omitempty"` // what the examples of the splits are: empty: examples; else UnitPair
	Splits      []Split     `json:"splits"`
	Examples    int64       `json:"examples"` // of the lake: the fates add up to it
	Fates       []Fate      `json:"fates"`
	Leaks       Leaks       `json:"leaks"`
	Reviews     []Review    `json:"reviews"` // of the lake's review sample: the whole set, each source, each task type
	Losses      []Loss      `json:"losses"`  // what the target could not carry
	Tokens      TokenRule   `json:"tokens"`
	Context     Context     `json:"context"`
	Cost        Cost        `json:"cost"`
	Distill     *Distilled  `json:"distill,omitempty"` // rules that shortened the examples
	Warnings    []string    `json:"warnings"`
	Inputs      string      `json:"inputs"` // sha256 over all that decided it: Options.IfChanged looks at this alone
	Tables      []TableRead `json:"tables"` // as they were read

	losses           map[target.Rule]Loss // while examples are counted
	validationGroups int64
	pairs            map[string]int64 // preference pairs of each side; nil: examples were exported
	readTokens       int64            // that stand before a trained reply of the training side, reply by reply
	priced           priced
}

// File is a file of the export.
type File struct {
	Name   string `json:"name"`
	Split  string `json:"split,omitempty"` // whose lines it has; empty: no training file
	Lines  int64  `json:"lines"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// UnitPair says that the examples of an export are preference pairs.
const UnitPair = "preference_pair"

// Check tells whether the file in an export's folder is what the manifest says.
func (f File) Check(dir string) error {
	path := filepath.Join(dir, f.Name)
	sum, _, err := lake.HashFile(path)
	if err == nil && sum != f.SHA256 {
		err = lake.WithHint(fmt.Errorf("%s is not what %s says", path, manifestName), "export again")
	}
	return err
}

// Split is a side of the split: examples = exported + dropped.
type Split struct {
	Split         string `json:"split"`
	Examples      int64  `json:"examples"` // that the funnel sent here
	Dropped       int64  `json:"dropped"`  // that the target cannot carry
	Lines         int64  `json:"lines"`    // more than examples where long ones were divided
	Targets       int64  `json:"targets"`  // messages that are trained
	Tokens        int64  `json:"tokens"`
	TrainedTokens int64  `json:"trained_tokens"`
	// What was to be trained of the examples, the dropped ones included, before
	// the conversion: the target's loss takes trained_tokens of it.
	SupervisedTokens int64 `json:"supervised_tokens"`
}

// What a manifest says of the lake as a whole.
type (
	Fate   = frozen.Fate
	Leaks  = frozen.Leaks
	Review = frozen.Review
)

// Loss is what one rule of the conversion did.
type Loss struct {
	Rule     string `json:"rule"`
	Drops    bool   `json:"drops"`
	Examples int64  `json:"examples"`
	Times    int64  `json:"times"`
	What     string `json:"what"`
}

// TokenRule says how tokens were counted.
type TokenRule struct {
	Encoding string `json:"encoding"`
	IsExact  bool   `json:"is_exact"` // the model's own vocabulary; else an estimate
	Note     string `json:"note"`
}

func tokenRule(v tokens.Vocabulary) TokenRule {
	rule := TokenRule{Encoding: v.Name(), IsExact: v.IsExact, Note: tokenNote}
	if v.Tokenizer != nil {
		rule.Note = tokenizerNote
	}
	return rule
}

// TableRead is a table that the export was read from.
type TableRead struct {
	Table   string `json:"table"`
	Version int64  `json:"version"`
	Query   string `json:"query"`  // hash of the SQL that made it
	Inputs  string `json:"inputs"` // JSON: the versions that it was made from
}

// readLake fills in what the lake says of the examples.
func (m *Manifest) readLake(ctx context.Context, session *duck.Session, lk *lake.Lake, from *source) error {
	m.Splits = make([]Split, len(splits))
	for i, split := range splits {
		m.Splits[i].Split = split
	}
	m.Examples, m.Fates, m.Leaks, m.Reviews, m.Dataset = from.state.Examples, from.state.Fates, from.state.Leaks, from.state.Reviews, from.dataset
	if m.pairs = from.pairs; m.pairs != nil {
		m.Unit = UnitPair
	}
	if err := session.Get(ctx, from.validationGroups, &m.validationGroups); err != nil {
		return err
	}
	for _, name := range from.tables {
		table, err := lk.Table(name)
		if err != nil {
			return err
		}
		snapshot, err := table.SnapshotAt(ctx, from.versions[name])
		if err != nil {
			return err
		}
		m.Tables = append(m.Tables, TableRead{Table: name, Version: snapshot.Version, Query: snapshot.Info["query"], Inputs: snapshot.Info["inputs"]})
	}
	return nil
}

func (m *Manifest) split(name string) *Split {
	for i := range m.Splits {
		if m.Splits[i].Split == name {
			return &m.Splits[i]
		}
	}
	panic("exporters: split " + name + " is not among those that examples.sql selects")
}

// count takes an example's conversion into the sums.
func (m *Manifest) count(side string, result target.Result) {
	split := m.split(side)
	split.Examples++
	if result.Dropped != "" {
		split.Dropped++
	}
	for rule, times := range result.Losses {
		loss := m.losses[rule]
		loss.Examples++
		loss.Times += int64(times)
		m.losses[rule] = loss
	}
}

// countSupervised takes into the sums what was to be trained of an example.
func (m *Manifest) countSupervised(name string, tokens int64) {
	m.split(name).SupervisedTokens += tokens
}

func (m *Manifest) countLine(name string, targets int, all, trained, read int64) {
	split := m.split(name)
	if name == "train" {
		m.readTokens += read
	}
	split.Lines++
	split.Targets += int64(targets)
	split.Tokens += all
	split.TrainedTokens += trained
}

// finish fills in what is known once the files are written.
func (m *Manifest) finish(out *files) {
	for _, info := range target.Rules() {
		if loss, ok := m.losses[info.Rule]; ok {
			loss.Rule, loss.Drops, loss.What = string(info.Rule), info.Drops, info.Doc
			m.Losses = append(m.Losses, loss)
		}
	}
	content := sha256.New()
	for _, file := range out.all() {
		m.Files = append(m.Files, File{Name: file.name, Split: file.split, Lines: file.lines, Bytes: file.bytes, SHA256: file.sum()})
		if file.split != "" {
			fmt.Fprintf(content, "%s %s\n", file.name, file.sum())
		}
	}
	m.ContentHash = hex.EncodeToString(content.Sum(nil))
	if m.split("validation").Lines > 0 && m.validationGroups < FewValidationGroups {
		m.Warnings = append(m.Warnings, fmt.Sprintf("validation has %d independent groups, fewer than %d: its loss says little", m.validationGroups, FewValidationGroups))
	}
	if m.pairs != nil && m.pairs["train"]+m.pairs["validation"] == 0 {
		m.Warnings = append(m.Warnings, "the lake has no preference pairs: they are two answers to one context of which a review, an outcome or a judge says which is better")
	}
	m.estimate()
}

// addUp refuses sums that do not: an example that the funnel sends to a side
// was exported or dropped there, and nothing else was.
func (m *Manifest) addUp() error {
	for _, split := range m.Splits {
		if m.pairs != nil {
			if pairs := m.pairs[split.Split]; pairs != split.Examples {
				return lake.WithHint(fmt.Errorf("curated.preference_pairs has %d pairs for %s, %d were found with both examples there", pairs, split.Split, split.Examples), "weir transform")
			}
			continue
		}
		if m.Dataset != nil {
			if rows := m.Dataset.Sides[split.Split]; rows != split.Examples {
				return fmt.Errorf("dataset %s has %d rows for %s, %d were found", m.Dataset.Name, rows, split.Split, split.Examples)
			}
			continue
		}
		var fated int64
		for _, fate := range m.Fates {
			if fate.Fate == split.Split {
				fated += fate.Examples
			}
		}
		if fated != split.Examples {
			return lake.WithHint(fmt.Errorf("curated.funnel sends %d examples to %s, %d were found: the tables are of different builds", fated, split.Split, split.Examples), "weir transform")
		}
	}
	return nil
}

// write writes the manifest and makes it durable.
func (m *Manifest) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	file, err := createFile(dir, manifestName, target.NoCompression)
	if err != nil {
		return err
	}
	return errors.Join(file.line(text), file.close())
}

func readManifest(path string) (Manifest, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
