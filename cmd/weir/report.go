package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/evalsql/report"
)

func reportCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "report",
		Usage:       "what came in, what became of it, what it costs, and which arm is better",
		Description: "Example:\n   weir report --lake mylake",
		Flags:       []cli.Flag{lakeFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			lk, err := openLake(c)
			if err != nil {
				return err
			}
			r, err := report.Read(c.Context, lk)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e.stdout, r)
			}
			printReport(e, r)
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
		if difference.Low == nil && t.Difference.Low != nil {
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
