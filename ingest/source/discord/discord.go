// Package discord reads channels of Discord as DiscordChatExporter writes them
// to JSON: one document a channel, or a part of one, that may be hundreds of
// megabytes long. docs/formats/discord.md has the mapping. Start at Format.
package discord

import (
	"bytes"
	"context"
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
	switch {
	case fault == source.ReasonUnknownType && len(bytes.Trim(d.head, "\ufeff \t\r\n")) == 0:
		return nil // nothing but blanks
	case fault != "":
		return source.Refuse(in, io.MultiReader(bytes.NewReader(d.head), in.R), out, source.Reject{
			Reason: fault, Detail: "no document with a channel and its messages", Line: 1,
		})
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
