package exporters

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/lake/duck"
)

func readAgents(ctx context.Context, session *duck.Session, query string) (map[string]bool, error) {
	names, err := session.Strings(ctx, query)
	if err != nil {
		return nil, err
	}
	agents := map[string]bool{}
	for _, name := range names {
		agents[name] = true
	}
	return agents, nil
}

// write has DuckDB write the examples as sorted Parquet files, and streams them
// into the files of a folder. No row leaves DuckDB as a query result: the driver
// would hold all of them.
func (e *exporting) write(ctx context.Context, session *duck.Session, temp, dir string) (err error) {
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(temp, "export-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	examples, err := sortedParquet(ctx, session, e.source.examples, e.source.order(), scratch)
	if err != nil {
		return err
	}
	reader, err := canonical.Open(ctx, examples...)
	if err != nil {
		return err
	}
	defer reader.Close()
	out, err := createFiles(dir, e.target, e.opts)
	if err != nil {
		return err
	}
	if err := e.stream(ctx, reader, out); err != nil {
		return errors.Join(err, out.close())
	}
	if err := out.finish(); err != nil {
		return err
	}
	if err := e.manifest.addUp(); err != nil {
		return err
	}
	if err := e.finishDistill(); err != nil {
		return err
	}
	e.manifest.finish(out)
	if err := e.warnOfFiles(out); err != nil {
		return err
	}
	if err := e.check(dir); err != nil {
		return err
	}
	if err := e.writeCard(ctx, session, examples, dir); err != nil {
		return err
	}
	return e.manifest.write(dir)
}

// warnOfFiles tells where one job cannot take all files of a side.
func (e *exporting) warnOfFiles(out *files) error {
	for _, split := range splits {
		limit, err := e.target.FileLimit(split)
		if err != nil {
			return err
		}
		if n := len(out.sides[split].shards); limit.FilesPerJob > 0 && n > limit.FilesPerJob {
			e.manifest.Warnings = append(e.manifest.Warnings, fmt.Sprintf("%s is in %d files, and a job takes %d (%s, as of %s)",
				split, n, limit.FilesPerJob, limit.Source, limit.AsOf))
		}
	}
	return nil
}

// check reads the finished files again by the provider's rules. A file with
// too few lines is a warning: the provider will refuse it, but it is what there
// is. Anything else is a fault of weir's, and nothing is put in place.
func (e *exporting) check(dir string) error {
	for _, file := range e.manifest.Files {
		if file.Split == "" {
			continue
		}
		var faults []error
		err := checkFile(e.target, filepath.Join(dir, file.Name), func(f target.Finding) {
			if f.Line == 0 {
				e.manifest.Warnings = append(e.manifest.Warnings, file.Name+" "+f.What)
				return
			}
			if len(faults) < 5 {
				faults = append(faults, fmt.Errorf("%s:%s", file.Name, f))
			}
		})
		if err := errors.Join(err, errors.Join(faults...)); err != nil {
			return err
		}
	}
	return nil
}
