package discord

import (
	"cmp"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// reader reads the messages of a document.
type reader struct {
	out     source.Out
	channel string
	name    string
	parent  string    // of a thread: the channel that it belongs to
	last    time.Time // running maximum of the times
}

func newReader(out source.Out, header rawjson.Object) *reader {
	channel := header.Object("channel")
	r := &reader{out: out, channel: channel.ID("id"), name: channel.String("name"), last: time.Unix(0, 0).UTC()}
	if strings.Contains(channel.String("type"), "Thread") {
		r.parent = channel.ID("categoryId") // the exporter puts a thread's channel there
	}
	return r
}

func conversation(channel string) string { return "discord/" + channel }

func (r *reader) event(id, kind string, at time.Time, data any, extra string) lake.Event {
	return lake.Event{
		ID: id, Source: "discord://export/" + url.PathEscape(r.channel), Type: kind,
		Subject: conversation(r.channel), Time: at, Data: data, Extra: extra,
	}
}

// about keeps what the document says of the channel. Range and time of the
// export are left out: parts and later exports say the same of it.
func (r *reader) about(header rawjson.Object) error {
	left := rawjson.Object{}
	for _, key := range []string{"guild", "channel"} {
		left[key] = header[key]
	}
	at := created(r.channel)
	m := &lake.ChatMessage{
		ConversationID: conversation(r.channel), Channel: r.name, Kind: lake.KindNotice, Name: "channel", Content: r.name,
		Parts: "[" + clean(left) + "]", OrderedAt: at,
	}
	return r.out.Emit(r.event(lake.StableID("discord", r.channel, "channel", m.Parts), "weir.chat.message.v1", at, m, ""))
}

// created is when a channel was made: ids of Discord's count the milliseconds
// since 2015 above their lowest 22 bits.
func created(id string) time.Time {
	number, err := strconv.ParseUint(id, 10, 63)
	if err != nil {
		return time.Unix(0, 0).UTC()
	}
	return time.UnixMilli(int64(number>>22) + 1420070400000).UTC()
}

// said are the types of messages that somebody wrote: by name or, where the
// exporter has none, by Discord's number, as the answers to commands. All others
// tell what happened.
var said = map[string]bool{"Default": true, "Reply": true, "20": true, "23": true}

func (r *reader) message(record source.Record) error {
	o := rawjson.Parse(record.Raw)
	id, kind, author := o.ID("id"), o.ID("type"), o.Object("author")
	at := o.Time("timestamp")
	switch {
	case id == "":
		return r.out.Reject(record.Reject(source.ReasonIncomplete, "no id"))
	case at.IsZero():
		return r.out.Reject(record.Reject(source.ReasonWrongType, "timestamp is no time"))
	}
	if at.After(r.last) {
		r.last = at
	}
	m := &lake.ChatMessage{
		ConversationID: conversation(r.channel), Channel: r.name, MessageID: id,
		Name: cmp.Or(author.String("nickname", "name"), author.ID("id")), Content: words(o), Parts: partsOf(o),
		Position: record.Ordinal * 1000, OrderedAt: r.last,
	}
	if r.parent != "" {
		m.ParentConversationID = conversation(r.parent)
	}
	if reference := o.Object("reference"); reference != nil && cmp.Or(reference.ID("channelId"), r.channel) == r.channel && reference.ID("messageId") != id {
		m.ParentID = reference.ID("messageId")
	}
	isBot := author.Bool("isBot")
	switch {
	case !said[kind] && kind != "":
		m.Kind, m.Name = lake.KindNotice, kind
	case isBot != nil && *isBot: // a program or a model: nothing in the export tells
		m.Kind, m.Role, m.Agent = lake.KindEnvironment, "bot", m.Name
	default:
		m.Kind, m.Role = lake.KindPrompt, "user"
	}
	m.PersonIDs = people(o)
	eventID := lake.StableID("discord", r.channel, id)
	err := r.out.Emit(r.event(eventID, "weir.chat.message.v1", at, m, native(o)))
	if err != nil || m.Kind != lake.KindEnvironment {
		return err
	}
	return r.thumbs(o, eventID, id, at)
}

// thumbs are people's reactions to what a bot said.
func (r *reader) thumbs(o rawjson.Object, message, id string, at time.Time) error {
	for _, reaction := range o.Objects("reactions") {
		emoji := reaction.Object("emoji")
		value := thumb(emoji.String("name", "code"))
		if value == 0 {
			continue
		}
		for _, user := range reaction.Objects("users") {
			who := user.ID("id")
			if bot := user.Bool("isBot"); who == "" || bot != nil && *bot {
				continue
			}
			f := &lake.Feedback{UnitKind: "message", UnitID: message, Kind: "thumb", Author: who, Value: &value}
			f.PersonIDs = []string{who}
			sign := map[float64]string{1: "up", -1: "down"}[value]
			if err := r.out.Emit(r.event(lake.StableID("discord", r.channel, id, "thumb", sign, who), "weir.feedback.given.v1", at, f, "")); err != nil {
				return err
			}
		}
	}
	return nil
}

// thumb is the sign of a thumb of any skin's tone; 0: another emoji.
func thumb(emoji string) float64 {
	switch {
	case strings.HasPrefix(emoji, "👍"), emoji == "thumbsup", emoji == "+1":
		return 1
	case strings.HasPrefix(emoji, "👎"), emoji == "thumbsdown", emoji == "-1":
		return -1
	}
	return 0
}

// people are who speaks, who is mentioned and who gave a command, bots apart.
func people(o rawjson.Object) []string {
	var ids []string
	for _, who := range append(o.Objects("mentions"), o.Object("author"), o.Object("interaction").Object("user")) {
		if bot := who.Bool("isBot"); who.ID("id") != "" && (bot == nil || !*bot) {
			ids = append(ids, who.ID("id"))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

var markup = regexp.MustCompile(`<(?:@!?(\d+)|a?(:\w+:)\d+)>`)

// words is the text as a reader sees it. The exporter resolves mentions unless
// told not to. A message without a text may say something in what it forwards
// or in its cards.
func words(o rawjson.Object) string {
	text := o.String("content")
	if text == "" {
		text = o.Object("forwardedMessage").String("content")
	}
	if text == "" {
		var cards []string
		for _, card := range o.Objects("embeds") {
			for _, part := range append([]rawjson.Object{{"name": card["title"], "value": card["description"]}}, card.Objects("fields")...) {
				if line := strings.Trim(part.String("name")+"\n"+part.String("value"), "\n"); line != "" {
					cards = append(cards, line)
				}
			}
		}
		text = strings.Join(cards, "\n")
	}
	names := map[string]string{}
	for _, who := range o.Objects("mentions") {
		names[who.ID("id")] = who.String("nickname", "name")
	}
	return withoutQuery(markup.ReplaceAllStringFunc(text, func(tag string) string {
		m := markup.FindStringSubmatch(tag)
		if m[2] != "" {
			return m[2]
		}
		return "@" + cmp.Or(names[m[1]], m[1])
	}))
}

// partsOf are files, cards, stickers and what is forwarded.
func partsOf(o rawjson.Object) string {
	var parts []string
	add := func(kind string, part rawjson.Object) {
		part["type"] = rawjson.Marshal(kind)
		if text := clean(part); text != "" {
			parts = append(parts, text)
		}
	}
	for _, kind := range []string{"attachments", "embeds", "stickers"} {
		for _, part := range o.Objects(kind) {
			add(strings.TrimSuffix(kind, "s"), part)
		}
	}
	if forwarded := o.Object("forwardedMessage"); forwarded != nil {
		add("forwarded", forwarded)
	}
	if parts == nil {
		return ""
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// known are the fields that have a column, or that repeat the text.
var known = []string{
	"id", "type", "timestamp", "content", "author", "attachments", "embeds", "stickers", "mentions", "forwardedMessage", "inlineEmojis",
}

// native keeps the other fields that say something; of reactions who gave them
// is another person's doing.
func native(o rawjson.Object) string {
	left := rawjson.Object{}
	for key, raw := range o {
		if text := rawjson.Compact(raw); !slices.Contains(known, key) && text != "" && text != "[]" && text != "false" {
			left[key] = raw
		}
	}
	if reactions := o.Objects("reactions"); reactions != nil {
		for _, reaction := range reactions {
			delete(reaction, "users")
		}
		left["reactions"] = rawjson.Marshal(reactions)
	}
	text := clean(left)
	if text == "{}" || text == "" {
		return ""
	}
	return string(rawjson.Marshal(map[string]any{"native": json.RawMessage(text)}))
}

// A link to a file of Discord's is signed, and opens the file until it expires.
var signed = regexp.MustCompile(`(https?://(?:cdn|media|images-ext-\d+)\.discordapp\.(?:com|net)/[^\s?"<>)]*)\?[^\s"<>)]*`)

func withoutQuery(text string) string { return signed.ReplaceAllString(text, "$1") }

// pictures are fields that hold links to icons and the like.
var pictures = map[string]bool{"iconUrl": true, "avatarUrl": true, "proxyUrl": true, "imageUrl": true, "sourceUrl": true, "canonicalUrl": true}

// clean gives JSON text without signed links, pictures and blobs.
func clean(o rawjson.Object) string {
	shrunk := rawjson.Shrink(rawjson.Marshal(o))
	var value any
	dec := json.NewDecoder(strings.NewReader(shrunk))
	dec.UseNumber()
	if dec.Decode(&value) != nil {
		return ""
	}
	return string(rawjson.Marshal(scrub(value)))
}

func scrub(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, field := range value {
			if field = scrub(field); pictures[key] || field == nil {
				delete(value, key)
			} else {
				value[key] = field
			}
		}
	case []any:
		for i, element := range value {
			value[i] = scrub(element)
		}
	case string:
		return withoutQuery(value)
	}
	return value
}
