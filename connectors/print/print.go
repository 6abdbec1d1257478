package print

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// maxBuffer is how many bytes of lines a writer gathers before it writes them out; Flush writes them at once.
const maxBuffer = 32 << 10

// Format writes a record behind buf, without an end of line.
type Format[T any] func(buf []byte, v *T, t flow.Time) []byte

// Sink prints every record to w, a line each; format nil prints the value as fmt's %+v does. A step with several
// subtasks puts the subtask's number from 1 before the line, as "2> ". w is used by one goroutine at a time.
func Sink[T any](w io.Writer, format Format[T]) connectors.Sink[T] {
	if format == nil {
		format = func(buf []byte, v *T, _ flow.Time) []byte { return fmt.Appendf(buf, "%+v", *v) }
	}
	return &sink[T]{out: &output{w: w}, format: format}
}

// output is shared by all writers.
type output struct {
	// mu guards w, so that lines stay whole.
	mu sync.Mutex
	w  io.Writer
}

func (o *output) write(lines []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := o.w.Write(lines); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

type sink[T any] struct {
	out    *output
	format Format[T]
}

func (s *sink[T]) Check() error {
	if s.out.w == nil {
		return errors.New("print: no writer was given to print to; os.Stdout is the usual one")
	}
	return nil
}

func (s *sink[T]) Writer(ctx connectors.WriterContext, _ [][]byte) (connectors.Writer[T], error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	w := &writer[T]{out: s.out, format: s.format}
	if ctx.Parallelism > 1 {
		w.prefix = strconv.Itoa(ctx.Subtask+1) + "> "
	}
	return w, nil
}

// Committer implements Sink: what was printed cannot be taken back, so there is nothing to commit.
func (s *sink[T]) Committer(connectors.WriterContext) (connectors.Committer, error) { return nil, nil }

type writer[T any] struct {
	out    *output
	format Format[T]
	prefix string
	buf    []byte
}

func (w *writer[T]) Write(v *T, t flow.Time) error {
	w.buf = append(w.buf, w.prefix...)
	w.buf = append(w.format(w.buf, v, t), '\n')
	if len(w.buf) >= maxBuffer {
		return w.Flush()
	}
	return nil
}

func (w *writer[T]) Flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	err := w.out.write(w.buf)
	w.buf = w.buf[:0]
	return err
}

func (w *writer[T]) Prepare(flow.CheckpointID, bool) ([][]byte, error) { return nil, w.Flush() }
func (w *writer[T]) Snapshot() ([][]byte, error)                       { return nil, nil }
func (w *writer[T]) Close() error                                      { return w.Flush() }
