package lake

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

var testStart = time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC)

func testLake(t testing.TB) *Lake {
	t.Helper()
	lk, err := Init(filepath.Join(t.TempDir(), "lake"), Options{Clock: func() time.Time { return testStart }})
	if err != nil {
		t.Fatal(err)
	}
	return lk
}

// fill sets every field of a payload to some value, about one in four to none.
func fill(r *rand.Rand, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(testStart.Add(time.Duration(r.IntN(1e9)) * time.Microsecond)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); r.IntN(4) > 0 || f.Kind() == reflect.Struct {
				fill(r, f)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		if r.IntN(3) > 0 { // else a pointer to zero, which is not absent
			fill(r, v.Elem())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(3), 4))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.String:
		words := []string{"", "plain", "two\nlines", "ünï 漢字 🙂", "nul \x00 byte", `{"a": "<&>"}`, strings.Repeat("long ", 300)}
		v.SetString(words[r.IntN(len(words))])
	case reflect.Int64:
		v.SetInt(r.Int64N(5) - 1)
	case reflect.Float64:
		v.SetFloat(float64(r.IntN(1000)) / 7)
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 1)
	}
}

func randomEvent(r *rand.Rand, p *Payload, i int) Event {
	event := Event{
		ID: StableID(p.Type, fmt.Sprint(i)), Source: "test://random", Type: strings.Replace(p.Type, "*", "kind", 1), Subject: fmt.Sprintf("subject-%d", i%7),
		Time: testStart.Add(time.Duration(i) * time.Second), SchemaVersion: 1, ParserVersion: int64(i % 3), Data: p.New(),
	}
	fill(r, reflect.ValueOf(event.Data).Elem())
	return event
}

// wantRow is the event as its JSON says: what is absent there is NULL.
func wantRow(t *testing.T, event Event, at RecordPosition) map[string]any {
	t.Helper()
	text, err := json.Marshal(event.Data)
	if err != nil {
		t.Fatal(err)
	}
	row := map[string]any{}
	if err := json.Unmarshal(text, &row); err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]any{
		"kafka_cluster": at.Cluster, "kafka_topic": at.Topic, "kafka_partition": float64(at.Partition), "kafka_offset": float64(at.Offset),
		"ingested_at": at.AppendedAt.Format(time.RFC3339Nano), "id": event.ID, "type": event.Type, "source": event.Source, "subject": event.Subject,
		"time": event.Time.Format(time.RFC3339Nano), "schema_version": float64(event.SchemaVersion), "parser_version": float64(event.ParserVersion), "extra": event.Extra,
	} {
		row[key] = value
	}
	return prune(row).(map[string]any)
}

// prune drops nulls and empty text outside lists, which JSON and Parquet spell
// differently.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if value = prune(value); value == nil || value == "" || value == "0001-01-01T00:00:00Z" {
				delete(v, key)
			} else {
				v[key] = value
			}
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i, value := range v {
			v[i] = prune(value)
		}
	}
	return v
}

// readRows reads a Parquet file by a path of its own: as maps, which know
// nothing of our structs.
func readRows(t *testing.T, path string, columns []Column) []map[string]any {
	t.Helper()
	raw, err := parquet.ReadFile[any](path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	for _, row := range raw {
		rows = append(rows, prune(plain(t, row, columns)).(map[string]any))
	}
	return rows
}

// plain turns parquet-go's values into JSON's.
func plain(t *testing.T, row any, columns []Column) map[string]any {
	t.Helper()
	m := row.(map[string]any)
	out := map[string]any{}
	for _, column := range columns {
		value, ok := m[column.Name]
		if !ok {
			t.Fatalf("no column %s in %v", column.Name, m)
		}
		if value == nil {
			continue
		}
		one := func(v any) any {
			switch {
			case column.Type == Struct:
				return plain(t, v, column.Fields)
			case column.Type == TimestampTZ:
				if at, ok := v.(time.Time); ok {
					return at.UTC().Format(time.RFC3339Nano)
				}
				return time.UnixMicro(v.(int64)).UTC().Format(time.RFC3339Nano)
			}
			switch v := v.(type) {
			case int64:
				return float64(v)
			case []byte:
				return string(v)
			}
			return v
		}
		if !column.List {
			out[column.Name] = one(value)
			continue
		}
		list := []any{}
		for v := range reflectSeq(listOf(value)) {
			list = append(list, one(v))
		}
		out[column.Name] = list
	}
	return out
}

func listOf(value any) reflect.Value {
	if m, ok := value.(map[string]any); ok { // {"list": [{"element": …}]}
		return reflect.ValueOf(m["list"])
	}
	return reflect.ValueOf(value)
}

func reflectSeq(list reflect.Value) func(func(any) bool) {
	return func(yield func(any) bool) {
		for i := range list.Len() {
			v := list.Index(i).Interface()
			if m, ok := v.(map[string]any); ok {
				if element, ok := m["element"]; ok {
					v = element
				}
			}
			if !yield(v) {
				return
			}
		}
	}
}

// Every payload comes back from the wire and from Parquet as it was.
func TestEveryPayloadRoundTrips(t *testing.T) {
	lk := testLake(t)
	for seed, p := range Payloads() {
		t.Run(p.Type, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(seed)))
			w, err := lk.NewEventWriter(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			var want []map[string]any
			for i := range 300 { // more than one batch
				event := randomEvent(r, p, i)
				text, err := event.Encode()
				if err != nil {
					t.Fatal(err)
				}
				back, err := DecodeEvent(text)
				if err != nil {
					t.Fatalf("%v in %s", err, text)
				}
				if !reflect.DeepEqual(event, back) {
					t.Fatalf("event %d changed on the wire:\nwant %+v\ngot  %+v\n%s", i, event.Data, back.Data, text)
				}
				if i%5 == 0 {
					back.Extra = `{"new":1}`
				}
				at := RecordPosition{"cluster", p.Topic(), 3, int64(10 + 2*i), testStart.Add(time.Hour)}
				if err := w.Write(back, at); err != nil {
					t.Fatal(err)
				}
				want = append(want, wantRow(t, back, at))
			}
			file, err := w.Close(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if file.Rows != 300 || file.Bytes == 0 || !strings.HasPrefix(file.Path, "p3-10-608-") {
				t.Errorf("file %+v", file)
			}
			table, err := lk.Table(p.Table)
			if err != nil {
				t.Fatal(err)
			}
			got := readRows(t, filepath.Join(table.Dir(), file.Path), p.Columns())
			if len(got) != len(want) {
				t.Fatalf("%d rows, want %d", len(got), len(want))
			}
			for i := range want {
				if !reflect.DeepEqual(want[i], got[i]) {
					t.Fatalf("row %d changed in Parquet:\nwant %v\ngot  %v", i, want[i], got[i])
				}
			}
		})
	}
}

func newTestWriter(t *testing.T, lk *Lake) *EventWriter {
	t.Helper()
	p, _ := PayloadOf("weir.chat.message.v1")
	w, err := lk.NewEventWriter(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Abort)
	return w
}

func TestEventWriterRefuses(t *testing.T) {
	lk := testLake(t)
	at := func(partition int, offset int64) RecordPosition {
		return RecordPosition{"c", "weir.chat", partition, offset, testStart}
	}
	bad := smallMessage(1)
	bad.Data.(*ChatMessage).ToolCalls[0].Arguments = "\xff"
	other := smallMessage(1)
	other.Data = &Document{}
	nothing := smallMessage(1)
	nothing.Data = (*ChatMessage)(nil)
	for name, c := range map[string]struct {
		event Event
		at    RecordPosition
	}{
		"an_offset_twice":            {smallMessage(1), at(1, 5)},
		"an_offset_that_goes_back":   {smallMessage(1), at(1, 4)},
		"a_partition_that_goes_back": {smallMessage(1), at(0, 9)},
		"data_of_another_table":      {other, at(1, 6)},
		"data_that_are_nil":          {nothing, at(1, 6)},
		"text_that_is_not_utf8":      {bad, at(1, 6)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWriter(t, lk)
			if err := w.Write(smallMessage(0), at(1, 5)); err != nil {
				t.Fatal(err)
			}
			if err := w.Write(c.event, c.at); err == nil {
				t.Fatal("was accepted")
			}
			if err := w.Write(smallMessage(2), at(1, 7)); err == nil {
				t.Error("went on after an error")
			}
			if _, err := w.Close(t.Context()); err == nil {
				t.Error("closed after an error")
			}
		})
	}
	if _, err := newTestWriter(t, lk).Close(t.Context()); err == nil {
		t.Error("closed without rows")
	}
	w := newTestWriter(t, lk)
	w.Write(smallMessage(0), at(1, 5))
	if _, err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := w.Close(t.Context()); err == nil {
		t.Error("closed twice")
	}
	if err := w.Write(smallMessage(0), at(1, 6)); err == nil {
		t.Error("written after close")
	}
	found, _ := filepath.Glob(filepath.Join(lk.Dir(), "events", "*", "*.parquet"))
	if len(found) != 1 {
		t.Errorf("files %v", found)
	}
}

func TestEventFileOfSeveralPartitions(t *testing.T) {
	lk := testLake(t)
	w := newTestWriter(t, lk)
	for i, at := range []RecordPosition{{"c", "t", 0, 7, testStart}, {"c", "t", 2, 3, testStart}} {
		if err := w.Write(smallMessage(i), at); err != nil {
			t.Fatal(err)
		}
	}
	file, err := w.Close(t.Context())
	if err != nil || !strings.HasPrefix(file.Path, "p0-p2-") || file.Rows != 2 {
		t.Errorf("%+v, %v", file, err)
	}
}

// Several row groups, records of the largest size, and a column that outgrows
// its dictionary, which parquet-go once wrote wrongly in silence.
func TestLargeEventFile(t *testing.T) {
	lk := testLake(t)
	w := newTestWriter(t, lk)
	const rows = 9000
	large := strings.Repeat("0123456789abcdef", MaxEventBytes/16)
	for i := range rows {
		event := smallMessage(i)
		message := event.Data.(*ChatMessage)
		message.Channel = fmt.Sprint(i % 3)
		if i > batchRows {
			message.Channel = fmt.Sprintf("%0120d", i)
		}
		if i%2000 == 1 {
			message.Content = large
		}
		if err := w.Write(event, RecordPosition{"c", "t", 0, int64(i), testStart}); err != nil {
			t.Fatal(err)
		}
	}
	if w.Bytes() < 5*MaxEventBytes || w.Rows() != rows {
		t.Errorf("%d rows, %d bytes", w.Rows(), w.Bytes())
	}
	file, err := w.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Statistics would be whole copies of the largest values.
	if file.Bytes > 1<<20 {
		t.Errorf("%d bytes for what compresses well", file.Bytes)
	}
	r, err := lk.storage.Open(t.Context(), "events/chat_messages/"+file.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	opened, err := parquet.OpenFile(r, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(opened.RowGroups()); n < 2 {
		t.Errorf("%d row groups", n)
	}
	channel, ok := opened.Schema().Lookup("channel")
	if !ok {
		t.Fatal("no channel")
	}
	i := 0
	for _, group := range opened.RowGroups() {
		pages := group.ColumnChunks()[channel.ColumnIndex].Pages()
		for {
			page, err := pages.ReadPage()
			if err != nil {
				break
			}
			values := make([]parquet.Value, page.NumValues())
			page.Values().ReadValues(values)
			for _, value := range values {
				want := fmt.Sprintf("%0120d", i)
				if i <= batchRows {
					want = fmt.Sprint(i % 3)
				}
				if value.String() != want {
					t.Fatalf("row %d: channel %q", i, value.String())
				}
				i++
			}
		}
		pages.Close()
	}
	if i != rows {
		t.Errorf("%d rows of %d", i, rows)
	}
}
