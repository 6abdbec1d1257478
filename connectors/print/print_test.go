package print

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

type word struct {
	Text string
	N    int
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	sink := Sink[word](&out, nil)
	var writers [2]connectors.Writer[word]
	for i := range writers {
		var err error
		if writers[i], err = sink.Writer(connectors.WriterContext{Subtask: i, Parallelism: 2}, nil); err != nil {
			t.Fatal(err)
		}
		if err := writers[i].Write(&word{"w", i}, 0); err != nil {
			t.Fatal(err)
		}
	}
	if out.Len() != 0 {
		t.Errorf("%q was printed before Flush", &out)
	}
	if err := writers[1].Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := writers[0].Prepare(1, false); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "2> {Text:w N:1}\n1> {Text:w N:0}\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	out.Reset()
	long := word{strings.Repeat("x", maxBuffer), 0}
	if err := writers[0].Write(&long, 0); err != nil || out.Len() == 0 {
		t.Errorf("a full buffer was not printed: %v", err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestMistakes(t *testing.T) {
	if err := Sink[int](nil, nil).Check(); err == nil || !strings.Contains(err.Error(), "no writer was given") {
		t.Errorf("Check: %v", err)
	}
	w, err := Sink[int](brokenPipe{}, nil).Writer(connectors.WriterContext{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := 1
	_ = w.Write(&v, 0)
	if err := w.Flush(); err == nil || err.Error() != "print: broken pipe" {
		t.Errorf("Flush: %v", err)
	}
}

func ExampleSink() {
	sink := Sink(os.Stdout, func(buf []byte, v *word, t flow.Time) []byte {
		return fmt.Appendf(buf, "%v %s: %d", t, v.Text, v.N)
	})
	w, _ := sink.Writer(connectors.WriterContext{Parallelism: 1}, nil)
	_ = w.Write(&word{"hello", 3}, 1000)
	_ = w.Close()
	// Output: 1970-01-01T00:00:01.000Z hello: 3
}
