// Package irc reads logs of IRC channels: lines of the form "[hh:mm] <nick>
// text". All who speak are taken for people. docs/formats/irc.md has the
// mapping. Start at Format.
package irc

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

// maxLine is far above the 512 bytes that the protocol allows.
const maxLine = 64 << 10

// Format is the IRC format.
func Format() source.Format {
	return source.Format{
		Name:    "irc",
		Doc:     "logs of IRC channels: people's group chat (text)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

var (
	said    = regexp.MustCompile(`^\[(\d\d):(\d\d)(?::(\d\d))?\] (?:<[ @+%&~]?([^ <>]+) *> ?|( )?\* ([^ ]+) ?)(.*)$`)
	notice  = regexp.MustCompile(`^(?:\[\d\d:\d\d(?::\d\d)?\] )?(?:===|---|-!-) `)
	renamed = regexp.MustCompile(`^(?:\[\d\d:\d\d(?::\d\d)?\] )?(?:===|---|-!-) (\S+) is now known as (\S+)\s*$`)
	// A line of reply links beside a log: "1003 1002 -".
	link = regexp.MustCompile(`^\d+ \d+ -\s*$`)
	day  = regexp.MustCompile(`(\d{4})-(\d\d)-(\d\d)`)
)

// detect wants most of the first lines to be a log's, or all to be reply links.
func detect(p source.Probe) int {
	lines := bytes.Split(bytes.TrimPrefix(p.Head, []byte("\ufeff")), []byte("\n"))
	spoken, links, all := 0, 0, 0
	for _, line := range lines[:min(len(lines), 40)] {
		if line = bytes.TrimRight(line, "\r"); len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		all++
		switch {
		case said.Match(line):
			spoken++
		case link.Match(line):
			links++
		case notice.Match(line):
			all-- // joins and parts may fill a screen
		}
	}
	if spoken > 0 && 2*spoken > all || links > 2 && links == all {
		return 80
	}
	return 0
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	r := &log{out: out, seen: map[string]int{}}
	base := path.Base(strings.ReplaceAll(in.Name, `\`, "/"))
	r.day = time.Unix(0, 0).UTC()
	if m := day.FindString(base); m != "" {
		if at, err := time.Parse("2006-01-02", m); err == nil {
			r.day = at
		}
	}
	r.subject = "irc/" + r.day.Format("2006-01-02")
	for line, err := range source.Lines(ctx, in, maxLine) {
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line.Text)) == 0 && line.Length <= maxLine {
			continue
		}
		in.Line, in.Bytes = line.Number, line.Length
		err = r.line(line, in.Records)
		in.Records++
		if err != nil {
			return err
		}
	}
	return nil
}

// log is a channel's log of one day, or from one to the next.
type log struct {
	out     source.Out
	day     time.Time
	subject string
	last    time.Time      // time of the line before
	seen    map[string]int // equal lines of a minute, to tell them apart
}

func (r *log) line(line source.Line, ordinal int64) error {
	reject := func(reason, detail string) error {
		return r.out.Reject(source.Reject{Reason: reason, Detail: detail, Line: line.Number, Record: ordinal, Body: bytes.Clone(line.Text), Length: line.Length})
	}
	text := decode(line.Text)
	m := said.FindStringSubmatch(text)
	switch {
	case line.Length > maxLine:
		return reject(source.ReasonTooLarge, "a line above 64 KiB")
	case link.MatchString(text):
		return reject("reply_link", "a reply link, not a message: links are not read")
	case renamed.MatchString(text):
		return r.renamed(text, ordinal)
	case notice.MatchString(text):
		return nil // joins, parts, topics: who is there, not what is said
	case m == nil:
		return reject(source.ReasonUnknownType, "neither a message nor a notice of the server")
	}
	clock, err := time.Parse("15:04:05", m[1]+":"+m[2]+":"+map[bool]string{true: "00", false: m[3]}[m[3] == ""])
	if err != nil {
		return reject(source.ReasonWrongType, "no time of day")
	}
	at := r.day.Add(time.Duration(clock.Hour())*time.Hour + time.Duration(clock.Minute())*time.Minute + time.Duration(clock.Second())*time.Second)
	// A log that runs past midnight goes on the next day. Clocks are set back
	// by an hour at most.
	if at.Before(r.last.Add(-12 * time.Hour)) {
		r.day, at = r.day.AddDate(0, 0, 1), at.AddDate(0, 0, 1)
	}
	if at.After(r.last) {
		r.last = at
	}
	nick, content := m[4], m[7]
	c := &lake.ChatMessage{ConversationID: r.subject, Kind: lake.KindPrompt, Role: "user", Position: ordinal * 1000, OrderedAt: r.last}
	if nick == "" { // "* nick waves"
		nick = m[6]
		content = "* " + nick + " " + content
	}
	c.Name, c.Content, c.PersonIDs = nick, content, []string{nick}
	return r.send(at.Format(time.RFC3339), text, at, c)
}

// renamed keeps that two nicks are one person. Such lines have no time: the
// day stands in their id, so that a slice of the log gives the same.
func (r *log) renamed(text string, ordinal int64) error {
	m := renamed.FindStringSubmatch(text)
	at := r.day
	if r.last.After(at) {
		at = r.last
	}
	c := &lake.ChatMessage{ConversationID: r.subject, Kind: lake.KindNotice, Name: "nick", Content: m[1] + " is now known as " + m[2], Position: ordinal * 1000, OrderedAt: at}
	c.PersonIDs = []string{m[1], m[2]}
	return r.send(r.day.Format("2006-01-02"), c.Content, at, c)
}

// send gives a line an id by when and what it says, and by how often it did.
func (r *log) send(when, text string, at time.Time, c *lake.ChatMessage) error {
	key := lake.StableID(when, text)
	r.seen[key]++
	return r.out.Emit(lake.Event{
		ID: lake.StableID("irc", when, text, fmt.Sprint(r.seen[key])), Source: "irc://" + url.PathEscape(r.subject),
		Type: "weir.chat.message.v1", Subject: r.subject, Time: at, Data: c,
	})
}

// decode takes a line that is no UTF-8 for Latin-1, as old clients wrote.
func decode(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	runes := make([]rune, len(text))
	for i, b := range text {
		runes[i] = rune(b)
	}
	return string(runes)
}
