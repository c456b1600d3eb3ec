package distill

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/transforms"
)

// The sections of a prompt are those of curated.knowledge: the same texts under
// the same hashes, by the table's own SQL.
func TestSectionsAreThoseOfTheTable(t *testing.T) {
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	query := tableCut(t)
	rng := rand.New(rand.NewPCG(8, 8))
	pieces := append([]string{"#", " ", "\n", "\r\n", "\t", "<", ">", "RULES", "</RULES>", "\f", "a", "\n# ", "\n## b\n", "\x1e", "\u00a0", "# A", "<TOOLS AND_MORE>"}, sections...)
	for range 400 {
		var text strings.Builder
		for range rng.IntN(9) {
			text.WriteString(pieces[rng.IntN(len(pieces))])
		}
		want, err := session.Strings(t.Context(), query, text.String())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		all := ""
		for _, s := range cut(text.String()) {
			all += s.raw
			if !s.isBare {
				got = append(got, foldedHash(s.text())+" "+s.text())
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%q is cut into\n%q\nthe table has\n%q", text.String(), got, want)
		}
		if all != text.String() {
			t.Fatalf("%q: the sections add up to %q", text.String(), all)
		}
	}
}

// tableCut makes a query of the part of the table's SQL that cuts and hashes.
func tableCut(t *testing.T) string {
	t.Helper()
	tables, err := transforms.Tables(nil)
	if err != nil {
		t.Fatal(err)
	}
	sql := ""
	for _, table := range tables {
		if table.Name == "curated.knowledge" {
			sql = table.SQL()
		}
	}
	ctes := regexp.MustCompile(`(?s)(cut as \(.*\n\)),\n\nkinds as`).FindStringSubmatch(sql)
	hash := regexp.MustCompile(`(?m)^        (md5\(.*\)) as hash,`).FindStringSubmatch(sql)
	if ctes == nil || hash == nil {
		t.Fatal("transforms/knowledge.sql has another form: this test must follow it")
	}
	return "with texts as (select 'system_prompt' as part, '' as part_hash, ?::VARCHAR as text, null::VARCHAR as title, null::VARCHAR as document_kind),\n" +
		ctes[1] + "\nselect " + hash[1] + " || ' ' || text as section from named order by section"
}
