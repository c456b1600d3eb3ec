package erasure

import (
	"slices"
	"testing"
)

func TestMergedRecords(t *testing.T) {
	in := func(topic string, partition, from, to int64) Records {
		return Records{Cluster: "c", Topic: topic, Partition: partition, From: from, To: to}
	}
	got := merged([]Records{in("b", 0, 7, 9), in("a", 0, 4, 6), in("a", 0, 8, 8), in("a", 0, 0, 3), in("a", 1, 7, 7), in("a", 0, 5, 5), in("b", 0, 9, 12)})
	want := []Records{in("a", 0, 0, 6), in("a", 0, 8, 8), in("a", 1, 7, 7), in("b", 0, 7, 12)}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if again := merged(slices.Clone(want)); !slices.Equal(again, want) {
		t.Errorf("merged once more: %+v", again)
	}
}
