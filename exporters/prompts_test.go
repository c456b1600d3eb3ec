package exporters

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPromptsOfEveryForm(t *testing.T) {
	lines := []string{
		`{"messages":[{"role":"system","content":"short"},{"role":"user","content":"q"}]}`,
		`{"messages":[{"role":"developer","content":[{"type":"text","text":"sh"},{"type":"text","text":"ort"}]}]}`,
		`{"conversations":[{"from":"system","value":"short"},{"from":"human","value":"q"}]}`,
		`{"conversations":[{"from":"human","value":"q"}],"system":"short","tools":""}`,
		`{"system":[{"text":"short"}],"messages":[{"role":"user","content":[{"text":"q"}]}]}`,
		`{"systemInstruction":{"role":"system","parts":[{"text":"short"}]},"contents":[]}`,
		`{"prompt":[{"role":"system","content":"short"}],"chosen":[],"rejected":[]}`,
		`{"input":{"messages":[{"role":"system","content":"short"}]}}`,
		`{"messages":[{"role":"user","content":"q"}]}`,
		`{"prompt":"q","completion":"a"}`,
	}
	dir := t.TempDir()
	text := strings.Join(lines, "\n") + "\n"
	sum := sha256.Sum256([]byte(text))
	manifest, err := json.Marshal(Manifest{Files: []File{{Name: "train.jsonl", Split: "train", SHA256: hex.EncodeToString(sum[:])}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"train.jsonl": text, manifestName: string(manifest)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Prompts(dir)
	if want := []Prompt{{Text: "short", Lines: 8}, {Lines: 2}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "train.jsonl"), []byte(text+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Prompts(dir); err == nil {
		t.Error("a changed file passed")
	}
}
