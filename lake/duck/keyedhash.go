package duck

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// KeyedHash is lake.KeyedHash of a text expression, in SQL: HMAC-SHA256 by its
// definition (RFC 2104), since DuckDB has only the hash.
func KeyedHash(key []byte, kind, expr string) string {
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	pad := func(with byte) string {
		block := make([]byte, sha256.BlockSize)
		copy(block, key)
		var literal strings.Builder
		for _, b := range block {
			fmt.Fprintf(&literal, `\x%02X`, b^with)
		}
		return "'" + literal.String() + "'::blob"
	}
	inner := "sha256(" + pad(0x36) + " || encode(" + Literal(kind+":") + " || " + expr + "))"
	return "sha256(" + pad(0x5c) + " || unhex(" + inner + "))"
}
