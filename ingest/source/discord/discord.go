// Package discord reads channels of Discord as DiscordChatExporter writes them
// to JSON: one document a channel, or a part of one, that may be hundreds of
// megabytes long. docs/formats/discord.md has the mapping. Start at Format.
package discord

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// Format is the format of DiscordChatExporter's JSON.
func Format() source.Format {
	return source.Format{
		Name:    "discord",
		Doc:     "Discord channels as DiscordChatExporter writes them (JSON)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// opening is how every document begins.
var opening = regexp.MustCompile(`^\{\s*"guild"\s*:\s*\{`)

func detect(p source.Probe) int {
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n")
	if !opening.Match(head) {
		return 0
	}
	o := rawjson.First(head)
	switch {
	case o.Object("guild").Has("id") && o.Object("channel").Has("id") && o.Has("messages"):
		return 95
	case bytes.Contains(head, []byte(`"channel"`)) && bytes.Contains(head, []byte(`"messages"`)):
		return 90 // longer than the head
	}
	return 0
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	d := &document{r: in.R}
	fault, err := d.open()
	if err != nil {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	if fault != "" {
		return refuse(in, out, d.head, fault)
	}
	in.R = d
	r := newReader(out, d.header)
	if err := r.about(d.header); err != nil {
		return err
	}
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		if err := r.message(record); err != nil {
			return err
		}
	}
	// What follows the messages is their number, which is not needed.
	if len(bytes.Trim(d.tail, " \t\r\n")) == 0 || rawjson.Parse(append([]byte(`{"messages":[]`), d.tail...)) != nil {
		return nil
	}
	in.Records++
	return out.Reject(source.Reject{
		Reason: source.ReasonNotJSON, Detail: "what follows the messages is no JSON", Line: in.Line, Record: in.Records - 1, Body: d.tail, Length: d.tailBytes,
	})
}

// refuse rejects a file whole, of which head was read.
func refuse(in *source.Input, out source.Out, head []byte, reason string) error {
	sum := sha256.New()
	sum.Write(head)
	rest, err := io.Copy(sum, in.R)
	if err != nil {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	if len(bytes.Trim(head, "\ufeff \t\r\n")) == 0 && rest == 0 {
		return nil // nothing but blanks
	}
	in.Records++
	return out.Reject(source.Reject{
		Reason: reason, Detail: "no document with a channel and its messages", Line: 1, Record: in.Records - 1,
		Body: head[:min(len(head), source.RejectBytes)], Length: int64(len(head)) + rest, SHA256: hex.EncodeToString(sum.Sum(nil)),
	})
}
