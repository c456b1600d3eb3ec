package upkeep

import (
	"math/bits"
	"slices"

	"github.com/weir-lake/weir/lake"
)

// fanIn is how many files of a tier are merged into one.
const fanIn = 8

// limits bound the files that a compaction writes.
type limits struct {
	bytes int64 // as they lie on disk; about the sum of the inputs
	rows  int64 // 0: any number
}

// isFull tells whether a file is large enough to be left alone for good.
func (l limits) isFull(file lake.DataFile) bool {
	return file.Bytes >= l.bytes/2 || l.rows > 0 && file.Rows >= l.rows/2
}

// fits tells whether a file may join others.
func (l limits) fits(bytes, rows int64, file lake.DataFile) bool {
	return bytes+file.Bytes <= l.bytes && (l.rows == 0 || rows+file.Rows <= l.rows)
}

// tier counts how often a file's rows can be divided by four.
func tier(file lake.DataFile) int { return bits.Len64(uint64(max(file.Rows, 0))) / 2 }

// plan groups the files that are to be merged, each group into one file. Files
// of one tier are merged once there are fanIn of them, or enough to make a full
// file; a file of a merge is full or of a higher tier, so a row is written again
// a logarithmic number of times, and no more than fanIn-1 small files of a tier
// stay. Tiers go by rows, which add up; bytes of small files do not. The order
// within a group is that of the files.
func plan(files []lake.DataFile, l limits) [][]lake.DataFile {
	tiers := map[int][]lake.DataFile{}
	highest := 0
	for _, file := range files {
		if !l.isFull(file) {
			at := tier(file)
			tiers[at] = append(tiers[at], file)
			highest = max(highest, at)
		}
	}
	var groups [][]lake.DataFile
	for at := range highest + 1 {
		groups = append(groups, group(tiers[at], l)...)
	}
	return groups
}

// group cuts the files of a tier, none of them full, into merges.
func group(files []lake.DataFile, l limits) [][]lake.DataFile {
	var groups [][]lake.DataFile
	var bytes, rows int64
	start := 0
	for i, file := range files {
		if !l.fits(bytes, rows, file) {
			// Neither this file nor the group is half as large as may be, and
			// together they are too large: the group makes a full file.
			groups = append(groups, slices.Clone(files[start:i]))
			start, bytes, rows = i, 0, 0
		}
		bytes, rows = bytes+file.Bytes, rows+file.Rows
	}
	if len(files)-start >= fanIn {
		groups = append(groups, slices.Clone(files[start:]))
	}
	return groups
}

// limitsOf are the limits for a table of events, whose files may be large, and
// of no more than so many where the table allows: as it grows, files double.
func limitsOf(files []lake.DataFile, target int64, maxFiles int) limits {
	var total int64
	for _, file := range files {
		total += file.Bytes
	}
	for maxFiles > 0 && target*int64(maxFiles) < 4*total {
		target *= 2
	}
	return limits{bytes: target}
}
