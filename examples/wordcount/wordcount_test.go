package wordcount

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/weirstream/weir/operators"
	"github.com/weirstream/weir/stream"
)

func TestSplit(t *testing.T) {
	for text, want := range map[string][]string{
		"":                          nil,
		" -- ":                      nil,
		"To be, or not to be: 42nd": {"to", "be", "or", "not", "to", "be", "42nd"},
		"Straße/ÉTÉ":                {"straße", "été"},
	} {
		var got []string
		split(&text, operators.NewCollector(func(w *Word) {
			if w.N != 1 {
				t.Errorf("%q: %+v does not count once", text, *w)
			}
			got = append(got, w.Text)
		}))
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	if got := string(line([]byte("> "), &Word{"weir", 3}, stream.Time(0))); got != "> weir 3" {
		t.Errorf("%q", got)
	}
}

func TestBuild(t *testing.T) {
	job, err := Build(Config{Input: "wordcount.go", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.Build(); err != nil {
		t.Error(err)
	}
	if _, err := Build(Config{}); err == nil || !strings.Contains(err.Error(), "input") {
		t.Errorf("without input: %v", err)
	}
}
