package ingest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/weir-lake/weir/lake"
)

func TestDeadLetterKeepsTheBeginning(t *testing.T) {
	for name, record := range map[string]string{
		"empty":                        "",
		"short":                        "abc",
		"exactly as much as one keeps": strings.Repeat("x", lake.DeadLetterBytes),
		"cut between characters":       strings.Repeat("x", lake.DeadLetterBytes+1),
		"cut in a two-byte character":  strings.Repeat("x", lake.DeadLetterBytes-1) + "é…",
		"cut in a four-byte character": strings.Repeat("x", lake.DeadLetterBytes-3) + "😀😀",
		"whole last character":         strings.Repeat("x", lake.DeadLetterBytes-4) + "😀😀",
	} {
		var d lake.DeadLetter
		d.Keep([]byte(record), nil)
		if !strings.HasPrefix(record, d.Body) || d.Encoding != "utf-8" || !utf8.ValidString(d.Body) {
			t.Errorf("%s: body is no beginning of it, or not text (%s)", name, d.Encoding)
		}
		if want := min(len(record), lake.DeadLetterBytes); len(d.Body) < want-3 {
			t.Errorf("%s: %d bytes kept of %d", name, len(d.Body), want)
		}
		if d.LengthBytes != int64(len(record)) || len(d.SHA256) != 64 {
			t.Errorf("%s: length %d, sha256 %q", name, d.LengthBytes, d.SHA256)
		}
	}
	var d lake.DeadLetter
	d.Keep([]byte("ab\xffcd"), nil)
	if bytes, err := base64.StdEncoding.DecodeString(d.Body); err != nil || string(bytes) != "ab\xffcd" || d.Encoding != "base64" {
		t.Errorf("bytes: %q as %s", d.Body, d.Encoding)
	}
}

func TestUnreadableRecordHasAPlace(t *testing.T) {
	r := record{topic: "weir.chat", partition: 3, offset: 17, key: []byte("conversation"), value: []byte("{"), time: time.Unix(5, 0).UTC()}
	e := unreadable("cluster", r, fmt.Errorf("line 1: %w", lake.ErrNotJSON), nil)
	d := e.Data.(*lake.DeadLetter)
	if d.Reason != "not_json" || d.Topic != "weir.chat" || *d.TopicPartition != 3 || *d.TopicOffset != 17 || d.Stage != "sink" {
		t.Errorf("dead letter: %+v", d)
	}
	if e.Subject != "conversation" || !e.Time.Equal(r.time) {
		t.Errorf("event: %+v", e)
	}
	if again := unreadable("cluster", r, lake.ErrNotJSON, nil); again.ID != e.ID {
		t.Error("the id is another one the second time")
	}
	r.key, r.time = []byte{0xff}, time.Time{}
	if e := unreadable("cluster", r, errors.New("odd"), nil); e.Subject != e.ID || e.Time.IsZero() || e.Data.(*lake.DeadLetter).Reason != "unreadable" {
		t.Errorf("without key and time: %+v", e)
	}
	if _, err := e.Encode(); err != nil {
		t.Errorf("no event: %v", err)
	}
}
