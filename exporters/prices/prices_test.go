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
		{"other_word_of_that_beginning", "openai", "gpt-4.10", 0},
		{"gemini", "google", "gemini-2.5-flash", 5},
		{"other_provider", "azure", "gpt-4.1-mini", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			price, ok := table.Training(test.provider, test.model)
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
	price, ok := table.Over(mine).Training("openai", "gpt-4.1-mini-2025-04-14")
	if !ok || *price.Train != 4 || price.Source != "our contract" {
		t.Errorf("%+v", price)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"misspelt_field":   `{"prices":[{"provider":"a","model":"b","trian_usd_per_mtok":1,"as_of":"x","source":"y"}]}`,
		"no_date":          `{"prices":[{"provider":"a","model":"b","source":"y"}]}`,
		"no_model":         `{"prices":[{"provider":"a","as_of":"x","source":"y"}]}`,
		"gpu_without_date": `{"gpus":[{"provider":"a","gpu":"b","usd_per_hour":1}]}`,
		"negative":         `{"prices":[{"provider":"a","model":"b","train_usd_per_mtok":-1,"as_of":"x","source":"y"}]}`,
		"euro":             `{"currency":"EUR","prices":[]}`,
		"two_objects":      `{} {}`,
		"not_json":         `prices`,
	} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCalls(t *testing.T) {
	table, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, provider, model string
		input                 float64 // 0: not found
	}{
		{"base", "openai", "gpt-4o-mini-2024-07-18", 0.15},
		{"tuned", "openai", "ft:gpt-4o-mini-2024-07-18:org:x:y", 0.3},
		{"tuned_as_the_base_where_nothing_else_is_said", "together", "ft:meta-llama/Llama-3.3-70B-Instruct-Turbo", 0.88},
		{"no_shorter_name_stands_in", "openai", "gpt-4o-2024-08-06", 2.5},
		{"unknown", "mistral", "mistral-small-latest", 0},
	} {
		price, ok := table.Calls(test.provider, test.model)
		if ok != (test.input != 0) || ok && *price.Input != test.input {
			t.Errorf("%s: found %v %+v, want %v", test.name, ok, price, test.input)
		}
	}
}

// A row of a longer name hides shorter ones, whatever it says: a mini is not
// trained at the price of its big sister.
func TestALongerNameHidesAShorterOne(t *testing.T) {
	one, two := 1.0, 2.0
	table := Table{Prices: []Price{{Provider: "a", Model: "m", Train: &one}, {Provider: "a", Model: "m-mini", Input: &two, Output: &two}}}
	if price, ok := table.Training("a", "m-mini-2026"); ok {
		t.Errorf("found %+v", price)
	}
	if price, ok := table.Calls("a", "ft:m-mini"); !ok || *price.Input != 2 {
		t.Errorf("found %v %+v", ok, price)
	}
}

func TestGPU(t *testing.T) {
	table, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if gpu, ok := table.GPU("modal", "h100"); !ok || gpu.USDHour != 3.9492 || gpu.AsOf == "" {
		t.Errorf("%v %+v", ok, gpu)
	}
	if gpu, ok := table.GPU("modal", "abacus"); ok {
		t.Errorf("%+v", gpu)
	}
}
