package prices

import (
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	table, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, provider, model string
		train                 float64 // 0: not found
	}{
		{"longest_prefix", "openai", "gpt-4.1-mini-2025-04-14", 5},
		{"shorter_name", "openai", "gpt-4.1-2025-04-14", 25},
		{"fine_tuned", "openai", "ft:gpt-4o-mini-2024-07-18:org:x:y", 3},
		{"size_bracket", "together", "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference", 0.48},
		{"size_with_point", "together", "Qwen/Qwen2.5-1.5B-Instruct", 0.48},
		{"above_the_brackets", "together", "meta-llama/Llama-3.3-70B-Instruct", 0},
		{"no_size_in_name", "together", "zai-org/GLM", 0},
		{"size_said_twice_is_no_size", "together", "Qwen/Qwen3-30B-A3B", 0.0},
		{"other_provider", "azure", "gpt-4.1-mini", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			price, ok := table.Lookup(test.provider, test.model)
			switch {
			case test.train == 0 && ok:
				t.Errorf("found %+v", price)
			case test.train != 0 && (!ok || price.Train == nil || *price.Train != test.train):
				t.Errorf("found %v %+v, want %v", ok, price, test.train)
			}
		})
	}
}

func TestUsersPricesGoFirst(t *testing.T) {
	table, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	mine, err := Read(strings.NewReader(`{"as_of":"2027-01-01","prices":[{"provider":"openai","model":"gpt-4.1-mini","train_usd_per_mtok":4,"as_of":"2027-01-01","source":"our contract"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	price, ok := table.Over(mine).Lookup("openai", "gpt-4.1-mini-2025-04-14")
	if !ok || *price.Train != 4 || price.Source != "our contract" {
		t.Errorf("%+v", price)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"misspelt_field": `{"prices":[{"provider":"a","model":"b","trian_usd_per_mtok":1,"as_of":"x","source":"y"}]}`,
		"no_date":        `{"prices":[{"provider":"a","model":"b","source":"y"}]}`,
		"no_model":       `{"prices":[{"provider":"a","as_of":"x","source":"y"}]}`,
		"negative":       `{"prices":[{"provider":"a","model":"b","train_usd_per_mtok":-1,"as_of":"x","source":"y"}]}`,
		"euro":           `{"currency":"EUR","prices":[]}`,
		"two_objects":    `{} {}`,
		"not_json":       `prices`,
	} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
