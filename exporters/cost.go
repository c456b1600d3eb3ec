package exporters

import "github.com/weir-lake/weir/exporters/prices"

// Cost estimates what one epoch on the training file costs, and what calls of
// the model cost that comes out of it. A price that is not known is null.
type Cost struct {
	TrainUSDPerMTok *float64 `json:"train_usd_per_mtok"`
	EpochUSD        *float64 `json:"epoch_usd"`
	AsOf            string   `json:"as_of,omitempty"` // of the price of training
	Source          string   `json:"source,omitempty"`
	// Calls is what 1,000 calls cost that are like the examples: each trained
	// reply is a call, and what stands before it in its line was read.
	Calls *CallCost `json:"calls,omitempty"` // nil: nothing is trained, or no price is known
}

// CallCost is the cost of 1,000 calls.
type CallCost struct {
	InputTokens  float64 `json:"input_tokens_per_call"`
	OutputTokens float64 `json:"output_tokens_per_call"`
	// TunedUSD is of the tuned model, BaseUSD of the one that it is tuned from;
	// null where the price is not known.
	TunedUSD *float64 `json:"tuned_usd_per_1000"`
	BaseUSD  *float64 `json:"base_usd_per_1000"`
	AsOf     string   `json:"as_of"` // of the tuned model's price, else the base's
	Source   string   `json:"source"`
}

// priced is what the price table has of a model; the zero Price is none.
type priced struct{ training, tuned, base prices.Price }

func (p priced) all() []prices.Price { return []prices.Price{p.training, p.tuned, p.base} }

// price keeps what the table has to say of the model.
func (m *Manifest) price(provider, model string, over *prices.Table) error {
	table, err := prices.Default()
	if err != nil {
		return err
	}
	if over != nil {
		table = table.Over(*over)
	}
	m.priced.training, _ = table.Training(provider, model)
	m.priced.tuned, _ = table.Calls(provider, "ft:"+model)
	m.priced.base, _ = table.Calls(provider, model)
	return nil
}

// estimate fills in the cost once the tokens are counted.
func (m *Manifest) estimate() {
	training, tuned, base := m.priced.training, m.priced.tuned, m.priced.base
	split := m.split("train")
	if training.Train != nil {
		usd := float64(split.Tokens) / 1e6 * *training.Train
		if training.TrainLeast != nil {
			usd = max(usd, *training.TrainLeast)
		}
		m.Cost.TrainUSDPerMTok, m.Cost.EpochUSD, m.Cost.AsOf, m.Cost.Source = training.Train, &usd, training.AsOf, training.Source
	}
	if split.Targets == 0 || tuned.Input == nil && base.Input == nil {
		return
	}
	calls := float64(split.Targets)
	c := &CallCost{InputTokens: float64(m.readTokens) / calls, OutputTokens: float64(split.TrainedTokens) / calls, AsOf: tuned.AsOf, Source: tuned.Source}
	if tuned.Input == nil {
		c.AsOf, c.Source = base.AsOf, base.Source
	}
	c.TunedUSD, c.BaseUSD = c.usd(tuned), c.usd(base)
	m.Cost.Calls = c
}

func (c *CallCost) usd(price prices.Price) *float64 {
	if price.Input == nil || price.Output == nil {
		return nil
	}
	usd := (c.InputTokens**price.Input + c.OutputTokens**price.Output) / 1e3
	return &usd
}
