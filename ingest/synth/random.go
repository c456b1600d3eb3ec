package synth

import (
	"fmt"
	"math/rand/v2"
)

// stream is a generator of its own for each purpose and number: episode 7 reads
// the same whatever episodes 0 to 6 drew.
func stream(seed uint64, purpose, number uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed*0x9e3779b97f4a7c15+purpose, number))
}

// Purposes of streams.
const (
	forContent uint64 = iota + 1 // texts: two episodes with one content number say the same
	forIDs                       // ids, times, usage, arms: never the same twice
	forEdits
	forEvals
	forCorpus
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func letters(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// uuid is a version 4 UUID.
func uuid(r *rand.Rand) string {
	hi, lo := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xfff, 0x8000|lo>>48&0x3fff, lo&0xffffffffffff)
}
