package target

import (
	"reflect"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// Whatever the policy, no line is longer than the limit, and what is not
// trained is on the loss report.
func TestContextPolicies(t *testing.T) {
	one := 1.0
	long := canonical.Example{ID: "long"}
	for _, n := range []int{5, 5, 5, 50} {
		long.Messages = append(long.Messages,
			lake.Message{Role: "user", Content: strings.Repeat("go ", n)}, lake.Message{Role: "assistant", Content: strings.Repeat("ok ", 9), Weight: &one})
	}
	short := canonical.Example{ID: "short", Messages: long.Messages[:2]}
	for _, test := range []struct {
		name           string
		policy         ContextPolicy
		example        canonical.Example
		lines, targets int
		losses         Losses
		dropped        Rule
	}{
		{"short_is_left_alone", ContextDrop, short, 1, 1, Losses{}, ""},
		{"split_trains_all_that_fits", "", long, 2, 4, Losses{RuleDivided: 1}, ""},
		{"drop", ContextDrop, long, 0, 0, Losses{RuleContext: 1}, RuleContext},
		{"truncate_keeps_the_beginning", ContextTruncate, long, 1, 3, Losses{RuleTruncated: 1}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := testOptions()
			opts.MaxTokens, opts.ModelTokens, opts.Context = 0, 70, test.policy
			result, err := openAI().Convert(test.example, opts)
			if err != nil {
				t.Fatal(err)
			}
			targets := 0
			for _, line := range result.Lines {
				targets += line.Targets
				words := 0
				for _, m := range line.Example.Messages {
					words += opts.Count(m)
				}
				if words > opts.ModelTokens {
					t.Errorf("a line of %d words", words)
				}
			}
			if len(result.Lines) != test.lines || targets != test.targets || result.Dropped != test.dropped || !reflect.DeepEqual(result.Losses, test.losses) {
				t.Errorf("%d lines, %d targets, dropped %q, losses %v", len(result.Lines), targets, result.Dropped, result.Losses)
			}
		})
	}
}
