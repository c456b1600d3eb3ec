// Package queries holds ready SQL for the lake: a question a file. Each runs in
// the DuckDB shell on the catalog (duckdb -readonly catalog.duckdb -f FILE) and
// by weir query NAME. There is no logic here; start at any .sql file, or at All.
package queries

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
)

//go:embed *.sql
var files embed.FS

// Query is a ready question.
type Query struct {
	Name     string // funnel, of funnel.sql
	Question string // the file's first comment line
	About    string // the comment lines after it: who asks, what the answer shows
	SQL      string // the whole file, without its last semicolon
}

// All gives the queries in order of name.
func All() []Query {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		panic("queries: " + err.Error()) // the pattern is a constant
	}
	slices.Sort(names)
	var list []Query
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic("queries: " + err.Error()) // the file is in the binary
		}
		list = append(list, parse(strings.TrimSuffix(name, ".sql"), string(text)))
	}
	return list
}

func parse(name, text string) Query {
	q := Query{Name: name, SQL: strings.TrimSuffix(strings.TrimSpace(text), ";")}
	var about []string
	for line := range strings.Lines(text) {
		comment, found := strings.CutPrefix(strings.TrimSpace(line), "--")
		if !found {
			break
		}
		if q.Question == "" {
			q.Question = strings.TrimSpace(comment)
		} else {
			about = append(about, strings.TrimSpace(comment))
		}
	}
	q.About = strings.Join(about, " ")
	return q
}
