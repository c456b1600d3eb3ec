package distill

import (
	"testing"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/exporters/prices"
	"github.com/weir-lake/weir/exporters/tokens"
	"github.com/weir-lake/weir/lake"
)

// Each trained reply is a call that read what stands before it: the prompt is
// saved with every one of them.
func TestCallsAreTrainedReplies(t *testing.T) {
	counter, err := tokens.NewCounter(tokens.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	rules := frozen(t, anyRules)
	m := &measuring{rules: rules, counter: counter, byRule: map[string]*RuleReport{}}
	one, zero := 1.0, 0.0
	prompt := lake.Message{Role: "system", Content: "## How you work\n1. Look.\n2. Ask.\n3. Go."}
	e := canonical.Example{Split: "train", Messages: []lake.Message{
		prompt,
		{Role: "user", Content: "go?"},
		{Role: "assistant", Content: "Yes.", Weight: &one, Reasoning: "a long thought that nobody sends back"},
		{Role: "user", Content: "go?"},
		{Role: "assistant", Content: "No.", Weight: &zero},
		{Role: "user", Content: "go?"},
		{Role: "assistant", Content: "Yes.", Weight: &one},
	}}
	m.example(e)
	r := m.finish()
	cost := float64(counter.Message(prompt))
	if r.Calls.Count != 2 || r.Calls.PromptBefore != cost || r.Calls.PromptAfter != 0 || r.Calls.InputBefore-r.Calls.InputAfter != cost {
		t.Errorf("%+v, want a prompt of %v tokens saved in each of 2 calls", r.Calls, cost)
	}
	if r.TokensBefore-r.TokensAfter != int64(cost) || r.TrainTokens != r.TokensAfter || r.Changed != 1 {
		t.Errorf("%+v", r)
	}
	firstInput := float64(tokens.PerConversation + counter.Message(e.Messages[1]))
	if want := (firstInput + float64(r.TokensAfter) - float64(counter.Message(lake.Message{Role: "assistant", Content: "Yes."}))) / 2; r.Calls.InputAfter != want {
		t.Errorf("input after %v, want %v", r.Calls.InputAfter, want)
	}
}

func TestBreakEven(t *testing.T) {
	usd := func(x float64) *float64 { return &x }
	row := func(model string, train, input, cached, output *float64) prices.Price {
		return prices.Price{Provider: "p", Model: model, Train: train, Input: input, Cached: cached, Output: output, AsOf: "2026", Source: "made up"}
	}
	r := Report{TrainTokens: 1_000_000, Calls: CallTokens{Count: 1, InputBefore: 1000, InputAfter: 200, PromptBefore: 900, PromptAfter: 100, Output: 100}}
	for _, test := range []struct {
		name          string
		table         []prices.Price
		base          string
		full, cached  int64 // 0: none
		whyFull, whyC string
	}{
		{
			// In full 2000 + 400 against 400 + 400 USD a million calls: 0.0016 a call.
			"same_price", []prices.Price{row("m", usd(8), usd(2), usd(0.5), usd(4))}, "",
			// 3 epochs of 8 USD; cached, 0.0024 - 900*1.5/1e6 = 0.00105 against 0.0008 - 100*1.5/1e6 = 0.00065.
			15_000, 60_000, "", "",
		},
		{
			"tuned_costs_more", []prices.Price{row("m", usd(8), usd(2), usd(0.5), usd(4)), row("ft:m", nil, usd(9), usd(9), usd(9))}, "",
			0, 0, "never: a call of the tuned model costs no less", "never: a call of the tuned model costs no less",
		},
		{"no_training_price", []prices.Price{row("m", nil, usd(2), usd(1), usd(4))}, "", 0, 0, "no price of training is known for m", "no price of training is known for m"},
		{"no_price_of_the_base", []prices.Price{row("m", usd(8), usd(2), usd(1), usd(4))}, "big", 0, 0, "no price of calls is known for big", "no price of calls is known for big, cached"},
		{"no_cached_price", []prices.Price{row("m", usd(8), usd(2), nil, usd(4))}, "", 15_000, 0, "", "no price of calls is known for m, cached"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := r.BreakEven("t", prices.Table{Prices: test.table}, Plan{Provider: "p", Model: "m", Base: test.base, Epochs: 3})
			for i, want := range []int64{test.full, test.cached} {
				calls := int64(0)
				if got[i].Calls != nil {
					calls = *got[i].Calls
				}
				// A call's cost is a sum of floats: the last call may be one off.
				if calls < want || calls > want+1 || (want == 0) != (calls == 0) {
					t.Errorf("%s: %d calls, want %d", got[i].Caching, calls, want)
				}
				if why := []string{test.whyFull, test.whyC}[i]; got[i].Why != why {
					t.Errorf("%s: %q, want %q", got[i].Caching, got[i].Why, why)
				}
			}
		})
	}
}

func TestMarkersAreLookedForInCallsToo(t *testing.T) {
	rules := frozen(t, &Rules{Name: "a", Set: []Rule{{ID: "a", Version: 1, Match: MatchText, Text: "x", Do: DoRemove, Shows: []string{`(?i)\bevidence:`, `^look `}}}})
	for _, test := range []struct {
		message lake.Message
		want    bool
	}{
		{lake.Message{Content: "Evidence: none"}, true},
		{lake.Message{Content: "no evidence"}, false},
		{lake.Message{ToolCalls: []lake.ToolCall{{Name: "look", Arguments: "{}"}}}, true},
		{lake.Message{ToolCalls: []lake.ToolCall{{Name: "ask", Arguments: `{"look":1}`}}}, false},
	} {
		if got := rules.Set[0].isShown([]lake.Message{test.message}); got != test.want {
			t.Errorf("%+v: %v", test.message, got)
		}
	}
}
