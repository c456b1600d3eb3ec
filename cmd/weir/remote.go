package main

import (
	"github.com/weir-lake/weir/ingest/files"
	"github.com/weir-lake/weir/ingest/source/langgraph"
)

// inputsOf tells the databases among the arguments from files and folders.
func inputsOf(args []string) (paths []string, remotes []files.Remote, err error) {
	for _, arg := range args {
		if !langgraph.IsPostgres(arg) {
			paths = append(paths, arg)
			continue
		}
		format, name, err := langgraph.Postgres(arg)
		if err != nil {
			return nil, nil, err
		}
		remotes = append(remotes, files.Remote{Name: name, Format: format})
	}
	return paths, remotes, nil
}
