package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lineage"
	"github.com/weir-lake/weir/registry"
)

func lineageCommand(e env) *cli.Command {
	return &cli.Command{
		Name:      "lineage",
		Usage:     "follow an id both ways: what it was made from, and which models saw it",
		ArgsUsage: "ID",
		Description: "ID is an example, an event, a subject (a chat, task or request), a dataset or NAME@VERSION, a training run or\n" +
			"its job, a model or its alias, or FILE:LINE of an export. What dataset versions hold is known once they are\n" +
			"recorded (weir export --record, weir train).\n\n" +
			"Examples:\n   weir lineage --lake mylake ticket-4711\n   weir lineage --lake mylake training/train.jsonl:12\n" +
			"   weir lineage --lake mylake production",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(),
			&cli.StringFlag{Name: "kind", Usage: "what ID is, where that is not clear: example, event, subject, dataset, model, run or line"},
			&cli.IntFlag{Name: "limit", Usage: "at most `N` of a kind below one; 0: all", Value: 10},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Len() != 1 {
				return &usageError{what: "lineage: name one id", try: "weir lineage ID"}
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			session, err := registry.Open(c.Context, lk)
			if err != nil {
				return err
			}
			defer session.Close()
			root, err := lineage.Trace(c.Context, session, c.Args().First(), lineage.Options{Kind: c.String("kind"), Limit: c.Int("limit")})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, root)
			}
			printNode(e.stdout, root, "", "")
			return nil
		},
	}
}

// printNode prints a node and what hangs on it as a tree that fits a terminal.
func printNode(w io.Writer, n lineage.Node, first, rest string) {
	text := n.Kind + " " + n.ID
	if n.More > 0 {
		text = fmt.Sprintf("and %s more: --limit", count(n.More))
	}
	if n.Relation != "" {
		text = n.Relation + " " + text
	}
	if n.What != "" {
		text += "  " + n.What
	}
	fmt.Fprintln(w, fit(first+printable(text), maxWidth))
	for i, child := range n.Nodes {
		if i < len(n.Nodes)-1 {
			printNode(w, child, rest+"├─ ", rest+"│  ")
		} else {
			printNode(w, child, rest+"└─ ", rest+"   ")
		}
	}
}
