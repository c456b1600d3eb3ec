package target

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// The grader that stands beside the items, run as the provider runs it: the
// reference itself is worth 1, and what is further from it less.
func TestGrader(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3")
	}
	var sidecar struct{ Type, Source string }
	if err := json.Unmarshal(graderFile()[0].JSON, &sidecar); err != nil || sidecar.Type != "python" {
		t.Fatal(sidecar.Type, err)
	}
	call := func(name, arguments string) string {
		return `[{"id":"1","type":"function","function":{"name":"` + name + `","arguments":"` + strings.ReplaceAll(arguments, `"`, `\"`) + `"}}]`
	}
	text := `"reference_answer":"at pier six from nine","reference_tools":[]`
	calls := `"reference_answer":"","reference_tools":` + call("f", `{"a":1,"b":2}`)
	data := `"response_format":{"type":"json_object"},"reference_answer":"{\"a\":1,\"b\":2}","reference_tools":[]`
	cases := []struct{ sample, item string }{ // of each pair the first is the better one
		{`{"output_text":"at pier six from nine"}`, text},
		{`{"output_text":"at pier four from nine"}`, text},
		{`{"output_tools":` + call("f", `{"b":2,"a":1}`) + `}`, calls},
		{`{"output_tools":` + call("f", `{"a":1}`) + `}`, calls},
		{`{"output_tools":` + call("f", `{"a":1}`) + `}`, calls},
		{`{"output_tools":` + call("g", `{"a":1,"b":2}`) + `}`, calls},
		{`{"output_text":"{\"b\":2,\"a\":1}"}`, data},
		{`{"output_text":"{\"b\":3,\"a\":1}"}`, data},
		{`{"output_text":"{\"b\":3,\"a\":1}"}`, data},
		{`{"output_text":"a is 1"}`, data},
		{`{"output_text":"at pier six from nine"}`, text},
		{`{"output_text":"at pier six from nine","output_tools":` + call("f", `{}`) + `}`, text},
		{`{"output_text":"at pier six from nine"}`, text},
		{`{"output_text":null,"output_tools":null}`, text},
	}
	script := sidecar.Source + "\nimport sys\nfor line in sys.stdin:\n    print(grade(*json.loads(line)))\n"
	var in bytes.Buffer
	for _, one := range cases {
		in.WriteString("[" + one.sample + ",{" + one.item + "}]\n")
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", script)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var scores []float64
	for _, line := range strings.Fields(string(out)) {
		var score float64
		if err := json.Unmarshal([]byte(line), &score); err != nil {
			t.Fatal(err)
		}
		scores = append(scores, score)
	}
	if len(scores) != len(cases) {
		t.Fatalf("%d scores for %d cases", len(scores), len(cases))
	}
	for i := 0; i < len(scores); i += 2 {
		if scores[i] <= scores[i+1] || scores[i] > 1 || scores[i+1] < 0 {
			t.Errorf("%s is worth %v, %s %v", cases[i].sample, scores[i], cases[i+1].sample, scores[i+1])
		}
	}
	for _, i := range []int{0, 2, 6} {
		if scores[i] != 1 {
			t.Errorf("the reference %s is worth %v", cases[i].sample, scores[i])
		}
	}
}
