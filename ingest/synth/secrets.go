package synth

import (
	"encoding/base64"
	"math/rand/v2"
)

// newSecret invents a secret that has the shape of a real one. Each says FAKE
// where its format lets it.
func newSecret(r *rand.Rand) string {
	upper, hex := alphanumeric[:26], "0123456789abcdef"
	switch r.IntN(6) {
	case 0:
		return "sk-proj-FAKE" + letters(r, alphanumeric, 44)
	case 1:
		return "ghp_FAKE" + letters(r, alphanumeric, 32)
	case 2:
		return "AKIAFAKE" + letters(r, upper+"234567", 12)
	case 3:
		return "sk-ant-api03-FAKE" + letters(r, alphanumeric, 89) + "AA"
	case 4:
		return "xoxb-" + letters(r, "123456789", 11) + "-FAKE" + letters(r, alphanumeric, 20)
	default:
		part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
		return part(`{"alg":"HS256","typ":"JWT"}`) + "." + part(`{"sub":"invented","jti":"`+letters(r, hex, 12)+`"}`) + "." + letters(r, alphanumeric, 43)
	}
}
