package lineage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/lake"
)

func count(n int) string { return strconv.Itoa(n) }

// lineOf reads FILE:LINE of a file that is there.
func lineOf(id string) (file string, line int64, ok bool) {
	i := strings.LastIndexByte(id, ':')
	if i < 0 {
		return "", 0, false
	}
	line, err := strconv.ParseInt(id[i+1:], 10, 64)
	if err != nil || line < 1 {
		return "", 0, false
	}
	info, err := os.Stat(id[:i])
	return id[:i], line, err == nil && info.Mode().IsRegular()
}

// origin is a line of an export's lineage.jsonl.
type origin struct {
	File           string   `json:"file"`
	Line           int64    `json:"line"`
	ExampleID      string   `json:"example_id"`
	SubjectID      string   `json:"subject_id"`
	ContentHash    string   `json:"content_hash"`
	OriginEventIDs []string `json:"origin_event_ids"`
}

// line is a line of an exported file, with its example and the runs that were
// given just these files.
func (t *tracer) line(ctx context.Context, file string, line int64) (Node, error) {
	dir := filepath.Dir(file)
	found, err := originOf(filepath.Join(dir, "lineage.jsonl"), filepath.Base(file), line)
	if err != nil {
		return Node{}, err
	}
	manifest := struct {
		Target      string `json:"target"`
		ContentHash string `json:"content_hash"`
	}{}
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	if err != nil {
		return Node{}, err
	}
	node := Node{Kind: Line, ID: fmt.Sprintf("%s:%d", file, line), What: words(exportedFor(manifest.Target), "files "+manifest.ContentHash[:min(len(manifest.ContentHash), 16)])}
	if err := t.runsWhere(ctx, &node, "export_hash = nullif(?, '')", manifest.ContentHash); err != nil {
		return node, err
	}
	example, err := t.example(ctx, found.ExampleID)
	if errors.Is(err, ErrNothing) {
		example, err = Node{Kind: Example, ID: found.ExampleID, What: "not in this lake"}, nil
	}
	if err != nil {
		return node, err
	}
	example.Relation = "is"
	node.Nodes = append(node.Nodes, example)
	return node, nil
}

// originOf looks up a line. Only lines that name the file and the number are
// decoded: an export may have millions.
func originOf(path, name string, line int64) (origin, error) {
	file, err := os.Open(path)
	if err != nil {
		return origin{}, lake.WithHint(err, "name a file in the folder that weir export wrote")
	}
	defer file.Close()
	quoted, err := json.Marshal(name)
	if err != nil {
		return origin{}, err
	}
	number := []byte(`"line":` + strconv.FormatInt(line, 10) + ",")
	in := bufio.NewReaderSize(file, 1<<16)
	for {
		text, err := in.ReadBytes('\n')
		if bytes.Contains(text, quoted) && bytes.Contains(text, number) {
			var o origin
			if err := json.Unmarshal(text, &o); err != nil {
				return o, fmt.Errorf("%s: %w", path, err)
			}
			if o.File == name && o.Line == line {
				return o, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return origin{}, fmt.Errorf("%s: it has no line %d of %s", path, line, name)
		}
		if err != nil {
			return origin{}, fmt.Errorf("%s: %w", path, err)
		}
	}
}
