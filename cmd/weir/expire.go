package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/retention"
)

func lakeExpireCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "expire",
		Usage: "let the old rows of a family go, or of all that retention.yaml names",
		Description: "Without --family it applies retention.yaml in the lake's folder, a line a family such as chat: 365d.\n" +
			"Of chat, checkpoint, gateway and swarm a conversation, task or request goes as a whole, once its last\n" +
			"event is old; --rows takes the old rows of those that go on as well. Of other families each row goes\n" +
			"by itself. Erasures, datasets and configuration stay. Derived tables follow. What went stays away from\n" +
			"a rebuild; its files go with the horizon of weir lake vacuum. Families:\n" + families() + "\n\n" +
			"Examples:\n   weir lake expire --lake mylake --family chat --older-than 365d --dry-run\n   weir lake expire --lake mylake",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(), quietFlag(), nowFlag(),
			&cli.StringFlag{Name: "family", Usage: "`FAMILY` of events, such as chat"},
			&cli.StringFlag{Name: "older-than", Usage: "`AGE`, such as 365d or 720h"},
			&cli.BoolFlag{Name: "rows", Usage: "with --family: also old rows of conversations that go on"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would go, and take nothing out"},
			memoryFlag(), threadsFlag(),
		},
		Action: func(c *cli.Context) error { return lakeExpire(e, c) },
	}
}

func families() string {
	names := retention.Families()
	half := (len(names) + 1) / 2 // a help line stays within 100 columns
	return "   " + strings.Join(names[:half], ", ") + ",\n   " + strings.Join(names[half:], ", ")
}

// nowFlag is for tests and for whoever wants to see ahead.
func nowFlag() cli.Flag {
	return &cli.StringFlag{Name: "now", Usage: "count ages from `TIME`", Hidden: true}
}

func nowOf(c *cli.Context) (time.Time, error) {
	text := c.String("now")
	if text == "" {
		return time.Now(), nil
	}
	now, err := parseMoment(text)
	if err != nil {
		return now, &usageError{what: c.Command.FullName() + ": --now: " + err.Error(), try: "--now 2026-11-01T08:00:00Z"}
	}
	return now, nil
}

func lakeExpire(e env, c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	rule, isNamed, err := ruleOf(c)
	if err != nil {
		return err
	}
	now, err := nowOf(c)
	if err != nil {
		return err
	}
	lk, err := openLake(c)
	if err != nil {
		return err
	}
	rules := []retention.Rule{rule}
	if !isNamed {
		if rules, err = retention.Policy(c.Context, lk); err != nil {
			return err
		}
		if len(rules) == 0 {
			return &usageError{what: "lake expire: the lake has no " + retention.PolicyName + " that says what is old",
				try: "weir lake expire --family chat --older-than 365d --dry-run"}
		}
	}
	opts := retention.Options{Session: duckOptions(c), Now: now, DryRun: c.Bool("dry-run"), Fault: faultStep}
	done, err := retention.Apply(c.Context, lk, rules, opts)
	if err != nil {
		return err
	}
	if !opts.DryRun {
		// Also where nothing went: a run that was killed may have got no further.
		if err := followExpired(c.Context, e, lk, c.Bool("quiet")); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return printJSON(e.stdout, done)
	}
	printExpired(e, done, opts.DryRun)
	return nil
}

// ruleOf reads the flags; no rule is named where none is given.
func ruleOf(c *cli.Context) (rule retention.Rule, isNamed bool, err error) {
	rule = retention.Rule{Family: c.String("family"), Rows: c.Bool("rows")}
	age := c.String("older-than")
	usage := func(what string) (retention.Rule, bool, error) {
		return rule, false, &usageError{what: "lake expire: " + what, try: "weir lake expire --family chat --older-than 365d --dry-run"}
	}
	switch {
	case rule.Family == "" && age == "" && !rule.Rows:
		return rule, false, nil
	case rule.Family == "" || age == "":
		return usage("--family and --older-than belong together")
	}
	if rule.OlderThan, err = retention.ParseAge(age); err != nil {
		return usage("--older-than: " + err.Error())
	}
	return rule, true, nil
}

// expireByPolicy applies the lake's own rules, if it has any.
func expireByPolicy(e env, c *cli.Context, lk *lake.Lake) ([]retention.Result, error) {
	now, err := nowOf(c)
	if err != nil {
		return nil, err
	}
	rules, err := retention.Policy(c.Context, lk)
	if err != nil {
		return nil, err
	}
	done, err := retention.Apply(c.Context, lk, rules, retention.Options{Session: duckOptions(c), Now: now, Fault: faultStep})
	if err == nil && went(done) {
		err = followExpired(c.Context, e, lk, c.Bool("quiet"))
	}
	return done, err
}

func went(done []retention.Result) bool {
	for _, one := range done {
		if one.Rows > 0 {
			return true
		}
	}
	return false
}

// followExpired brings the derived tables up to the events that are left.
func followExpired(ctx context.Context, e env, lk *lake.Lake, quiet bool) error {
	if err := deriveLayers(ctx, e, lk, lk, derive.Options{}, quiet); err != nil {
		return err
	}
	return catalog.Publish(ctx, lk, catalog.Options{})
}

func printExpired(e env, done []retention.Result, dry bool) {
	var rows [][]string
	var went, held int64
	for _, one := range done {
		subjects := ""
		if one.Subjects > 0 {
			subjects = count(one.Subjects)
		}
		rows = append(rows, []string{one.Family, one.Before.Format("2006-01-02 15:04:05"), count(one.Rows), subjects, count(one.Files), count(one.Held)})
		went, held = went+one.Rows, held+one.Held
	}
	printTable(e.stdout, []column{{name: "family"}, {name: "before (UTC)"}, {name: "rows", right: true},
		{name: "conversations", right: true}, {name: "files", right: true}, {name: "still going on", right: true}}, rows)
	verb := "expired"
	if dry {
		verb = "would expire"
	}
	fmt.Fprintf(e.stdout, "%s rows %s", count(went), verb)
	if held > 0 {
		fmt.Fprintf(e.stdout, "; %s old rows stay, because their conversation goes on", count(held))
	}
	fmt.Fprintln(e.stdout)
}
