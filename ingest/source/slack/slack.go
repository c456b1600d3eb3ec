// Package slack reads data exports of Slack workspaces: a folder a channel, in
// it a file a day, beside them the lists of users and channels that give the
// names. The export may be a folder or a zip. docs/formats/slack.md has the
// mapping. Start at Format.
package slack

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// Format is the format of Slack's exports. The value remembers the names of
// the export that it read from last, for its files come one after the other.
func Format() source.Format {
	var names memo
	return source.Format{
		Name:    "slack",
		Doc:     "Slack workspace export: folder or zip, a file a channel and day (JSON)",
		Version: 1,
		Detect:  detect,
		Read: func(ctx context.Context, in *source.Input, out source.Out) error {
			head := bufio.NewReader(in.R)
			in.R = head
			if magic, _ := head.Peek(4); isZip(magic) {
				return readZip(ctx, in, out)
			}
			workspace, folder := names.of(ctx, in)
			return newReader(out, workspace, folder).read(ctx, in)
		},
	}
}

// What a record of an export is.
type shape int

const (
	other   shape = iota
	message       // of a channel's day
	user          // of users.json
	channel       // of channels.json, groups.json, dms.json or mpims.json
	change        // of integration_logs.json: who installed which app
)

var (
	stamp     = regexp.MustCompile(`^\d{9,10}\.\d{1,6}$`)
	userID    = regexp.MustCompile(`^[UW][A-Z0-9]{5,20}$`)
	channelID = regexp.MustCompile(`^[CGD][A-Z0-9]{5,20}$`)
)

func shapeOf(o rawjson.Object) shape {
	switch {
	case o.String("type") == "message" && o.Has("ts"):
		return message
	case userID.MatchString(o.String("id")) && o.Has("profile") && (o.Has("name") || o.Has("team_id")):
		return user
	case channelID.MatchString(o.String("id")) && o.Has("created") && (o.Has("name") || o.Has("members")):
		return channel
	case o.Has("change_type") && o.Has("date") && (o.Has("app_type") || o.Has("app_id") || o.Has("service_type")):
		return change
	}
	return other
}

var (
	// opening is how a day begins whose first message is longer than the head.
	opening = regexp.MustCompile(`"type"\s*:\s*"message"`)
	written = regexp.MustCompile(`"ts"\s*:\s*"\d{9,10}\.\d{1,6}"`)
	// empty are names of files that may hold an empty list.
	empty = regexp.MustCompile(`^((users|channels|groups|mpims|dms|integration_logs)|\d{4}-\d\d-\d\d)\.json$`)
	// listed are names in a zip that only this export has.
	listed = regexp.MustCompile(`(^|[^A-Za-z0-9_-])(users|channels|integration_logs)\.json|/\d{4}-\d\d-\d\d\.json`)
)

func isZip(head []byte) bool { return bytes.HasPrefix(head, []byte("PK\x03\x04")) }

func detect(p source.Probe) int {
	if isZip(p.Head) {
		if listed.Match(p.Head) {
			return 75
		}
		return 0
	}
	o := rawjson.First(p.Head)
	if o == nil {
		head := bytes.Trim(p.Head, "\ufeff \t\r\n")
		if string(head) == "[]" && empty.MatchString(p.Name) { // a workspace without private channels, say
			return 60
		}
		if bytes.HasPrefix(head, []byte("[")) && opening.Match(head) && written.Match(head) {
			return 75
		}
		return 0
	}
	switch shapeOf(o) {
	case message:
		if stamp.MatchString(o.String("ts")) {
			return 85
		}
	case user, channel:
		return 80
	case change:
		return 70
	}
	return 0
}

// reader reads the files of one channel, or a list beside the channels.
type reader struct {
	out       source.Out
	workspace *workspace
	channel   channelInfo
	member    string    // of a zip, for rejects
	last      time.Time // running maximum of the times
}

func newReader(out source.Out, w *workspace, folder string) *reader {
	return &reader{out: out, workspace: w, channel: w.channelOf(folder), last: time.Unix(0, 0).UTC()}
}

func (r *reader) read(ctx context.Context, in *source.Input) error {
	for record, err := range source.Records(ctx, in, r, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		o := rawjson.Parse(record.Raw)
		switch shapeOf(o) {
		case message:
			err = r.message(o, record)
		case channel:
			err = r.about(o, record)
		case user, change: // for the names alone, and nothing that was said
		default:
			err = r.Reject(record.Reject(source.ReasonUnknownType, "neither a message nor a user or channel: type "+fmt.Sprintf("%q", o.String("type"))))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Reject implements source.Out: a reject names its place in a zip.
func (r *reader) Reject(reject source.Reject) error {
	if r.member != "" {
		reject.Detail = strings.TrimPrefix(reject.Detail+" ("+r.member+")", " ")
	}
	return r.out.Reject(reject)
}

// folderOf is the name of the folder that a file lies in.
func folderOf(name string) string {
	folder := path.Base(path.Dir(filepath.ToSlash(name)))
	if folder == "." || folder == "/" {
		return ""
	}
	return folder
}
