package source

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
)

// Refuse rejects a file whole, whose text is r: the part of in that was read to
// know it by, and the rest. The caller gives reason, detail and line.
func Refuse(in *Input, r io.Reader, out Out, reject Reject) error {
	sum := sha256.New()
	var kept bytes.Buffer
	length, err := io.CopyN(io.MultiWriter(sum, &kept), r, RejectBytes)
	if err == nil {
		var rest int64
		rest, err = io.Copy(sum, r)
		length += rest
	}
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	reject.Record, reject.Body, reject.Length, reject.SHA256 = in.Records, kept.Bytes(), length, hexSum(sum)
	in.Records++
	return out.Reject(reject)
}
