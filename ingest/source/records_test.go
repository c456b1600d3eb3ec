package source_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

// rejects collects what a reader rejects.
type rejects struct {
	lines []string
	list  []source.Reject
}

func (r *rejects) Emit(lake.Event) error { return errors.New("no events here") }

func (r *rejects) Reject(x source.Reject) error {
	r.lines = append(r.lines, fmt.Sprintf("%d:%d %s %s", x.Line, x.Record, x.Reason, x.Body))
	x.Body = bytes.Clone(x.Body)
	r.list = append(r.list, x)
	return nil
}

// records gives each record as "line:ordinal raw" and each reject as
// "line:ordinal reason body".
func records(r io.Reader, opts source.RecordOptions) (good, bad []string, err error) {
	var out rejects
	for record, e := range source.Records(context.Background(), &source.Input{Name: "in", R: r}, &out, opts) {
		if e != nil {
			return good, out.lines, e
		}
		good = append(good, fmt.Sprintf("%d:%d %s", record.Line, record.Ordinal, record.Raw))
	}
	return good, out.lines, nil
}

func TestRecords(t *testing.T) {
	for _, test := range []struct {
		name, in  string
		opts      source.RecordOptions
		good, bad []string
	}{
		{name: "empty_input"},
		{name: "only_blanks", in: " \r\n\n\t"},
		{name: "a_line_each", in: "{\"a\":1}\n{\"b\":2}\n", good: []string{`1:0 {"a":1}`, `2:1 {"b":2}`}},
		{name: "no_newline_at_the_end", in: `{"a":1}`, good: []string{`1:0 {"a":1}`}},
		{name: "byte_order_mark_and_carriage_returns", in: "\ufeff{\"a\":1}\r\n\r\n{\"b\":2}\r\n", good: []string{`1:0 {"a":1}`, `3:1 {"b":2}`}},
		{name: "two_glued_on_a_line", in: "{\"a\":1}{\"b\":2}\n{\"c\":3}", good: []string{`1:0 {"a":1}`, `1:1 {"b":2}`, `2:2 {"c":3}`}},
		{name: "record_separators", in: "\x1e{\"a\":1}\n\x1e{\"b\":2}\n", good: []string{`1:0 {"a":1}`, `2:1 {"b":2}`}},
		{
			name: "pretty_printed", in: "{\n  \"a\": {\n    \"b\": [1, {}]\n  }\n}\n{\"c\":3}\n",
			good: []string{"1:0 {\n  \"a\": {\n    \"b\": [1, {}]\n  }\n}", `6:1 {"c":3}`},
		},
		{name: "array_of_records", in: "[{\"a\":1},\n {\"b\":2}]\n", good: []string{`1:0 {"a":1}`, `2:1 {"b":2}`}},
		{name: "arrays_on_lines", in: "[{\"a\":1}]\n[]\n[{\"b\":2}]\n", good: []string{`1:0 {"a":1}`, `3:1 {"b":2}`}},
		{name: "array_that_is_kept", in: "[{\"a\":1}]\n{\"b\":2}", opts: source.RecordOptions{KeepArrays: true}, good: []string{`1:0 [{"a":1}]`, `2:1 {"b":2}`}},
		{
			name: "array_of_other_things", in: `[1, "x", [2], null, {"a":1}]`,
			good: []string{`1:4 {"a":1}`},
			bad:  []string{"1:0 wrong_type 1", `1:1 wrong_type "x"`, "1:2 wrong_type [2]", "1:3 wrong_type null"},
		},
		{name: "array_that_never_ends", in: `[{"a":1},`, good: []string{`1:0 {"a":1}`}, bad: []string{"1:1 truncated ["}},
		{
			name: "array_with_a_broken_element", in: "[\n  {\"a\":1},\n  {\"b\":},\n  {\"c\":3}\n]\n",
			good: []string{`2:0 {"a":1}`, `4:2 {"c":3}`}, bad: []string{`3:1 not_json {"b":},`},
		},
		{name: "array_that_breaks_on_its_last_line", in: "[{\"a\":}]\n[{\"b\":2}]\n", good: []string{`2:1 {"b":2}`}, bad: []string{`1:0 not_json {"a":}]`}},
		{name: "noise_between", in: "starting up\n{\"a\":1}\n\nbye", good: []string{`2:1 {"a":1}`}, bad: []string{"1:0 not_json starting up", "4:2 not_json bye"}},
		{name: "noise_behind_a_record", in: "{\"a\":1} // first\n{\"b\":2}", good: []string{`1:0 {"a":1}`, `2:2 {"b":2}`}, bad: []string{"1:1 not_json // first"}},
		{name: "scalars", in: "42\n\"text\"\n{\"a\":1}", good: []string{`3:2 {"a":1}`}, bad: []string{"1:0 wrong_type 42", `2:1 wrong_type "text"`}},
		{name: "line_cut_in_a_string", in: "{\"a\":\"wo\n{\"b\":2}\n", good: []string{`2:1 {"b":2}`}, bad: []string{`1:0 not_json {"a":"wo`}},
		{name: "line_cut_before_a_value", in: "{\"a\":\n{\"b\":2}\n{\"c\":3}\n", good: []string{`2:1 {"b":2}`, `3:2 {"c":3}`}, bad: []string{`1:0 not_json {"a":`}},
		{name: "last_line_but_one_cut", in: "{\"a\": \n{\"b\":2}\n", good: []string{`2:1 {"b":2}`}, bad: []string{`1:0 not_json {"a":`}},
		{name: "cut_at_the_end", in: "{\"a\":1}\n{\"b\":\"half", good: []string{`1:0 {"a":1}`}, bad: []string{`2:1 truncated {"b":"half`}},
		{
			name: "pretty_printed_and_broken", in: "{\n  \"a\": {\n    \"b\": 1 2\n  }\n}\n{\"c\":3}\n",
			good: []string{`6:3 {"c":3}`},
			bad:  []string{"1:0 not_json {\n  \"a\": {\n    \"b\": 1 2", "4:1 not_json }", "5:2 not_json }"},
		},
		{name: "bad_number", in: "{\"a\":01}\n{\"b\":NaN}\n{\"c\":3}", good: []string{`3:2 {"c":3}`}, bad: []string{`1:0 not_json {"a":01}`, `2:1 not_json {"b":NaN}`}},
		{name: "brackets_that_do_not_match", in: "{\"a\":[1}\n{\"c\":3}", good: []string{`2:1 {"c":3}`}, bad: []string{`1:0 not_json {"a":[1}`}},
		{name: "invalid_utf8", in: "{\"a\":\"\xf6\"}\n\xff\xfe\n{\"b\":2}", good: []string{`3:2 {"b":2}`}, bad: []string{"1:0 invalid_utf8 {\"a\":\"\xf6\"}", "2:1 invalid_utf8 \xff\xfe"}},
		{name: "brackets_and_quotes_in_strings", in: `{"a":"}\"]{\\"}{"b":"\\\""}`, good: []string{`1:0 {"a":"}\"]{\\"}`, `1:1 {"b":"\\\""}`}},
		{
			name: "too_large", in: "{\"a\":\"" + strings.Repeat("x", 100) + "\"}{\"b\":2}\n" + strings.Repeat("y", 70) + "\n{\"c\":3}", opts: source.RecordOptions{MaxBytes: 50},
			good: []string{`1:1 {"b":2}`, `3:3 {"c":3}`},
			bad:  []string{`1:0 too_large {"a":"` + strings.Repeat("x", 100) + `"}`, "2:2 too_large " + strings.Repeat("y", 70)},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, size := range []string{"whole", "bytes"} {
				var in io.Reader = strings.NewReader(test.in)
				if size == "bytes" {
					in = iotest.OneByteReader(in)
				}
				good, bad, err := records(in, test.opts)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, size+": records", good, test.good)
				equal(t, size+": rejects", bad, test.bad)
			}
		})
	}
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n%s\nwant:\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestLargeRecord reads past a record that is never held, and past lines that
// bufio.Scanner would refuse.
func TestLargeRecord(t *testing.T) {
	const long = 3 << 20
	huge := `{"a":"` + strings.Repeat("x", 2*long) + `"}`
	in := huge + "\n" + `{"b":"` + strings.Repeat("y", long) + `"}` + "\n{\"c\":3}\n"
	var out rejects
	var lengths []int
	for record, err := range source.Records(context.Background(), &source.Input{R: iotest.HalfReader(strings.NewReader(in))}, &out, source.RecordOptions{MaxBytes: long + 100}) {
		if err != nil {
			t.Fatal(err)
		}
		lengths = append(lengths, len(record.Raw))
	}
	if len(lengths) != 2 || lengths[0] != long+8 || lengths[1] != 7 {
		t.Errorf("records of %v bytes", lengths)
	}
	if len(out.list) != 1 {
		t.Fatalf("%d rejects", len(out.list))
	}
	got := out.list[0]
	if got.Reason != source.ReasonTooLarge || got.Length != int64(len(huge)) || len(got.Body) != source.RejectBytes || got.SHA256 != sha(huge) {
		t.Errorf("reject %s, length %d, %d bytes kept, sha256 %s", got.Reason, got.Length, len(got.Body), got.SHA256)
	}
}

// TestHostileNesting reads lines that each open a record and close none: looking
// for the line to go on at must not cost more with every line.
func TestHostileNesting(t *testing.T) {
	in := strings.Repeat("{\"a\":[\n", 300_000)
	_, bad, err := records(strings.NewReader(in), source.RecordOptions{})
	if err != nil || len(bad) == 0 {
		t.Errorf("%d rejects, error %v", len(bad), err)
	}
}

func TestRecordsStopsAtErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	good, _, err := records(io.MultiReader(strings.NewReader(`{"a":1}{"b":`), iotest.ErrReader(broken)), source.RecordOptions{})
	if !errors.Is(err, broken) || len(good) != 1 {
		t.Errorf("%d records, error %v", len(good), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range source.Records(ctx, &source.Input{R: strings.NewReader("{}")}, &rejects{}, source.RecordOptions{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
}

// TestLayoutsAreEqual writes the same objects in many layouts.
func TestLayoutsAreEqual(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var objects []string
		for range 1 + r.IntN(5) {
			objects = append(objects, object(r, 3))
		}
		for name, in := range map[string]string{
			"lines": strings.Join(objects, "\n"), "glued": strings.Join(objects, ""), "crlf": strings.Join(objects, "\r\n\r\n"),
			"array": "[" + strings.Join(objects, ",") + "]", "spread": "[\n" + strings.Join(objects, "\n,\n") + "\n]\n",
		} {
			good, bad, err := records(iotest.HalfReader(strings.NewReader(in)), source.RecordOptions{})
			if err != nil || len(bad) > 0 {
				t.Fatalf("%s: %v, %v\n%s", name, bad, err, in)
			}
			for i := range good {
				_, good[i], _ = strings.Cut(good[i], " ")
			}
			equal(t, name, good, objects)
		}
	}
}

func object(r *rand.Rand, depth int) string {
	var fields []string
	for i := range r.IntN(4) {
		value := []string{"1", "-2.5e3", "true", "null", `"x\"}{"`, `""`, "[]", `[1, "]"]`}[r.IntN(8)]
		if depth > 0 && r.IntN(3) == 0 {
			value = object(r, depth-1)
		}
		fields = append(fields, fmt.Sprintf("%q:%s%s", fmt.Sprint("k", i), strings.Repeat(" \n", r.IntN(2)), value))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// FuzzRecords: records are JSON objects, ordinals count up without a gap, lines
// never go back, and nothing depends on how the bytes arrive.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{"{\"a\":1}\n{", "[{},{}]", "{\"a\":\n{}\n{}\n", "x\n{}\x1e{}", "[{\"a\":}]\n[{}]", "\ufeff{\"a\":\"\\\"\"}{}", "[1,", "{\"a\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		opts := source.RecordOptions{MaxBytes: 64 << 10}
		good, bad, err := records(bytes.NewReader(in), opts)
		if err != nil {
			t.Fatal(err)
		}
		again, badAgain, err := records(iotest.OneByteReader(bytes.NewReader(in)), opts)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "records", again, good)
		equal(t, "rejects", badAgain, bad)
		seen := map[int64]bool{}
		last := int64(1)
		for _, text := range append(good, bad...) {
			var line, ordinal int64
			if _, err := fmt.Sscanf(text, "%d:%d ", &line, &ordinal); err != nil {
				t.Fatal(err)
			}
			seen[ordinal] = true
		}
		for _, text := range good {
			var line, ordinal int64
			fmt.Sscanf(text, "%d:%d ", &line, &ordinal)
			if line < last {
				t.Errorf("line %d after %d", line, last)
			}
			last = line
		}
		for i := range len(seen) {
			if !seen[int64(i)] || len(seen) != len(good)+len(bad) {
				t.Errorf("%d records and %d rejects have the ordinals %v", len(good), len(bad), seen)
			}
		}
	})
}

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
