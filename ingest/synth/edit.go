package synth

import (
	"math/rand/v2"
	"strings"
	"unicode"
)

// edit replaces a share of a text's words, as a person does who asks the same
// thing a second time.
func edit(r *rand.Rand, text string, rate float64) string {
	words := strings.Split(text, " ")
	for i := range words {
		if r.Float64() < rate {
			words[i] = pick(r, replacements)
		}
	}
	return strings.Join(words, " ")
}

var replacements = []string{
	"really", "perhaps", "today", "again", "mostly", "please", "still", "quickly", "over", "certain", "several", "our",
	"clearly", "lately", "north", "small", "other", "often",
}

// edited is the dialogue with a share of the words of its people and agents
// replaced; what tools said stays.
func (d dialogue) edited(r *rand.Rand, rate float64) dialogue {
	messages := make([]message, len(d.messages))
	copy(messages, d.messages)
	for i := range messages {
		if messages[i].role != "tool" {
			messages[i].content = edit(r, messages[i].content, rate)
		}
	}
	d.messages = messages
	return d
}

// jaccard is the Jaccard index of the word 3-grams of what people, agents and
// tools said, in lower case without punctuation.
func jaccard(a, b dialogue) float64 {
	left, right := shingles(a), shingles(b)
	common := 0
	for s := range left {
		if right[s] {
			common++
		}
	}
	return float64(common) / float64(max(1, len(left)+len(right)-common))
}

func shingles(d dialogue) map[string]bool {
	set := map[string]bool{}
	for _, m := range d.messages {
		words := strings.FieldsFunc(strings.ToLower(m.content), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for i := 0; i+3 <= len(words); i++ {
			set[strings.Join(words[i:i+3], " ")] = true
		}
	}
	return set
}
