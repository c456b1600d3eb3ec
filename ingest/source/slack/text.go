package slack

import (
	"bytes"
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// text is what a message says.
type text struct {
	content    string
	people     []string // who is mentioned
	fromBlocks bool     // the words are those of the blocks
}

// newText reads what a reader sees of a message: its text, or its blocks where
// an app has laid them out, for the text is then what a notification shows. Else
// the words of its attachments.
func newText(w *workspace, o rawjson.Object) text {
	t := text{}
	markup := o.String("text")
	if markup == "" || laidOut(o.Objects("blocks")) {
		if words := wordsOf(o["blocks"]); words != "" {
			t.fromBlocks, markup = true, words
		}
	}
	if markup == "" {
		markup = attachmentText(o.Objects("attachments"))
	}
	t.content = t.plain(w, markup)
	return t
}

var tag = regexp.MustCompile(`<[^<>\n]+>`)

var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// plain replaces Slack's markup of mentions and links by what a reader sees.
func (t *text) plain(w *workspace, markup string) string {
	var b strings.Builder
	from := 0
	for _, at := range tag.FindAllStringIndex(markup, -1) {
		b.WriteString(entities.Replace(markup[from:at[0]]))
		b.WriteString(t.tag(w, markup[at[0]+1:at[1]-1]))
		from = at[1]
	}
	b.WriteString(entities.Replace(markup[from:]))
	return withoutTokens(b.String())
}

func (t *text) tag(w *workspace, inner string) string {
	target, label, _ := strings.Cut(inner, "|")
	label = entities.Replace(label)
	switch target[:min(1, len(target))] {
	case "@":
		id := target[1:]
		if userID.MatchString(id) {
			t.people = append(t.people, id)
		}
		return "@" + strings.TrimPrefix(cmp.Or(w.names[id], label, id), "@")
	case "#":
		return "#" + strings.TrimPrefix(cmp.Or(label, w.names[target[1:]], target[1:]), "#")
	case "!":
		if strings.HasPrefix(target, "!date^") {
			return cmp.Or(label, target[1:])
		}
		name, id, _ := strings.Cut(target[1:], "^") // subteam^S123
		return "@" + strings.TrimPrefix(cmp.Or(label, id, name), "@")
	}
	link := entities.Replace(target)
	address := strings.TrimPrefix(link, "mailto:")
	switch label {
	case "", link, address, strings.TrimPrefix(strings.TrimPrefix(link, "https://"), "http://"):
		return address
	}
	return label + " (" + address + ")"
}

// laidOut tells blocks that an app made from those that a person's text has.
func laidOut(blocks []rawjson.Object) bool {
	return slices.ContainsFunc(blocks, func(block rawjson.Object) bool { return block.String("type") != "rich_text" })
}

// wordsOf are the words of blocks, in the markup of texts.
func wordsOf(blocks json.RawMessage) string {
	var words strings.Builder
	blockText(&words, decoded(blocks))
	return strings.TrimSpace(words.String())
}

// blockText gathers the words of blocks in order, in the markup of texts.
func blockText(b *strings.Builder, value any) {
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			blockText(b, element)
		}
	case map[string]any:
		kind, _ := value["type"].(string)
		field := func(key string) string {
			text, _ := value[key].(string)
			return text
		}
		switch kind {
		case "user":
			b.WriteString("<@" + field("user_id") + ">")
		case "channel":
			b.WriteString("<#" + field("channel_id") + ">")
		case "emoji":
			b.WriteString(":" + field("name") + ":")
		case "usergroup":
			b.WriteString("<!subteam^" + field("usergroup_id") + ">")
		case "broadcast":
			b.WriteString("<!" + field("range") + ">")
		case "date":
			b.WriteString(field("fallback"))
		case "image":
			b.WriteString(field("alt_text") + "\n")
		case "link":
			b.WriteString("<" + field("url") + "|" + field("text") + ">")
		default:
			b.WriteString(field("text"))
			for _, key := range []string{"title", "text", "fields", "elements", "rows"} {
				if _, isText := value[key].(string); !isText {
					blockText(b, value[key])
				}
			}
			if kind != "text" { // a block, or a part of one that stands on its own
				b.WriteByte('\n')
			}
		}
	}
}

func attachmentText(attachments []rawjson.Object) string {
	var texts []string
	for _, attachment := range attachments {
		before := len(texts)
		for _, key := range []string{"pretext", "title", "text"} {
			if text := attachment.String(key); text != "" {
				texts = append(texts, text)
			}
		}
		for _, field := range attachment.Objects("fields") {
			texts = append(texts, strings.TrimPrefix(field.String("title")+": "+field.String("value"), ": "))
		}
		if len(texts) == before {
			if text := cmp.Or(wordsOf(attachment["blocks"]), attachment.String("fallback")); text != "" {
				texts = append(texts, text)
			}
		}
	}
	return strings.Join(texts, "\n")
}

// Links to files open them for whoever holds the link.
var (
	fileLink    = regexp.MustCompile(`https?://[^\s|<>"]*slack[^\s|<>"]*`)
	secretQuery = regexp.MustCompile(`\b(t|token|pub_secret)=[^&]*&?`)
	secretPath  = regexp.MustCompile(`^(https?://(?:[a-z0-9-]+\.)?slack-files\.com/).+`)
)

func withoutTokens(text string) string {
	return fileLink.ReplaceAllStringFunc(text, func(link string) string {
		link = secretPath.ReplaceAllString(link, "${1}…")
		address, query, found := strings.Cut(link, "?")
		if query = secretQuery.ReplaceAllString(query, ""); !found || query == "" {
			return address
		}
		return address + "?" + query
	})
}

// clean gives JSON text without secrets, pictures and blobs; "" where there is
// nothing.
func clean(raw []byte) string {
	value := decoded([]byte(rawjson.Shrink(raw)))
	if value == nil {
		return ""
	}
	return string(rawjson.Marshal(scrub(value)))
}

func decoded(raw []byte) any {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if dec.Decode(&value) != nil {
		return nil
	}
	return value
}

// opens are the beginnings of fields that hold links to files and pictures.
var opens = []string{"url_private", "url_download", "permalink", "thumb_", "deanimate", "image_", "icon", "author_icon", "footer_icon", "app_icon", "service_icon", "preview_highlight"}

func scrub(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, field := range value {
			for _, prefix := range opens {
				if strings.HasPrefix(key, prefix) {
					delete(value, key)
				}
			}
			if _, ok := value[key]; ok {
				value[key] = scrub(field)
			}
		}
	case []any:
		for i, element := range value {
			value[i] = scrub(element)
		}
	case string:
		return withoutTokens(value)
	}
	return value
}

var inText = regexp.MustCompile(`"([UW][A-Z0-9]{7,20})"|<@([UW][A-Z0-9]{5,20})[|>]`)

// peopleIn finds the ids of users in JSON text.
func peopleIn(text string) []string {
	var ids []string
	for _, m := range inText.FindAllStringSubmatch(text, -1) {
		ids = append(ids, m[1]+m[2])
	}
	return ids
}
