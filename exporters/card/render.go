package card

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/lake"
)

// figures is the folder of the plots, beside the card.
const figures = "figures"

// ReadmeName is the card's file, as the Hub has it.
const ReadmeName = "README.md"

// Rendered is a file of a card.
type Rendered struct {
	Name string // relative, with slashes
	Text []byte
}

// Write writes the card and its figures into a folder, durably.
func (c *Card) Write(dir string) error {
	files, err := c.Render()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, figures), 0o755); err != nil {
		return err
	}
	for _, file := range files {
		path := filepath.Join(dir, filepath.FromSlash(file.Name))
		if err := os.WriteFile(path, file.Text, 0o644); err != nil {
			return err
		}
		if err := lake.SyncPath(path); err != nil {
			return err
		}
	}
	return errors.Join(lake.SyncPath(filepath.Join(dir, figures)), lake.SyncPath(dir))
}

// Render gives README.md and then the figures.
func (c *Card) Render() ([]Rendered, error) {
	front, err := c.frontMatter()
	if err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	files := []Rendered{{Name: ReadmeName, Text: []byte("---\n" + front + "---\n\n" + c.body())}}
	for _, figure := range []struct {
		name, title string
		bars        []bar
		keys        []legend
	}{
		{"funnel", "Where the lake's examples went", c.fateBars(), []legend{{"train", trainColour}, {"validation", validationColour}, {"left out", otherColour}}},
		{"sources", "Examples by source", sideBars(c.Stats.Sources), sidesLegend},
		{"lengths", "Examples by length in characters", sideBars(c.Stats.Lengths), sidesLegend},
		{"scores", "Examples by success score", sideBars(c.Stats.Scores), sidesLegend},
	} {
		files = append(files, Rendered{Name: figures + "/" + figure.name + ".svg", Text: chart(figure.title, figure.bars, figure.keys)})
	}
	return files, nil
}

func (c *Card) fateBars() []bar {
	var bars []bar
	for _, fate := range c.State.Fates {
		name, colour := fate.Fate, otherColour
		switch fate.Fate {
		case "train":
			colour = trainColour
		case "validation":
			colour = validationColour
		}
		if fate.Reason != "" {
			name += ": " + fate.Reason
		}
		bars = append(bars, bar{name, []barPart{{fate.Examples, colour}}})
	}
	return bars
}

// front is the YAML that the Hub and its loader read.
type front struct {
	License  string   `yaml:"license"`
	Language []string `yaml:"language,omitempty"`
	Name     string   `yaml:"pretty_name"`
	Sizes    []string `yaml:"size_categories"`
	Tasks    []string `yaml:"task_categories"`
	Tags     []string `yaml:"tags"`
	Configs  []config `yaml:"configs,omitempty"`
}

type config struct {
	Name  string     `yaml:"config_name"`
	Files []dataFile `yaml:"data_files"`
}

type dataFile struct {
	Split string   `yaml:"split"`
	Path  []string `yaml:"path"`
}

func (c *Card) frontMatter() (string, error) {
	f := front{
		License: cmp.Or(c.License, "unknown"), Language: c.Language, Name: c.Title,
		Sizes: []string{sizeCategory(c.Stats.Examples)}, Tasks: []string{"text-generation"}, Tags: []string{"weir", "agents", "conversational"},
	}
	var data []dataFile
	for _, file := range c.Files {
		if file.Lines == 0 {
			continue // the loader takes no empty file
		}
		i := slices.IndexFunc(data, func(d dataFile) bool { return d.Split == file.Split })
		if i < 0 {
			i, data = len(data), append(data, dataFile{Split: file.Split})
		}
		data[i].Path = append(data[i].Path, file.Name)
	}
	if len(data) > 0 {
		f.Configs = []config{{Name: "default", Files: data}}
	}
	text, err := yaml.Marshal(f)
	if c.License == "" || len(c.Language) == 0 {
		text = append([]byte("# license and language are for whoever publishes this to fill in\n"), text...)
	}
	return string(text), err
}

// sizeCategory is the Hub's word for a number of examples.
func sizeCategory(n int64) string {
	switch {
	case n < 1_000:
		return "n<1K"
	case n < 10_000:
		return "1K<n<10K"
	case n < 100_000:
		return "10K<n<100K"
	case n < 1_000_000:
		return "100K<n<1M"
	case n < 10_000_000:
		return "1M<n<10M"
	case n < 100_000_000:
		return "10M<n<100M"
	}
	return "100M<n<1B"
}

// table writes a Markdown table; the columns after the first left are numbers.
func table(out *strings.Builder, left int, header []string, rows [][]string) {
	line := func(cells []string) {
		for i, cell := range cells {
			cells[i] = inline(cell)
		}
		fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
	}
	line(slices.Clone(header))
	for i := range header {
		if i < left {
			out.WriteString("|---")
		} else {
			out.WriteString("|---:")
		}
	}
	out.WriteString("|\n")
	for _, row := range rows {
		line(row)
	}
	out.WriteString("\n")
}

// inline keeps a text from leaving its place: a cell, a line.
func inline(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ", "<", "&lt;").Replace(text)
}

func percent(part, of int64) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(of))
}
