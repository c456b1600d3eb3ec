package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Line is a line of a text log.
type Line struct {
	Number int64  // 1-based
	Text   []byte // without the line break; only valid until the next line is read
	Length int64  // its whole length, which is above len(Text) where the line was above the limit (then with its break)
}

// Lines reads the lines of in. A byte-order mark and carriage returns before a
// line break are passed over. Of a line above the limit the first limit bytes
// are held. The error is of in or of ctx, and comes last.
func Lines(ctx context.Context, in *Input, limit int) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		r := bufio.NewReaderSize(in.R, chunkBytes)
		var text []byte
		for number := int64(1); ; number++ {
			text = text[:0]
			length, ended := int64(0), false
			for !ended {
				if err := ctx.Err(); err != nil {
					yield(Line{}, err)
					return
				}
				chunk, err := r.ReadSlice('\n')
				length += int64(len(chunk))
				text = append(text, chunk[:min(len(chunk), limit+2-min(len(text), limit+2))]...)
				switch {
				case err == nil:
					ended = true
				case errors.Is(err, bufio.ErrBufferFull):
				case err == io.EOF && length == 0:
					return
				case err == io.EOF:
					ended = true
				default:
					yield(Line{}, fmt.Errorf("%s:%d: %w", in.Name, number, err))
					return
				}
			}
			line := Line{Number: number, Text: text, Length: length}
			if int64(len(text)) == length {
				line.Text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
				line.Length = int64(len(line.Text))
			}
			if rest, ok := bytes.CutPrefix(line.Text, []byte("\xef\xbb\xbf")); ok && number == 1 {
				line.Text, line.Length = rest, line.Length-3
			}
			if len(line.Text) > limit {
				line.Text = line.Text[:limit]
			}
			if !yield(line, nil) {
				return
			}
		}
	}
}
