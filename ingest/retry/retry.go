// Package retry reads the dead letters of a lake again with the formats as they
// are now: it finds the letters and what the lake already has, and leaves the
// reading to ingest/files. Start at Run.
package retry

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/weir-lake/weir/ingest/files"
	"github.com/weir-lake/weir/ingest/redact"
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Options say which letters to read again, and how.
type Options struct {
	Formats  []source.Format
	Format   string           // only letters of this format; empty: all
	Redactor *redact.Redactor // nil: the built-in rules
}

const (
	letterRows = 100  // letters that are held at a time, with up to 256 KiB each
	idRows     = 5000 // ids that are asked for at a time
)

// Run reads the lake's dead letters again, as they stand when it is called, and
// appends what can be read now and is not in the lake. Letters stay where they
// are: a second run finds that their events are there, and appends nothing.
func Run(ctx context.Context, lk *lake.Lake, out lake.Appender, opts Options) (files.RetrySummary, error) {
	if opts.Format != "" && !slices.ContainsFunc(opts.Formats, func(f source.Format) bool { return f.Name == opts.Format }) {
		return files.RetrySummary{}, fmt.Errorf("ingest: unknown format %q", opts.Format)
	}
	session, _, err := duck.OpenLake(ctx, lk, duck.Options{})
	if err != nil {
		return files.RetrySummary{}, fmt.Errorf("retry: %w", err)
	}
	defer session.Close()
	s := store{session}
	return files.Retry(ctx, out, s.letters(ctx, opts.Format), files.RetryOptions{Formats: opts.Formats, Redactor: opts.Redactor, Known: s.known})
}

// store is what is asked of the lake.
type store struct{ *duck.Session }

// letters gives each dead letter once, those of a file together.
func (s store) letters(ctx context.Context, format string) iter.Seq2[lake.DeadLetter, error] {
	return func(yield func(lake.DeadLetter, error) bool) {
		ids, err := s.strings(ctx, `
			select id
			from events.dead_letters
			where coalesce(body, '') <> '' and ($1 = '' or format = $1)
			group by id
			order by min(stage), min(coalesce(format, '')), min(coalesce(file, '')), min(line), min(record), id`, format)
		if err != nil {
			yield(lake.DeadLetter{}, err)
			return
		}
		for chunk := range slices.Chunk(ids, letterRows) {
			letters, err := s.chunk(ctx, chunk)
			if err != nil {
				yield(lake.DeadLetter{}, err)
				return
			}
			for _, id := range chunk {
				if !yield(letters[id], nil) {
					return
				}
			}
		}
	}
}

// chunk gives some letters by id. Of a letter that came more than once the
// first in Kafka counts.
func (s store) chunk(ctx context.Context, ids []string) (map[string]lake.DeadLetter, error) {
	rows, err := s.DB().QueryContext(ctx, `
		select
			id, coalesce(stage, ''), coalesce(reason, ''), coalesce(detail, ''), coalesce(format, ''), coalesce(file, ''),
			line, record, coalesce(body, ''), coalesce(encoding, ''), coalesce(sha256, ''), length_bytes
		from events.dead_letters
		where id in (`+list(ids)+`)
		qualify row_number() over (partition by id order by kafka_cluster, kafka_topic, kafka_partition, kafka_offset) = 1`)
	if err != nil {
		return nil, fmt.Errorf("retry: %w", err)
	}
	defer rows.Close()
	letters := map[string]lake.DeadLetter{}
	for rows.Next() {
		var id string
		var d lake.DeadLetter
		err := rows.Scan(&id, &d.Stage, &d.Reason, &d.Detail, &d.Format, &d.File, &d.Line, &d.Record, &d.Body, &d.Encoding, &d.SHA256, &d.LengthBytes)
		if err != nil {
			return nil, fmt.Errorf("retry: %w", err)
		}
		letters[id] = d
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("retry: %w", err)
	}
	return letters, nil
}

// known implements files.Known.
func (s store) known(ctx context.Context, table string, ids []string) (map[string]bool, error) {
	known := map[string]bool{}
	for chunk := range slices.Chunk(ids, idRows) {
		found, err := s.strings(ctx, "select distinct id from "+duck.TableIdent(table)+" where id in ("+list(chunk)+")")
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			known[id] = true
		}
	}
	return known, nil
}

func (s store) strings(ctx context.Context, query string, args ...any) (found []string, err error) {
	rows, err := s.DB().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("retry: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("retry: %w", err)
		}
		found = append(found, text)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("retry: %w", err)
	}
	return found, nil
}

func list(ids []string) string {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = duck.Literal(id)
	}
	return strings.Join(quoted, ", ")
}
