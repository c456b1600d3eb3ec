package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// operated are the packages whose errors an operator meets.
var operated = []string{"lake", "ingest", "cmd/weir"}

// notOperated are parts of them whose errors are about one command line, which
// the hint itself repairs.
var notOperated = []string{"ingest/source", "ingest/files", "cmd/weir/demo.go", "cmd/weir/quality.go", "lake/derive/run.go", "lake/hint.go"}

// Every hint that an operator may meet has its row in operations.md: the words
// of the error that it belongs to, or of the hint.
func TestManualHasEveryHint(t *testing.T) {
	manual, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	text := plain(string(manual))
	hints := 0
	for _, folder := range operated {
		err := filepath.WalkDir(filepath.Join("..", folder), func(path string, _ fs.DirEntry, err error) error {
			name := strings.TrimPrefix(filepath.ToSlash(path), "../")
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || isNotOperated(name) {
				return err
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || calls(call) != "WithHint" || len(call.Args) != 2 {
					return true
				}
				hints++
				said := words(call)
				if len(said) == 0 {
					return true // made of what only the moment knows, such as a version
				}
				for _, said := range said {
					if strings.Contains(text, said) {
						return true
					}
				}
				t.Errorf("%s: the hint has no row in operations.md, by any of %q", files.Position(call.Pos()), words(call))
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if hints < 30 {
		t.Errorf("%d hints were found: this test looks in the wrong place", hints)
	}
}

func isNotOperated(name string) bool {
	for _, prefix := range notOperated {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func calls(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

var (
	verbs  = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]|[:;,]\s`)
	markup = regexp.MustCompile("[`*…\"]")
	spaces = regexp.MustCompile(`\s+`)
)

// plain is text without markup and quotes, in one line.
func plain(text string) string {
	return spaces.ReplaceAllString(markup.ReplaceAllString(text, ""), " ")
}

// words are the pieces of the literals of a call that are long enough to be
// known by.
func words(call *ast.CallExpr) []string {
	var found []string
	ast.Inspect(call, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			return true
		}
		for _, piece := range verbs.Split(text, -1) {
			if piece = strings.TrimSpace(plain(piece)); len(piece) >= 9 {
				found = append(found, piece)
			}
		}
		return true
	})
	return found
}
