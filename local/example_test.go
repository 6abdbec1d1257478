package local_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/weirstream/weir/connectors/memory"
	"github.com/weirstream/weir/local"
	"github.com/weirstream/weir/stream"
)

// The job of the README: words of lines, counted by two subtasks.
func ExampleRun() {
	type Word struct {
		Text string
		N    int
	}
	job := stream.NewJob("wordcount")
	lines := stream.From(job, memory.Source([]string{"to be or not", "to be"}, nil), stream.NoWatermarks[string]())
	words := stream.FlatMap(lines, func(line *string, out *stream.Collector[Word]) {
		for text := range strings.FieldsSeq(*line) {
			out.Emit(Word{text, 1})
		}
	})
	counts := stream.KeyBy(words, func(w *Word) string { return w.Text }).Reduce(func(sum, w *Word) { sum.N += w.N })
	collected := memory.Collect[Word]()
	counts.To(collected)
	result, err := local.Run(context.Background(), job, local.Config{Parallelism: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.State)
	for _, w := range collected.Sorted(func(a, b Word) int { return cmp.Or(cmp.Compare(a.Text, b.Text), cmp.Compare(a.N, b.N)) }) {
		fmt.Println(w.Text, w.N)
	}
	// Output:
	// FINISHED
	// be 1
	// be 2
	// not 1
	// or 1
	// to 1
	// to 2
}
