package local_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/connectors/files"
	"github.com/weirstream/weir/connectors/generator"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/stream"
)

// event is a record of the test job: a pure function of its number.
type event struct {
	Key   int64
	Value int64
	Time  flow.Time
}

// total is what the test job says of a key and window.
type total struct {
	Key   int64 `json:"key"`
	Start int64 `json:"start"`
	Count int64 `json:"count"`
	Sum   int64 `json:"sum"`
}

const windowSize = 500 * time.Millisecond

func makeEvent(n int64, v *event) flow.Time {
	*v = event{Key: (n * 7919) % 97, Value: n % 1000, Time: flow.Time(n / 4)}
	return v.Time
}

// windowJob counts and sums up events per key and window, into files under dir.
func windowJob(dir string, count int64, rate float64) *stream.Job {
	job := stream.NewJob("windows")
	opts := []generator.Option{generator.Splits(4)}
	if rate > 0 {
		opts = append(opts, generator.Rate(rate))
	}
	events := stream.From(job, generator.New(count, makeEvent, opts...), stream.Monotonous[event]())
	kept := events.Filter(func(e *event) bool { return e.Value%10 != 3 })
	windows := stream.Window(stream.KeyBy(kept, func(e *event) int64 { return e.Key }), stream.TumblingWindow(windowSize))
	type acc struct{ Count, Sum int64 }
	totals := stream.AggregateWindow(windows, stream.Aggregate[event, acc]{
		Add: func(a *acc, e *event) { a.Count++; a.Sum += e.Value },
	}, func(w *stream.WindowResult[int64], a *acc) total {
		return total{w.Key, int64(w.Window.Start), a.Count, a.Sum}
	})
	totals.To(files.JSONSink[total](dir))
	return job
}

// plainTotals is what windowJob computes, without an engine.
func plainTotals(count int64) []string {
	type key struct{ key, start int64 }
	sums := map[key]*total{}
	for n := range count {
		var e event
		makeEvent(n, &e)
		if e.Value%10 == 3 {
			continue
		}
		start := int64(e.Time) / windowSize.Milliseconds() * windowSize.Milliseconds()
		k := key{e.Key, start}
		if sums[k] == nil {
			sums[k] = &total{Key: e.Key, Start: start}
		}
		sums[k].Count++
		sums[k].Sum += e.Value
	}
	var lines []string
	for _, t := range sums {
		lines = append(lines, fmt.Sprintf(`{"key":%d,"start":%d,"count":%d,"sum":%d}`, t.Key, t.Start, t.Count, t.Sum))
	}
	slices.Sort(lines)
	return lines
}

// committed reads the lines of all files that are visible under dir.
func committed(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			lines = append(lines, s.Text())
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(lines)
	return lines
}

func mustEqual(t *testing.T, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := 0; i < len(got) || i < len(want); i++ {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%d lines, want %d; from line %d on:\ngot  %s\nwant %s", len(got), len(want), i,
				strings.Join(got[min(i, len(got)):min(i+3, len(got))], "\n     "), strings.Join(want[min(i, len(want)):min(i+3, len(want))], "\n     "))
		}
	}
}
