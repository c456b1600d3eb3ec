package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/evalsql/gates"
	"github.com/weir-lake/weir/evalsql/report"
	"github.com/weir-lake/weir/lake"
)

func reportCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "report",
		Usage: "what came in, what became of it, what it costs, and which arm is better",
		Description: "With --gates it asks the gates alone, go or no-go, and exits with 3 unless all are met.\n\n" +
			"Examples:\n   weir report --lake mylake\n   weir report --lake mylake --gates\n" +
			"   weir report --default-gates > gates.yaml; weir report --lake mylake --gates-file gates.yaml",
		Flags: []cli.Flag{
			lakeFlag(), jsonFlag(), memoryFlag(), threadsFlag(),
			&cli.BoolFlag{Name: "gates", Usage: "go or no-go by the gates that weir brings"},
			&cli.StringFlag{Name: "gates-file", Usage: "go or no-go by the gates of a YAML `FILE`"},
			&cli.BoolFlag{Name: "default-gates", Usage: "print the gates that weir brings"},
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			if c.Bool("default-gates") {
				_, err := e.stdout.Write(gates.Defaults())
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			if c.Bool("gates") || c.String("gates-file") != "" {
				return askGates(e, c, lk)
			}
			r, err := report.Read(c.Context, lk)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, r)
			}
			printReport(e, r)
			printGoals(e, r.Goals)
			return nil
		},
	}
}

func printReport(e env, r report.Report) {
	printEvents(e, r.Events)
	printFates(e, r)
	printResults(e, r.Results)
	printArms(e, r.Arms)
	printTests(e, r.Tests)
}

func askGates(e env, c *cli.Context, lk *lake.Lake) error {
	text := gates.Defaults()
	if path := c.String("gates-file"); path != "" {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return err
		}
	}
	list, err := gates.Parse(text)
	if err != nil {
		return err
	}
	results, err := gates.Evaluate(c.Context, lk, list, duckOptions(c))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		if err := printJSON(e.stdout, results); err != nil {
			return err
		}
	} else {
		printGates(e, results)
	}
	if !gates.AllMet(results) {
		return &problemsError{what: "report: no go: not every gate is met"}
	}
	return nil
}

func printGates(e env, results []gates.Result) {
	for _, r := range results {
		bound := ""
		if r.AtLeast != nil {
			bound = fmt.Sprintf("at least %g", *r.AtLeast)
		} else {
			bound = fmt.Sprintf("at most %g", *r.AtMost)
		}
		fmt.Fprintf(e.stdout, "%-16s %s: %s\n", strings.ToUpper(r.Verdict), r.Name, r.Question)
		value := interval(report.Metric{Estimate: r.Estimate, Low: r.Low, High: r.High}, "%.4g", 1)
		fmt.Fprintf(e.stdout, "%16s %s; %s\n%16s %s\n", "", value, bound, "", printable(r.Evidence))
	}
}

// printVerdicts counts the goals by verdict.
func printVerdicts(e env, goals []report.Goal) {
	verdicts := map[string]int64{}
	for _, g := range goals {
		verdicts[g.Verdict]++
	}
	fmt.Fprintf(e.stdout, "\ngoals: %s met, %s not met, %s cannot be told yet (weir report shows them, weir report --gates decides)\n",
		count(verdicts["met"]), count(verdicts["not met"]), count(verdicts["cannot tell yet"]))
}

// printGoals shows each metric that has a goal, a line an arm.
func printGoals(e env, goals []report.Goal) {
	if len(goals) == 0 {
		return
	}
	fmt.Fprintln(e.stdout, "\ngoals (95 % intervals; met and not met only where the whole interval says so)")
	var rows [][]string
	for _, g := range goals {
		label, scale, format := labelOf(g.Metric)
		bound := "≥ " + scaled(g.AtLeast, format, scale)
		if g.AtMost != nil {
			bound = "≤ " + scaled(g.AtMost, format, scale)
		}
		rows = append(rows, []string{label, dash(g.Arm), g.Evidence, count(g.Value.N), interval(g.Value, format, scale), bound, g.Verdict})
	}
	printTable(e.stdout, []column{{name: "metric"}, {name: "arm"}, {name: "by"}, {name: "n", right: true}, {name: "value", right: true},
		{name: "goal", right: true}, {name: "verdict"}}, rows)
}

// printEvents lists the families in lines that fit, most rows first would hide
// the order of the documentation, so they stand in that.
func printEvents(e env, families []report.Family) {
	var total int64
	var parts []string
	for _, family := range families {
		total += family.Rows
		parts = append(parts, family.Table+" "+count(family.Rows))
	}
	printWrapped(e, fmt.Sprintf("events %s:", count(total)), parts)
}

func printFates(e env, r report.Report) {
	if r.Leaks == nil {
		return
	}
	var total int64
	fates := map[string]int64{}
	var order, reasons []string
	for _, fate := range r.Fates {
		if _, seen := fates[fate.Fate]; !seen {
			order = append(order, fate.Fate)
		}
		fates[fate.Fate] += fate.Examples
		total += fate.Examples
		if fate.Fate == "excluded" {
			reasons = append(reasons, fate.Reason+" "+count(fate.Examples))
		}
	}
	parts := make([]string, len(order))
	for i, fate := range order {
		parts[i] = fate + " " + count(fates[fate])
	}
	printWrapped(e, fmt.Sprintf("examples %s =", count(total)), parts)
	if len(reasons) > 0 {
		printWrapped(e, "  excluded:", reasons)
	}
	fmt.Fprintf(e.stdout, "leaks across the split: %s\n", count(*r.Leaks))
}

// printWrapped prints a head and its parts, wrapped under each other.
func printWrapped(e env, head string, parts []string) {
	line := head
	for i, part := range parts {
		if i < len(parts)-1 {
			part += ","
		}
		if len(line)+1+len(part) > maxWidth && line != head {
			fmt.Fprintln(e.stdout, line)
			line = strings.Repeat(" ", len(head))
		}
		line += " " + part
	}
	fmt.Fprintln(e.stdout, line)
}

func printResults(e env, results []report.Result) {
	if len(results) == 0 {
		return
	}
	fmt.Fprintln(e.stdout, "\neval results (95 % intervals; difference to the control over shared scenarios)")
	var rows [][]string
	for _, r := range results {
		rows = append(rows, []string{
			r.Suite, r.Metric, r.Arm, count(r.Value.N), count(r.Errors),
			interval(r.Value, "%.2f", 1), interval(r.Difference, "%+.2f", 1),
		})
	}
	printTable(e.stdout, []column{{name: "suite"}, {name: "metric"}, {name: "arm"}, {name: "trials", right: true},
		{name: "errors", right: true}, {name: "rate or score", right: true}, {name: "difference", right: true}}, rows)
}

func printArms(e env, arms []report.Arm) {
	if len(arms) == 0 {
		return
	}
	fmt.Fprintln(e.stdout, "\nlive traffic by arm (95 % intervals; prompt: constant tokens a call; saved: of the control's)")
	var rows [][]string
	for _, a := range arms {
		m := a.Metrics
		rows = append(rows, []string{
			dash(a.Experiment), dash(a.Arm), count(m["cost_per_call_usd"].N),
			interval(m["cost_per_call_usd"], "%.3f", 100), interval(m["cost_per_successful_task_usd"], "%.2f", 100),
			number(m["latency_p95_ms"], "%.1f", 0.001), number(m["overhead_tokens_per_call"], "%.0f", 1), percent(m["saved_rate"]),
		})
	}
	printTable(e.stdout, []column{{name: "experiment"}, {name: "arm"}, {name: "calls", right: true}, {name: "¢ per call", right: true},
		{name: "¢ per success", right: true}, {name: "p95 s", right: true}, {name: "prompt", right: true}, {name: "saved", right: true}}, rows)
}

// printTests shows the bounds that hold however often one looks, where there
// are such.
func printTests(e env, tests []report.Test) {
	if len(tests) == 0 {
		return
	}
	fmt.Fprintln(e.stdout, "\nA/B tests by unit (95 % intervals for every look; *: for one look, at a number planned before)")
	var rows [][]string
	for _, t := range tests {
		label, scale, format := labelOf(t.Metric)
		difference, mark := t.Anytime, ""
		if difference.Low == nil && t.Difference.Low != nil && t.Difference.High != nil {
			difference, mark = t.Difference, "*"
		}
		rows = append(rows, []string{
			label, t.Arm, count(t.N), count(t.ControlN), scaled(t.ArmValue, format, scale), scaled(t.Base, format, scale),
			interval(difference, "%+"+format[1:], scale) + mark, t.Verdict,
		})
	}
	printTable(e.stdout, []column{{name: "metric"}, {name: "arm"}, {name: "units", right: true}, {name: "control", right: true},
		{name: "value", right: true}, {name: "of control", right: true}, {name: "difference", right: true}, {name: "verdict"}}, rows)
	told := ""
	for _, t := range tests {
		if t.Allocation == "mismatch" && t.Experiment != told {
			told = t.Experiment
			fmt.Fprintf(e.stdout, "%s: the arms did not get their shares of the units, so trust none of its numbers: weir query \"from analysis.experiment_allocation\"\n", told)
		}
	}
}

// labelOf is how a metric is called and printed: rates in percent, dollars in
// cents, milliseconds in seconds.
func labelOf(metric string) (label string, scale float64, format string) {
	switch metric {
	case "cost_per_successful_task_usd":
		return "¢ per success", 100, "%.2f"
	case "saved_rate":
		return "% prompt saved", 100, "%.1f"
	case "cost_per_unit_usd":
		return "¢ per unit", 100, "%.2f"
	case "task_success_rate":
		return "% tasks done", 100, "%.1f"
	case "satisfaction_rate":
		return "% liked", 100, "%.1f"
	case "failed_call_rate":
		return "% calls failed", 100, "%.1f"
	case "input_tokens_per_call":
		return "input tokens", 1, "%.0f"
	case "latency_p95_ms":
		return "p95 s", 0.001, "%.2f"
	}
	if name, ok := strings.CutSuffix(metric, "_rate"); ok {
		return "% " + strings.ReplaceAll(name, "_", " "), 100, "%.1f"
	}
	return metric, 1, "%.3f"
}

func scaled(v *float64, format string, scale float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf(format, *v*scale)
}

// interval prints an estimate with its bounds; a dash where there is none.
func interval(m report.Metric, format string, scale float64) string {
	if m.Estimate == nil {
		return "–"
	}
	text := fmt.Sprintf(format, *m.Estimate*scale)
	if m.Low == nil || m.High == nil {
		return text
	}
	return fmt.Sprintf("%s ["+format+", "+format+"]", text, *m.Low*scale, *m.High*scale)
}

// dash stands for what a call is not part of.
func dash(name string) string {
	if name == "none" {
		return "–"
	}
	return name
}

func number(m report.Metric, format string, scale float64) string {
	if m.Estimate == nil {
		return "–"
	}
	return fmt.Sprintf(format, *m.Estimate*scale)
}

func percent(m report.Metric) string {
	if m.Estimate == nil {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", *m.Estimate*100)
}
