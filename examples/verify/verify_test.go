package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type record struct{ A, B int }

func TestDiff(t *testing.T) {
	one, two, three := record{1, 1}, record{2, 2}, record{3, 3}
	for _, c := range []struct {
		want, got []record
		diff      string
	}{
		{nil, nil, ""},
		{[]record{one, two, two}, []record{two, one, two}, ""},
		{[]record{one, two}, []record{two}, "2 records expected, 1 found: 1 missing (first: {A:1 B:1}), 0 not expected"},
		{[]record{one}, []record{one, one}, "1 records expected, 2 found: 0 missing, 1 not expected (first: {A:1 B:1})"},
		{[]record{one, two}, []record{one, three}, "2 records expected, 2 found: 1 missing (first: {A:2 B:2}), 1 not expected (first: {A:3 B:3})"},
	} {
		if diff := Diff(c.want, c.got); diff != c.diff {
			t.Errorf("Diff(%v, %v)\n got %s\nwant %s", c.want, c.got, diff, c.diff)
		}
	}
}

func TestSame(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"part-a-0.jsonl":      "{\"A\":1,\"B\":2}\n{\"A\":3,\"B\":4}\n",
		"part-b-0.jsonl":      "{\"A\":5,\"B\":6}\n",
		".part-c-0.jsonl":     "{\"A\":7",
		"part-d-0.inprogress": "{\"A\":7",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want := []record{{5, 6}, {1, 2}, {3, 4}}
	if err := Same(dir, want); err != nil {
		t.Error(err)
	}
	if err := Same(dir, want[1:]); err == nil || !strings.Contains(err.Error(), "1 not expected (first: {A:5 B:6})") {
		t.Errorf("a record too many: %v", err)
	}
	if err := Same(filepath.Join(dir, "none"), want[:0]); err != nil {
		t.Errorf("no directory is no record: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "part-e.jsonl"), []byte("{\"A\":1}\nx\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Same(dir, want); err == nil || !strings.Contains(err.Error(), "part-e.jsonl:2: not what the job writes") {
		t.Errorf("a damaged part: %v", err)
	}
}
