package upkeep

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-lake/weir/lake"
)

func file(name string, rows int64) lake.DataFile {
	return lake.DataFile{Path: name, Rows: rows, Bytes: 15_000 + 200*rows}
}

func TestPlan(t *testing.T) {
	several := func(n int, rows int64) (files []lake.DataFile) {
		for i := range n {
			files = append(files, file(fmt.Sprint(rows, "-", i), rows))
		}
		return files
	}
	mib := limits{bytes: 1 << 20}
	for name, c := range map[string]struct {
		files  []lake.DataFile
		limits limits
		want   []int // files of each merge
	}{
		"nothing":                           {nil, mib, nil},
		"too_few":                           {several(7, 10), mib, nil},
		"enough":                            {several(8, 10), mib, []int{8}},
		"all_that_there_are":                {several(20, 10), mib, []int{20}},
		"a_large_one_is_left_alone":         {append(several(7, 10), several(1, 1000)...), mib, nil},
		"tiers_are_merged_apart":            {append(several(8, 10), several(8, 1000)...), mib, []int{8, 4}},
		"full_ones_are_left_alone":          {several(20, 3000), mib, nil},
		"a_full_file_needs_no_eight":        {several(7, 2000), mib, []int{2, 2, 2}},
		"rows_may_be_the_limit":             {several(9, 1000), limits{bytes: 1 << 30, rows: 3000}, []int{3, 3}},
		"files_without_rows_are_files_too":  {several(8, 0), mib, []int{8}},
		"an_empty_and_a_single_row_are_two": {append(several(4, 0), several(4, 1)...), mib, []int{8}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			for _, group := range plan(c.files, c.limits) {
				got = append(got, len(group))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("merges of %v files, want %v", got, c.want)
			}
		})
	}
}

// TestRowsAreWrittenALogarithmicNumberOfTimes appends files as a sink does, with
// a compaction after each, and counts what it costs and what is left.
func TestRowsAreWrittenALogarithmicNumberOfTimes(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		l := limits{bytes: 4 << 20}
		var files []lake.DataFile
		var rows, written int64
		for i := range 3000 {
			next := file(fmt.Sprint(i), int64(math.Exp(random.Float64()*7)))
			files, rows = append(files, next), rows+next.Rows
			for groups := plan(files, l); len(groups) > 0; groups = plan(files, l) {
				for _, group := range groups {
					var sum int64
					for _, input := range group {
						sum += input.Rows
						files = slices.DeleteFunc(files, func(f lake.DataFile) bool { return f.Path == input.Path })
					}
					merged := file("m"+group[0].Path, sum)
					if merged.Bytes > l.bytes {
						t.Fatalf("a file of %d bytes, at most %d may be", merged.Bytes, l.bytes)
					}
					files, written = append(files, merged), written+sum
				}
			}
			small, full := 0, 0
			for _, f := range files {
				if l.isFull(f) {
					full++
				} else {
					small++
				}
			}
			if bound := (fanIn - 1) * 10; small > bound {
				t.Fatalf("%d small files, at most %d may be", small, bound)
			}
		}
		if times := float64(written) / float64(rows); times > math.Log(float64(rows))/math.Log(4) {
			t.Errorf("seed %d: each of %d rows was written %.1f times", seed, rows, times)
		}
	}
}

func TestFilesGrowWithTheTable(t *testing.T) {
	var files []lake.DataFile
	for i := range 2000 {
		files = append(files, lake.DataFile{Path: fmt.Sprint(i), Rows: 1e6, Bytes: 100 << 20})
	}
	l := limitsOf(files, 128<<20, 1000)
	for groups := plan(files, l); len(groups) > 0; groups = plan(files, l) {
		for _, group := range groups {
			merged := lake.DataFile{Path: "m" + group[0].Path}
			for _, input := range group {
				merged.Rows, merged.Bytes = merged.Rows+input.Rows, merged.Bytes+input.Bytes
				files = slices.DeleteFunc(files, func(f lake.DataFile) bool { return f.Path == input.Path })
			}
			files = append(files, merged)
		}
	}
	if len(files) > 1000 {
		t.Errorf("%d files of a table of 200 GB", len(files))
	}
	if l := limitsOf(files[:1], 128<<20, 1000); l.bytes != 128<<20 {
		t.Errorf("a small table has files of %d bytes", l.bytes)
	}
}
