package synth

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// topic is what one episode is about: the same few facts run through all its
// texts, as they do in real work.
type topic struct {
	service, symptom, cause, fix, check, constraint, why string
	port, otherPort, ship                                string
	ticket, rows, minutes, percent                       int
}

func newTopic(r *rand.Rand) topic {
	t := topic{
		service: pick(r, services), symptom: pick(r, symptoms), cause: pick(r, causes), fix: pick(r, fixes),
		check: pick(r, checks), constraint: pick(r, constraints), why: pick(r, reasonsWhy),
		port: pick(r, ports), ship: pick(r, ships),
		ticket: 1000 + r.IntN(900_000), rows: 12 + r.IntN(90_000), minutes: 2 + r.IntN(170), percent: 3 + r.IntN(95),
	}
	for t.otherPort = pick(r, ports); t.otherPort == t.port; {
		t.otherPort = pick(r, ports)
	}
	return t
}

// slug is the service as it appears in file and function names.
func (t topic) slug() string { return strings.ReplaceAll(t.service, " ", "_") }

func (t topic) path() string { return t.slug() + "/" + t.slug() + ".go" }

// ask is a person's first request.
func (t topic) ask(r *rand.Rand) string {
	return pick(r, []func() string{
		func() string {
			return fmt.Sprintf("The %s %s. It matters because %s. Please find out why (HF-%d) and %s.", t.service, t.symptom, t.why, t.ticket, t.constraint)
		},
		func() string {
			return fmt.Sprintf("HF-%d: on the %s, sailing %s to %s, our %s %s. Can you repair that today? One rule: %s.", t.ticket, t.ship, t.port, t.otherPort, t.service, t.symptom, t.constraint)
		},
		func() string {
			return fmt.Sprintf("Since about %d minutes ago the %s %s. %d bookings at %s look affected. %s, so be quick, but %s.", t.minutes, t.service, t.symptom, t.rows, t.port, capital(t.why), t.constraint)
		},
		func() string {
			return fmt.Sprintf("I need an explanation for ticket HF-%d before noon: why is it that the %s %s? In %s they say it began with the %s. And %s.", t.ticket, t.service, t.symptom, t.otherPort, t.ship, t.constraint)
		},
		func() string {
			return fmt.Sprintf("Could someone look at the %s? In %s it %s, in %s it does not. %s. Reference HF-%d.", t.service, t.port, t.symptom, t.otherPort, capital(t.why), t.ticket)
		},
	})()
}

// followUp is a person's later message.
func (t topic) followUp(r *rand.Rand) string {
	return pick(r, []func() string{
		func() string {
			return fmt.Sprintf("Good. Does %s confirm it for %s as well? I count %d rows there.", t.check, t.otherPort, t.rows)
		},
		func() string {
			return fmt.Sprintf("And what happens on the %s if we do not %s until next month?", t.ship, t.fix)
		},
		func() string {
			return fmt.Sprintf("Please put the result in two sentences for the people in %s, with the %d %% in it.", t.port, t.percent)
		},
		func() string {
			return fmt.Sprintf("Thanks, that helps. One more thing about HF-%d: %s. Did you keep to that?", t.ticket, t.constraint)
		},
		func() string {
			return fmt.Sprintf("That is not what I asked. %s is fine, the fault is in %s; the %s there still %s.", t.port, t.otherPort, t.service, t.symptom)
		},
	})()
}

// plan is what an agent says before it acts.
func (t topic) plan(r *rand.Rand) string {
	return pick(r, []func() string{
		func() string {
			return fmt.Sprintf("I'll look at how the %s handles %s first, then run %s.", t.service, t.port, t.check)
		},
		func() string { return fmt.Sprintf("Let me check the records of the %s for HF-%d.", t.ship, t.ticket) },
		func() string { return fmt.Sprintf("Before changing anything in %s I want to see it fail.", t.path()) },
		func() string {
			return fmt.Sprintf("My guess is that %s. I will test that on %d rows.", t.cause, 1+t.rows/7)
		},
		func() string {
			return fmt.Sprintf("Reading %s now; the fault should show between %s and %s.", t.path(), t.port, t.otherPort)
		},
	})()
}

// thought is an agent's reasoning.
func (t topic) thought(r *rand.Rand) string {
	return pick(r, []func() string{
		func() string {
			return fmt.Sprintf("The report says that the %s %s. Either the input differs in %s, or %s. The second is cheaper to test.", t.service, t.symptom, t.port, t.cause)
		},
		func() string {
			return fmt.Sprintf("%d rows is too many for chance. If %s, then only the %s would show it, and that fits.", t.rows, t.cause, t.ship)
		},
		func() string {
			return fmt.Sprintf("They said %s. So whatever I do, I have to be careful; to %s would be within that.", t.constraint, t.fix)
		},
	})()
}

// answer is an agent's result: several sentences in one of several orders.
func (t topic) answer(r *rand.Rand) string {
	parts := []string{
		pick(r, []func() string{
			func() string { return fmt.Sprintf("The reason is that %s.", t.cause) },
			func() string {
				return fmt.Sprintf("Found it: %s, which is why the %s %s.", t.cause, t.service, t.symptom)
			},
			func() string {
				return fmt.Sprintf("%s affects %d rows, all of them from %s: %s.", fmt.Sprintf("HF-%d", t.ticket), t.rows, t.port, t.cause)
			},
		})(),
		pick(r, []func() string{
			func() string { return fmt.Sprintf("I propose to %s.", t.fix) },
			func() string { return fmt.Sprintf("The remedy is to %s; %s saw no difference.", t.fix, t.otherPort) },
			func() string {
				return fmt.Sprintf("To cure it we %s, and %d %% of the cases on the %s disappear at once.", t.fix, t.percent, t.ship)
			},
		})(),
		pick(r, notes),
		pick(r, []func() string{
			func() string { return fmt.Sprintf("I verified this with %s in %d minutes.", t.check, t.minutes) },
			func() string { return fmt.Sprintf("After the change, %s shows %d of %d.", t.check, t.rows, t.rows) },
			func() string { return fmt.Sprintf("%s agrees within %d %%.", capital(t.check), 1+t.percent/20) },
		})(),
	}
	if r.IntN(2) == 0 {
		parts = append(parts, pick(r, notes))
	}
	if r.IntN(3) == 0 {
		parts = append(parts, fmt.Sprintf("As you asked: %s.", t.constraint))
	}
	r.Shuffle(len(parts)-1, func(i, j int) { parts[i+1], parts[j+1] = parts[j+1], parts[i+1] })
	return strings.Join(parts, " ")
}

// code is some lines of a file, as a tool shows them.
func (t topic) code(r *rand.Rand) string {
	var b strings.Builder
	name := camel(t.slug())
	fmt.Fprintf(&b, "package %s\n\n// %s serves %s (HF-%d).\nfunc %s(ctx context.Context, port string) error {\n", t.slug(), name, t.port, t.ticket, name)
	for range 2 + r.IntN(5) {
		fmt.Fprintf(&b, "\tif err := %s(ctx, port, %d); err != nil {\n\t\treturn fmt.Errorf(\"%s: %%w\", err)\n\t}\n",
			pick(r, []string{"loadRows", "checkBerth", "releaseHold", "applyFare", "readTide", "closeVoyage", "postNotice", "matchInvoice"}),
			r.IntN(5000), pick(r, services))
	}
	b.WriteString("\treturn nil\n}\n")
	return b.String()
}

// testRun is what a test tool prints.
func (t topic) testRun(r *rand.Rand, failed bool) string {
	var b strings.Builder
	for i := range 2 + r.IntN(4) {
		verdict := "ok  "
		if failed && i == 1 {
			verdict = "FAIL"
		}
		fmt.Fprintf(&b, "%s\tharbour/%s\t%d.%02ds\n", verdict, strings.ReplaceAll(pick(r, services), " ", "_"), r.IntN(9), r.IntN(100))
	}
	if failed {
		fmt.Fprintf(&b, "--- FAIL: Test%s (%s, %d rows)\n", camel(t.slug()), t.port, t.rows)
	}
	return b.String()
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func camel(slug string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(slug, "_") {
		b.WriteString(capital(word))
	}
	return b.String()
}
