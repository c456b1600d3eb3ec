package lake

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// DeadLetterBytes is how much of a record a dead letter keeps.
const DeadLetterBytes = 256 << 10

// Keep puts the beginning of a record into the letter: as text, or in base64
// where it is none. Hash and length are filled in where they are not yet known;
// they are of the whole record.
//
// A secret must not hide behind one broken byte: where redact, which may be
// nil, changes the text with its broken bytes replaced, that text is kept
// instead of the bytes. Of valid text nothing is taken out here: who appends
// the letter redacts it like any event.
func (d *DeadLetter) Keep(record []byte, redact func(text string) string) {
	if d.SHA256 == "" {
		sum := sha256.Sum256(record)
		d.SHA256 = hex.EncodeToString(sum[:])
	}
	d.LengthBytes = max(d.LengthBytes, int64(len(record)))
	kept := record
	if len(kept) > DeadLetterBytes {
		kept = kept[:DeadLetterBytes]
		// The cut may have split a character.
		for len(kept) > DeadLetterBytes-utf8.UTFMax && !utf8.RuneStart(record[len(kept)]) {
			kept = kept[:len(kept)-1]
		}
	}
	d.Body, d.Encoding = string(kept), "utf-8"
	if utf8.Valid(kept) {
		return
	}
	if redact != nil {
		text := strings.ToValidUTF8(d.Body, string(utf8.RuneError))
		if d.Body = redact(text); d.Body != text {
			return
		}
	}
	d.Body, d.Encoding = base64.StdEncoding.EncodeToString(kept), "base64"
}
