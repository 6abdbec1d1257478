package blackhole

import (
	"fmt"
	"testing"

	"github.com/weirstream/weir/connectors"
)

func TestCount(t *testing.T) {
	hole := Sink[int]()
	if err := hole.Check(); err != nil {
		t.Fatal(err)
	}
	if k, err := hole.Committer(connectors.WriterContext{}); k != nil || err != nil {
		t.Errorf("Committer: %v, %v, want none", k, err)
	}
	var writers [2]connectors.Writer[int]
	for i := range writers {
		writers[i], _ = hole.Writer(connectors.WriterContext{Subtask: i}, nil)
	}
	for i := range 3*countBatch + 5 {
		if err := writers[i%2].Write(&i, 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := hole.Count(); n != 2*countBatch {
		t.Errorf("Count before Flush %d, want %d", n, 2*countBatch)
	}
	if err := writers[0].Flush(); err != nil {
		t.Fatal(err)
	}
	if c, err := writers[1].Prepare(1, true); err != nil || c != nil {
		t.Errorf("Prepare: %v, %v", c, err)
	}
	for _, w := range writers {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := hole.Count(); n != 3*countBatch+5 {
		t.Errorf("Count %d, want %d", n, 3*countBatch+5)
	}
}

func ExampleSink() {
	hole := Sink[string]()
	w, _ := hole.Writer(connectors.WriterContext{}, nil)
	v := "gone"
	_ = w.Write(&v, 0)
	_ = w.Close()
	fmt.Println(hole.Count())
	// Output: 1
}

func BenchmarkWrite(b *testing.B) {
	w, _ := Sink[int]().Writer(connectors.WriterContext{}, nil)
	b.ReportAllocs()
	v := 0
	for b.Loop() {
		_ = w.Write(&v, 0)
	}
}
