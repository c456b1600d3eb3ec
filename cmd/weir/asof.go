package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake/duck"
)

// asOfFlag is on the commands that can read the lake as it was.
func asOfFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "as-of", Usage: "read the lake as it was at `TIME` (RFC 3339, or a date in UTC), or a table at a version: TABLE=VERSION; may be repeated"}
}

// momentOf reads --as-of.
func momentOf(c *cli.Context) (duck.Moment, error) {
	moment := duck.Moment{Versions: map[string]int64{}}
	usage := func(format string, args ...any) (duck.Moment, error) {
		return duck.Moment{}, &usageError{
			what: c.Command.Name + ": --as-of: " + fmt.Sprintf(format, args...),
			try:  "weir " + c.Command.Name + " --as-of 2026-11-01T08:00:00Z, or --as-of curated.examples=12",
		}
	}
	for _, text := range c.StringSlice("as-of") {
		if name, digits, ok := strings.Cut(text, "="); ok {
			version, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || version < 0 {
				return usage("%q is no version of %s", digits, name)
			}
			if _, twice := moment.Versions[name]; twice {
				return usage("%s: two versions", name)
			}
			moment.Versions[name] = version
			continue
		}
		if _, err := strconv.Atoi(text); err == nil {
			return usage("version %s of which table?", text)
		}
		at, err := parseMoment(text)
		if err != nil {
			return usage("%v", err)
		}
		if !moment.At.IsZero() {
			return usage("two times")
		}
		moment.At = at
	}
	return moment, nil
}
