package derive

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// LogicalHash is a hash of the rows of a table or view of the session: equal
// for equal rows, in whatever order, files and row groups they lie. It covers
// the names of the columns, not their types. It is md5 in hex over the row
// count and the sums of the rows' own md5s: to compare, not to defend. The
// session's TimeZone has to be UTC.
func LogicalHash(ctx context.Context, session *duck.Session, table string) (string, error) {
	var sums string
	err := session.Get(ctx, "select concat_ws(' ', count(*), coalesce(sum(md5_number_lower(line)::hugeint), 0), coalesce(sum(md5_number_upper(line)::hugeint), 0))"+
		" from (select to_json(r)::varchar as line from "+duck.TableIdent(table)+" as r)", &sums)
	if err != nil {
		return "", fmt.Errorf("logical hash of %s: %w", table, err)
	}
	sum := md5.Sum([]byte(sums))
	return hex.EncodeToString(sum[:]), nil
}

// signature is an expression over the rows of a group: it differs where the
// rows differ. It lives as long as the query; DuckDB's hash is of no use for
// anything that lasts.
func signature(columns []lake.Column) string {
	row := rowHash(columns)
	return "concat_ws(' ', count(*), sum(" + row + "), bit_xor(" + row + "))"
}

// rowHash hashes a row. DuckDB gives null, [] and [null] one hash, so rows with
// lists are hashed as JSON, where they differ.
func rowHash(columns []lake.Column) string {
	fields := make([]string, len(columns))
	nested := slices.ContainsFunc(columns, func(c lake.Column) bool { return c.List || c.Type == lake.Struct })
	for i, column := range columns {
		fields[i] = duck.Ident(column.Name)
		if nested {
			fields[i] += " := " + fields[i]
		}
	}
	if nested {
		return "hash(to_json(struct_pack(" + strings.Join(fields, ", ") + "))::varchar)"
	}
	return "hash(" + strings.Join(fields, ", ") + ")"
}

// differing selects the subjects whose rows are others in two table
// expressions, as subject_id. Subject is an expression over their columns.
func differing(subject string, columns []lake.Column, a, b string) string {
	sign := func(rows string) string {
		return "(select " + subject + " as subject, " + signature(columns) + " as signature from " + rows + " group by 1)"
	}
	return "select coalesce(a.subject, b.subject) as " + SubjectColumn + " from " + sign(a) + " a full join " + sign(b) +
		" b on a.subject = b.subject where a.signature is distinct from b.signature"
}
