package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/target"
)

// fileFlags say how an export is divided into files, and how these are packed.
func fileFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "shard-bytes", Usage: "divide into files of `SIZE` at most, such as 100MB; the target's limit holds anyway"},
		&cli.Int64Flag{Name: "shard-lines", Usage: "divide into files of `N` lines at most"},
		&cli.Int64Flag{Name: "shard-tokens", Usage: "divide into files of `N` tokens at most"},
		&cli.StringFlag{Name: "compress", Usage: "pack the training files by `gzip or zstd`, where the target's loader unpacks them"},
	}
}

// withFiles adds what the flags say to the options.
func withFiles(c *cli.Context, opts *exporters.Options) error {
	opts.Compress = target.Compression(c.String("compress"))
	opts.Shard = target.Limit{Lines: c.Int64("shard-lines"), Tokens: c.Int64("shard-tokens")}
	if opts.Shard.Lines < 0 || opts.Shard.Tokens < 0 {
		return &usageError{what: "export: --shard-lines and --shard-tokens must not be negative", try: "weir export --shard-lines 100000"}
	}
	if size := c.String("shard-bytes"); size != "" {
		var err error
		if opts.Shard.Bytes, err = parseSize(size); err != nil {
			return &usageError{what: fmt.Sprintf("export: --shard-bytes: %v", err), try: "weir export --shard-bytes 100MB"}
		}
	}
	return nil
}

// scheduleFlags are for exports that a scheduler starts.
func scheduleFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "if-changed", Usage: "do nothing where nothing has changed since; it says unchanged and exits with 0"},
		&cli.IntFlag{Name: "keep", Usage: "keep the last `N` exports in DIR, with a link latest; 0: DIR is the export"},
		&cli.BoolFlag{Name: "no-wait", Usage: "fail where another export writes to DIR, and do not wait for its end"},
	}
}

// withSchedule adds what the flags say to the options.
func withSchedule(e env, c *cli.Context, opts *exporters.Options) error {
	if opts.Keep = c.Int("keep"); opts.Keep < 0 {
		return &usageError{what: "export: --keep must not be negative", try: "weir export --keep 5"}
	}
	opts.IfChanged = c.Bool("if-changed")
	opts.Busy = func() error {
		if c.Bool("no-wait") {
			return exporters.ErrBusy
		}
		if !c.Bool("quiet") {
			fmt.Fprintf(e.stderr, "another export writes to %s: waiting for its end\n", opts.Dir)
		}
		return nil
	}
	return nil
}

// printKept tells of the versions that are kept.
func printKept(e env, opts exporters.Options, outcome exporters.Outcome) {
	if opts.Keep > 0 && outcome.Changed {
		fmt.Fprintf(e.stdout, "\n%s is now %s\n", filepath.Join(opts.Dir, "latest"), filepath.Base(outcome.Dir))
	}
	for _, version := range outcome.Deleted {
		fmt.Fprintf(e.stdout, "deleted: %s\n", filepath.Join(opts.Dir, version))
	}
}

// filesOf names the files of a side: one, or what several have in common.
func filesOf(dir string, manifest exporters.Manifest, split string) string {
	var names []string
	for _, file := range manifest.Files {
		if file.Split == split {
			names = append(names, file.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	name := names[0]
	if len(names) > 1 {
		name = strings.Replace(name, "-00001-", "-*-", 1)
	}
	return filepath.Join(dir, name)
}
