package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/transforms"
)

// knowledgeKinds are those of curated.knowledge.
var knowledgeKinds = []string{"identity", "rules", "methodology", "file_operations", "tools", "other"}

func knowledgeCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "knowledge",
		Usage:       "what agents are told in every call, and could learn",
		Subcommands: []*cli.Command{knowledgeExtract(e)},
	}
}

func knowledgeExtract(e env) *cli.Command {
	return &cli.Command{
		Name:  "extract",
		Usage: "find identity, rules, methodology and tool descriptions in documents and prompts",
		Description: "Brings curated.knowledge up to date and writes it as JSON: each section once, with its tokens, its hash,\n" +
			"and where and how often it was seen.\n\n" +
			"Examples:\n   weir knowledge extract --lake mylake --out knowledge.json\n" +
			"   weir knowledge extract --lake mylake --kind identity --kind rules --out -",
		Flags: []cli.Flag{
			lakeFlag(), quietFlag(), memoryFlag(), threadsFlag(),
			&cli.StringFlag{Name: "out", Usage: "`FILE` to write; -: print"},
			&cli.StringSliceFlag{Name: "kind", Usage: "only this `KIND` of " + strings.Join(knowledgeKinds, ", ") + "; may be repeated"},
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			path := c.String("out")
			if path == "" {
				return &usageError{what: "knowledge extract: --out is required", try: "weir knowledge extract --out knowledge.json"}
			}
			for _, kind := range c.StringSlice("kind") {
				if !slices.Contains(knowledgeKinds, kind) {
					return &usageError{what: fmt.Sprintf("knowledge extract: there is no kind %q", kind), try: "--kind " + knowledgeKinds[0]}
				}
			}
			return extractKnowledge(e, c, path)
		},
	}
}

func extractKnowledge(e env, c *cli.Context, path string) error {
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	tables, err := transforms.Tables(lk.ErasureKey())
	if err != nil {
		return err
	}
	only := derive.Options{Only: []string{"curated.knowledge"}}
	if _, err := buildTables(c.Context, e, lk, tables, duckOptions(c), only, c.Bool("quiet")); err != nil {
		return err
	}
	session, _, err := duck.OpenLake(c.Context, lk, duckOptions(c))
	if err != nil {
		return err
	}
	defer session.Close()
	where := ""
	if kinds := c.StringSlice("kind"); len(kinds) > 0 {
		list := make([]string, len(kinds))
		for i, kind := range kinds {
			list[i] = duck.Literal(kind)
		}
		where = " where kind in (" + strings.Join(list, ", ") + ")"
	}
	// The longest spent on stands first: tokens times calls.
	rows, err := session.Strings(c.Context, "select to_json(knowledge)::varchar from curated.knowledge as knowledge"+where+
		" order by kind, token_estimate * seen_count desc, knowledge_id")
	if err != nil {
		return err
	}
	sections := make([]json.RawMessage, len(rows))
	for i, row := range rows {
		sections[i] = json.RawMessage(row)
	}
	out := struct {
		Sections []json.RawMessage `json:"sections"`
	}{sections}
	if path == "-" {
		return printJSON(e.stdout, out)
	}
	if err := writeJSON(path, out); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s sections in %s\n", count(len(sections)), path)
	return nil
}

// writeJSON writes beside the file and renames, so that nobody reads half of it.
func writeJSON(path string, v any) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".weir-json-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // what is left of a failure
	if err := printJSON(file, v); err != nil {
		file.Close()
		return err
	}
	if err := file.Chmod(0o644); err != nil {
		file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
