package method

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/lake"
)

var personas = []string{
	"a patient tutor", "a terse systems engineer", "a friendly help desk agent", "a careful analyst",
	"a senior reviewer", "a project coordinator", "a field technician", "a research assistant",
}

var (
	openingPersona = regexp.MustCompile(`^(?:You are|You're) (?:(?:an?|the) )[^.,;:\n]{3,80}`)
	selfDescribed  = regexp.MustCompile(`(?i)\b(?:I am|I'm) (?:an?|the|your)\b|\bas an? [a-z]+`)
)

// swapPersona replaces who the system prompt says the model is, or says so
// first where there is no system prompt. A target that speaks of itself would
// contradict it.
func swapPersona(e Example, r *rand.Rand) (Example, error) {
	for _, m := range e.Messages {
		if isTarget(m) && selfDescribed.MatchString(m.Content) {
			return e, ErrNotApplicable
		}
	}
	persona := "You are " + personas[r.IntN(len(personas))]
	out := e.clone()
	if len(out.Messages) == 0 {
		return e, ErrNotApplicable
	}
	if !isSystem(out.Messages[0]) {
		out.Messages = slices.Insert(out.Messages, 0, lake.Message{Role: "system", Content: persona + ".", Weight: new(float64)})
		return out, nil
	}
	old := openingPersona.FindString(out.Messages[0].Content)
	if old == "" || strings.EqualFold(old, persona) {
		return e, ErrNotApplicable
	}
	out.Messages[0].Content = persona + strings.TrimPrefix(out.Messages[0].Content, old)
	return out, nil
}

// swapRoles gives the named speakers each other's names, in names, texts and
// calls alike.
func swapRoles(e Example, r *rand.Rand) (Example, error) {
	var names []string
	for _, m := range e.Messages {
		// A tool message's name is the tool's.
		if m.Role != "tool" && m.Name != "" && !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
	}
	if len(names) < 2 || hasParts(e) {
		return e, ErrNotApplicable
	}
	slices.Sort(names)
	step := 1 + r.IntN(len(names)-1)
	out := e.clone()
	// By way of marks that no text holds, or the second name would be renamed again.
	mark := func(i int) string { return "\x00" + strconv.Itoa(i) + "\x00" }
	mapTexts(out.Messages, func(text string) string {
		// Longer names first: Planner is no part of Chief Planner.
		for _, i := range byLength(names) {
			text = replaceWord(text, names[i], mark(i))
		}
		for i := range names {
			text = strings.ReplaceAll(text, mark(i), names[(i+step)%len(names)])
		}
		return text
	})
	return out, nil
}

func byLength(names []string) []int {
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(names[b]) - len(names[a]) })
	return order
}

var (
	// specific is a word that an answer could only have from its context: with a
	// digit, in quotes, or with a capital inside a sentence.
	specific = regexp.MustCompile("[\\pL\\pN_./-]*\\d[\\pL\\pN_./-]*|\"[^\"\\n]{2,60}\"|`[^`\\n]{2,60}`|\\b\\p{Lu}[\\pL\\pN]{3,}")
	// backward points at what was said before.
	backward = regexp.MustCompile(`(?i)\b(?:again|earlier|above|before|previous(?:ly)?|as (?:I|you|we) (?:said|mentioned)|same|instead|also|that one|the other|continue|go on)\b`)
)

// trimContext leaves out the first exchanges after the system prompt, at a user
// turn, so that no call is parted from its result. It refuses where what stays
// points back, or takes a name or number from what would go.
func trimContext(e Example, r *rand.Rand) (Example, error) {
	last := lastUser(e.Messages)
	var cuts []int
	start := 0
	for start < len(e.Messages) && isSystem(e.Messages[start]) {
		start++
	}
	for i := start + 1; i <= last; i++ {
		if e.Messages[i].Role == "user" && e.Messages[i-1].Role == "assistant" && canCut(e.Messages[start:i], e.Messages[i:], e.Messages[:start]) {
			cuts = append(cuts, i)
		}
	}
	if len(cuts) == 0 {
		return e, ErrNotApplicable
	}
	cut := cuts[r.IntN(len(cuts))]
	out := e.clone()
	out.Messages = slices.Concat(out.Messages[:start], out.Messages[cut:])
	return out, nil
}

func canCut(gone, kept, system []lake.Message) bool {
	if backward.MatchString(kept[0].Content) || len(strings.Fields(kept[0].Content)) < 4 {
		return false
	}
	text := func(messages []lake.Message) string {
		var b strings.Builder
		for _, m := range messages {
			b.WriteString(textOf(m) + "\n")
		}
		return b.String()
	}
	goneText, known := text(gone), text(system)
	for _, m := range kept {
		if m.Role == "assistant" {
			for _, word := range specific.FindAllString(textOf(m), -1) {
				word = strings.Trim(word, "./-\"`")
				if strings.Contains(goneText, word) && !strings.Contains(known, word) {
					return false
				}
			}
		}
		known += textOf(m) + "\n"
	}
	return true
}

var (
	number      = regexp.MustCompile(`\d+(?:[.,]\d+)*`)
	comparative = regexp.MustCompile(`(?i)\b(?:more|less|fewer|most|least|best|worst|maxim\w+|minim\w+|above|below|over|under|exceed\w*|total|sum|average|mean|difference|percent\w*|twice|half|double|enough|too|\w+er than|\w{3,}est)\b|%|[<>]`)
)

// perturbTool changes one number of a tool's result that the answer repeats,
// from the result on. It refuses where the number was known before, where the
// answer compares or computes (another number might make it wrong), and where
// the old number is left anywhere after the change.
func perturbTool(e Example, r *rand.Rand) (Example, error) {
	type change struct {
		at  int
		old string
	}
	var changes []change
	for i, m := range e.Messages {
		if m.Role != "tool" || m.IsError != nil && *m.IsError {
			continue
		}
		before, after, targets, all := textOfAll(e.Messages[:i]), "", "", textOfAll(e.Messages)
		for _, later := range e.Messages[i+1:] {
			after += textOf(later) + "\n"
			if isTarget(later) {
				targets += textOf(later) + "\n"
			}
		}
		if comparative.MatchString(targets) || !numbersKnown(targets, before+"\n"+textOfAll(e.Messages[i:])) {
			continue
		}
		for _, old := range slices.Compact(slices.Sorted(slices.Values(number.FindAllString(m.Content, -1)))) {
			// One digit stands for too many things; a year or id may be linked to others.
			if len(old) >= 2 && hasWord(m.Content, old) && hasWord(targets, old) && !strings.Contains(before, old) && countWord(all, old) == strings.Count(all, old) {
				changes = append(changes, change{i, old})
			}
		}
	}
	if len(changes) == 0 || hasParts(e) {
		return e, ErrNotApplicable
	}
	c := changes[r.IntN(len(changes))]
	fresh := otherNumber(c.old, r)
	if strings.Contains(textOfAll(e.Messages), fresh) {
		return e, ErrNotApplicable
	}
	out := e.clone()
	mapTexts(out.Messages[c.at:], func(text string) string { return replaceWord(text, c.old, fresh) })
	return out, checkPerturbed(e, out, c.old, fresh)
}

// checkPerturbed makes sure that the new number stands wherever the old one
// did, and that what was JSON still is.
func checkPerturbed(e, out Example, old, fresh string) error {
	for i, m := range out.Messages {
		was := e.Messages[i]
		if strings.Contains(textOf(m), old) || strings.Count(textOf(m), fresh) != strings.Count(textOf(was), old) {
			return ErrNotApplicable
		}
		if json.Valid([]byte(was.Content)) && !json.Valid([]byte(m.Content)) {
			return ErrNotApplicable
		}
	}
	return nil
}

func textOfAll(messages []lake.Message) string {
	var b strings.Builder
	for _, m := range messages {
		b.WriteString(textOf(m) + "\n")
	}
	return b.String()
}

// numbersKnown tells that every number of the answer stands in its context: one
// that does not was computed.
func numbersKnown(targets, context string) bool {
	counts := map[string]int{}
	for _, n := range number.FindAllString(targets, -1) {
		counts[n]++
	}
	for n, count := range counts {
		if strings.Count(context, n) <= count {
			return false
		}
	}
	return true
}

func countWord(text, word string) int {
	n := 0
	for at := indexWord(text, word); at >= 0; at = indexWord(text, word) {
		n++
		text = text[at+len(word):]
	}
	return n
}

// otherNumber has the same form: as many digits, the same separators, no new
// leading zero.
func otherNumber(old string, r *rand.Rand) string {
	for {
		fresh := []byte(old)
		for i, c := range fresh {
			switch {
			case c < '0' || c > '9':
			case i == 0 && c != '0':
				fresh[i] = byte('1' + r.IntN(9))
			case i > 0:
				fresh[i] = byte('0' + r.IntN(10))
			}
		}
		if string(fresh) != old {
			return string(fresh)
		}
	}
}

var frames = []string{
	"Here is what I need: %s", "My request: %s", "Could you help me with this? %s", "I have a task for you. %s",
	"%s\n\nThanks in advance.", "Please take care of this: %s", "Hi! %s", "Next on my list: %s",
}

// rewordByTemplate puts the first request into another frame. The request's own
// words stay, so the answer still fits.
func rewordByTemplate(e Example, r *rand.Rand) (Example, error) {
	frame := frames[r.IntN(len(frames))]
	for i, m := range e.Messages {
		if isTarget(m) {
			break
		}
		if text := strings.TrimSpace(m.Content); m.Role == "user" && text != "" && len(text) < 2000 {
			out := e.clone()
			out.Messages[i].Content = strings.Replace(frame, "%s", text, 1)
			return out, nil
		}
	}
	return e, ErrNotApplicable
}

// Names that pronouns do not tell apart within a list.
var firstNames = [][]string{
	{"Alice", "Clara", "Dana", "Emma", "Fatima", "Hannah", "Ingrid", "Julia", "Maria", "Nadia", "Olga", "Priya", "Sofia", "Yuki"},
	{"Adam", "Boris", "Carlos", "David", "Erik", "Hiro", "Ivan", "Jonas", "Kofi", "Luca", "Omar", "Peter", "Rajesh", "Stefan"},
}

// reference is a made-up number such as ORD-48213: letters, a hyphen or #, and
// at least four digits. No fact of the world hangs on it.
var reference = regexp.MustCompile(`\b[A-Z]{2,5}[-#]\d{4,10}\b`)

// swapEntity gives a person or a reference that the user names another name
// everywhere. A first name before a surname may be somebody known.
func swapEntity(e Example, r *rand.Rand) (Example, error) {
	all, asked := textOfAll(e.Messages), ""
	for _, m := range e.Messages {
		if m.Role == "user" {
			asked += m.Content + "\n"
		}
	}
	type change struct{ old, fresh string }
	var changes []change
	for _, list := range firstNames {
		for i, name := range list {
			fresh := list[(i+1+r.IntN(len(list)-1))%len(list)]
			surname := regexp.MustCompile(`\b` + name + ` \p{Lu}`)
			if hasWord(asked, name) && !surname.MatchString(all) && countWord(all, name) == strings.Count(all, name) && !strings.Contains(all, fresh) &&
				!strings.Contains(all, strings.ToLower(name)) {
				changes = append(changes, change{name, fresh})
			}
		}
	}
	for _, old := range slices.Compact(slices.Sorted(slices.Values(reference.FindAllString(asked, -1)))) {
		at := strings.IndexAny(old, "-#") + 1
		fresh := old[:at] + otherNumber(old[at:], r)
		// The number alone elsewhere would no longer agree.
		if strings.Count(all, old[at:]) == strings.Count(all, old) && !strings.Contains(all, fresh) {
			changes = append(changes, change{old, fresh})
		}
	}
	if len(changes) == 0 || hasParts(e) {
		return e, ErrNotApplicable
	}
	c := changes[r.IntN(len(changes))]
	out := e.clone()
	mapTexts(out.Messages, func(text string) string { return replaceWord(text, c.old, c.fresh) })
	if strings.Contains(textOfAll(out.Messages), c.old) {
		return e, ErrNotApplicable
	}
	return out, nil
}
