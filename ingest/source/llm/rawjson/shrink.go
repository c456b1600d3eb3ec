package rawjson

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// blobLimit is the length from which a string in base64's alphabet counts as
// binary data. Ids and hashes are shorter.
const blobLimit = 512

// opaque are the fields that only their writer can read.
var opaque = map[string]bool{
	"encrypted_content": true, "encrypted_index": true, "encrypted_stdout": true,
	"signature": true, "thought_signature": true, "thoughtSignature": true,
}

// Shrink gives JSON text, keys sorted, without what does not belong in a lake:
// fields that only their writer can read (encrypted content, signatures) are
// dropped, and binary data (data URIs, long base64) become
// {"sha256": …, "length": …}, with the media type where a data URI names it.
// The length is that of the text. What is no JSON gives "".
func Shrink(raw []byte) string {
	value, ok := decode(raw)
	if !ok || value == nil {
		return ""
	}
	return string(Marshal(shrink(value)))
}

func shrink(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, field := range value {
			if _, text := field.(string); text && opaque[key] {
				delete(value, key)
				continue
			}
			value[key] = shrink(field)
		}
	case []any:
		for i, element := range value {
			value[i] = shrink(element)
		}
	case string:
		if head, _, ok := strings.Cut(value, ","); ok && strings.HasPrefix(head, "data:") && len(value) > 64 {
			media, _, _ := strings.Cut(strings.TrimPrefix(head, "data:"), ";")
			return blob(value, media)
		}
		if len(value) >= blobLimit && isBase64(value) {
			return blob(value, "")
		}
	}
	return value
}

func blob(text, media string) map[string]any {
	sum := sha256.Sum256([]byte(text))
	reference := map[string]any{"sha256": hex.EncodeToString(sum[:]), "length": len(text)}
	if media != "" {
		reference["media_type"] = media
	}
	return reference
}

func isBase64(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9',
			c == '+', c == '/', c == '-', c == '_', c == '=', c == '\n', c == '\r':
		default:
			return false
		}
	}
	return true
}
