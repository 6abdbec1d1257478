package files_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/connectortest"
	"github.com/weirstream/weir/connectors/files"
	"github.com/weirstream/weir/timeservice"
)

type trade struct {
	Symbol string  `json:"symbol" csv:"symbol"`
	Price  float64 `json:"price" csv:"price"`
}

// example makes a file in a new directory.
func example(name, content string) string {
	dir, err := os.MkdirTemp("", "files")
	if err != nil {
		panic(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		panic(err)
	}
	return path
}

func ExampleLines() {
	path := example("words.txt", "to be\nor not to be\n")
	defer os.RemoveAll(filepath.Dir(path))
	r, err := connectortest.ReadAll(files.Lines(path))
	fmt.Printf("%q %v\n", r.Values(), err)
	// Output: ["to be" "or not to be"] <nil>
}

func ExampleJSON() {
	path := example("trades.jsonl", `{"symbol":"WEIR","price":1.5}
{"symbol":"WEIR","price":"much"}
`)
	defer os.RemoveAll(filepath.Dir(path))
	r, err := connectortest.ReadAll(files.JSON[trade](path))
	fmt.Println(r.Values(), err)
	fmt.Println("line", r.Rejects[0].Line, r.Rejects[0].Reason)
	// Output:
	// [{WEIR 1.5}] <nil>
	// line 2 field price: a JSON string does not fit float64
}

func ExampleCSV() {
	path := example("trades.csv", "symbol;exchange;price\nWEIR;X;1.5\n")
	defer os.RemoveAll(filepath.Dir(path))
	r, err := connectortest.ReadAll(files.CSV[trade](path, files.Comma(';')))
	fmt.Println(r.Values(), err)
	// Output: [{WEIR 1.5}] <nil>
}

func ExampleJSONSink() {
	dir := filepath.Dir(example("x", ""))
	defer os.RemoveAll(dir)
	show(files.JSONSink[trade](filepath.Join(dir, "out")), filepath.Join(dir, "out"))
	// Output:
	// part-run-f69028cf-0-1-0.jsonl
	// {"symbol":"WEIR","price":1.5}
}

func ExampleCSVSink() {
	dir := filepath.Dir(example("x", ""))
	defer os.RemoveAll(dir)
	show(files.CSVSink[trade](filepath.Join(dir, "out")), filepath.Join(dir, "out"))
	// Output:
	// part-run-f69028cf-0-1-0.csv
	// symbol,price
	// WEIR,1.5
}

// show does with a sink what the engine does for one record and one checkpoint, and prints what is visible then.
func show(sink connectors.Sink[trade], dir string) {
	ctx := connectors.WriterContext{Job: "job", UID: "sink", Run: "run", Parallelism: 1, Attempt: 1, Fresh: true, Clock: timeservice.Wall{}}
	w, err := sink.Writer(ctx, nil)
	if err != nil {
		panic(err)
	}
	if err := w.Write(&trade{"WEIR", 1.5}, 0); err != nil {
		panic(err)
	}
	committables, err := w.Prepare(1, true)
	if err != nil {
		panic(err)
	}
	k, err := sink.Committer(ctx)
	if err != nil {
		panic(err)
	}
	if err := k.Commit(context.Background(), committables); err != nil {
		panic(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n%s", e.Name(), b)
	}
}
