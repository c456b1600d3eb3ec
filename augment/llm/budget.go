package llm

import (
	"errors"
	"fmt"
	"sync"
)

// Price of a model, USD per million tokens.
type Price struct {
	Input  float64
	Output float64
}

// Cost of a number of tokens, USD.
func (p Price) Cost(input, output int64) float64 {
	return (float64(input)*p.Input + float64(output)*p.Output) / 1e6
}

// Budget is what a Client may spend in its life. Zero fields are no limit.
type Budget struct {
	Calls  int64   // requests sent, repeated ones included
	Tokens int64   // read and written
	USD    float64 // needs a price
}

// Spent is what a Client has spent so far.
type Spent struct {
	Calls        int64   `json:"calls"`
	InputTokens  int64   `json:"input_tokens"`
	OutputTokens int64   `json:"output_tokens"`
	USD          float64 `json:"usd"`
}

// ErrBudget says that another call could cross the budget, so it was not made.
var ErrBudget = errors.New("budget is used up")

// account holds back the most that each call under way can cost, so that calls
// side by side cannot cross the budget together.
type account struct {
	budget Budget
	price  Price

	mu    sync.Mutex
	spent Spent
	held  Spent
}

// hold sets aside one call of so many tokens, or says that it does not fit.
func (a *account) hold(input, output int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.spent.Calls + a.held.Calls + 1
	tokens := a.spent.InputTokens + a.spent.OutputTokens + a.held.InputTokens + a.held.OutputTokens + input + output
	usd := a.spent.USD + a.held.USD + a.price.Cost(input, output)
	switch {
	case a.budget.Calls > 0 && calls > a.budget.Calls:
		return fmt.Errorf("%w: %d calls", ErrBudget, a.budget.Calls)
	case a.budget.Tokens > 0 && tokens > a.budget.Tokens:
		return fmt.Errorf("%w: the next call may cross %d tokens", ErrBudget, a.budget.Tokens)
	case a.budget.USD > 0 && usd > a.budget.USD:
		return fmt.Errorf("%w: the next call may cross $%.4f", ErrBudget, a.budget.USD)
	}
	a.held.Calls++
	a.held.InputTokens += input
	a.held.OutputTokens += output
	a.held.USD += a.price.Cost(input, output)
	return nil
}

// settle charges what a held call came to.
func (a *account) settle(heldInput, heldOutput, input, output int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held.Calls--
	a.held.InputTokens -= heldInput
	a.held.OutputTokens -= heldOutput
	a.held.USD -= a.price.Cost(heldInput, heldOutput)
	a.spent.Calls++
	a.spent.InputTokens += input
	a.spent.OutputTokens += output
	a.spent.USD += a.price.Cost(input, output)
}

func (a *account) total() Spent {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.spent
}
