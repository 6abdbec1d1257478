package files

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/connectortest"
	"github.com/weirstream/weir/flow"
)

func BenchmarkRead(b *testing.B) {
	var text, rows strings.Builder
	rows.WriteString("id,item,small,price\n")
	for i := range 20_000 {
		fmt.Fprintf(&text, `{"id":%d,"item":"item %d","small":%d,"price":%d.25}`+"\n", i, i, i%100, i)
		fmt.Fprintf(&rows, "%d,item %d,%d,%d.25\n", i, i, i%100, i)
	}
	dir := b.TempDir()
	b.Run("lines", func(b *testing.B) { benchmarkRead(b, Lines(put(b, dir, "a.jsonl", text.String()))) })
	b.Run("gzip lines", func(b *testing.B) { benchmarkRead(b, Lines(put(b, dir, "a.gz", zip(text.String())))) })
	b.Run("JSON", func(b *testing.B) { benchmarkRead(b, JSON[order](put(b, dir, "a.jsonl", text.String()))) })
	b.Run("CSV", func(b *testing.B) { benchmarkRead(b, CSV[order](put(b, dir, "a.csv", rows.String()))) })
}

// benchmarkRead reads one file over and over; an operation is a record.
func benchmarkRead[T any](b *testing.B, src connectors.Source[T]) {
	splits, err := connectortest.Splits(src)
	if err != nil {
		b.Fatal(err)
	}
	reader, err := src.Reader(connectors.ReaderContext{Reject: func(r connectors.Reject) error { return fmt.Errorf("%+v", r) }})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	emit := func(*T, flow.Time) { n++ }
	for n < b.N {
		sr, err := reader.Open(splits[0])
		if err != nil {
			b.Fatal(err)
		}
		for status := connectors.More; status == connectors.More && n < b.N; {
			if status, _, err = sr.Poll(1024, emit); err != nil {
				b.Fatal(err)
			}
		}
		if err := sr.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	b.Run("JSON", func(b *testing.B) {
		benchmarkWrite(b, func(dir string) connectors.Sink[order2] { return JSONSink[order2](dir) })
	})
	b.Run("CSV", func(b *testing.B) {
		benchmarkWrite(b, func(dir string) connectors.Sink[order2] { return CSVSink[order2](dir) })
	})
}

func benchmarkWrite(b *testing.B, sink func(dir string) connectors.Sink[order2]) {
	w := newWriter(b, sink(b.TempDir()), writerContext(1))
	v := order2{12345, "an item"}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(&v, 0); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
