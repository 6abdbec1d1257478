package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"time"

	"github.com/weirstream/weir/connectors"
)

// Defaults of writing.
const (
	// DefaultRollSize is the size in bytes at which a part is finished: large enough that few files are made, small enough
	// that what a restore copies (less than one part per subtask) takes a fraction of a second.
	DefaultRollSize = 128 << 20
	// DefaultRollAge is the age at which a part is finished at the next checkpoint.
	DefaultRollAge = time.Minute
)

// SinkOption changes how a sink writes.
type SinkOption func(*sinkOptions)

type sinkOptions struct {
	rollSize         int64
	rollAge          time.Duration
	rollOnCheckpoint bool
	comma            byte
}

// RollSize sets the bytes at which a part is finished; DefaultRollSize without it.
func RollSize(bytes int64) SinkOption { return func(o *sinkOptions) { o.rollSize = bytes } }

// RollAge sets the age, since its first record, from which a part is finished at the next checkpoint; DefaultRollAge
// without it.
func RollAge(d time.Duration) SinkOption { return func(o *sinkOptions) { o.rollAge = d } }

// RollOnCheckpoint finishes the part at every checkpoint, so that the results up to a checkpoint can be seen as soon as it
// is complete, in many more and smaller files.
func RollOnCheckpoint() SinkOption { return func(o *sinkOptions) { o.rollOnCheckpoint = true } }

// SinkComma sets the byte that separates the fields of CSV files; ',' without it.
func SinkComma(c byte) SinkOption { return func(o *sinkOptions) { o.comma = c } }

// JSONSink writes every record as a line of JSON, by the rules of encoding/json but that '<', '>' and '&' stay as they
// are, to parts of the name part-<run>-<step>-<subtask>-<attempt>-<n>.jsonl in dir. A part appears in one go, once the
// checkpoint is complete that it belongs to, and each record of the job is in exactly one part. Until then its bytes are
// in a hidden file. All nodes of a cluster must have dir, on a file system that they share.
func JSONSink[T any](dir string, opts ...SinkOption) connectors.Sink[T] {
	return newSink(dir, "jsonl", jsonEncoder[T], opts)
}

// CSVSink writes every record as a line of comma-separated values, with the header as the first line of each part. T is a
// struct with the columns that CSV reads. Otherwise it is as JSONSink.
func CSVSink[T any](dir string, opts ...SinkOption) connectors.Sink[T] {
	return newSink(dir, "csv", csvEncoder[T], opts)
}

// encoder is how records become bytes.
type encoder[T any] struct {
	header []byte
	// start makes the function of one writer that puts a record behind buf.
	start func() func(buf []byte, v *T) ([]byte, error)
}

func newSink[T any](dir, ext string, f func(*sinkOptions) (encoder[T], error), opts []SinkOption) connectors.Sink[T] {
	s := &sink[T]{dir: dir, ext: ext, make: f, options: sinkOptions{rollSize: DefaultRollSize, rollAge: DefaultRollAge}}
	for _, opt := range opts {
		opt(&s.options)
	}
	return s
}

type sink[T any] struct {
	dir, ext string
	make     func(*sinkOptions) (encoder[T], error)
	options  sinkOptions
}

func (s *sink[T]) checked() (encoder[T], error) {
	o := &s.options
	switch {
	case s.dir == "":
		return encoder[T]{}, errors.New("files: no directory was given to write to")
	case o.rollSize < 1:
		return encoder[T]{}, fmt.Errorf("files: RollSize(%d) is not positive", o.rollSize)
	case o.rollAge <= 0:
		return encoder[T]{}, fmt.Errorf("files: RollAge(%v) is not positive; RollOnCheckpoint rolls at every checkpoint", o.rollAge)
	case o.comma != 0 && s.ext != "csv":
		return encoder[T]{}, fmt.Errorf("files: SinkComma(%q) is for CSV files only", o.comma)
	}
	return s.make(o)
}

// Check makes the directory, and tries whether files can be made in it.
func (s *sink[T]) Check() error {
	if _, err := s.checked(); err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return fmt.Errorf("files: the output directory: %w", err)
	}
	f, err := os.CreateTemp(s.dir, ".check-*")
	if err != nil {
		return fmt.Errorf("files: the output directory %s is not writable: %w", s.dir, err)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("files: the output directory %s: %w", s.dir, err)
	}
	return nil
}

func (s *sink[T]) Writer(ctx connectors.WriterContext, states [][]byte) (connectors.Writer[T], error) {
	e, err := s.checked()
	if err != nil {
		return nil, err
	}
	if ctx.Run == "" {
		return nil, errors.New("files: the job has no run id, by which the names of its parts are told from another's")
	}
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return nil, fmt.Errorf("files: the output directory: %w", err)
	}
	ctx.Log = logOf(ctx)
	w := &writer[T]{ctx: ctx, options: s.options, header: e.header, encode: e.start(),
		next: part{dir: s.dir, owner: ownerOf(ctx), subtask: ctx.Subtask, attempt: ctx.Attempt, ext: s.ext}}
	if err := w.restore(states); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (s *sink[T]) Committer(ctx connectors.WriterContext) (connectors.Committer, error) {
	ctx.Log = logOf(ctx)
	return &committer{ctx: ctx, owner: ownerOf(ctx), done: map[string]bool{}}, nil
}

func logOf(ctx connectors.WriterContext) *slog.Logger {
	if ctx.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return ctx.Log
}

// sliceWriter lets a json.Encoder append to a slice.
type sliceWriter struct{ buf []byte }

func (w *sliceWriter) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	return len(b), nil
}

func jsonEncoder[T any](*sinkOptions) (encoder[T], error) {
	_, err := json.Marshal(new(T))
	if unsupported := (*json.UnsupportedTypeError)(nil); errors.As(err, &unsupported) {
		return encoder[T]{}, fmt.Errorf("files: %v cannot be written as JSON: %w", reflect.TypeFor[T](), err)
	}
	return encoder[T]{start: func() func(buf []byte, v *T) ([]byte, error) {
		var w sliceWriter
		enc := json.NewEncoder(&w)
		enc.SetEscapeHTML(false)
		return func(buf []byte, v *T) ([]byte, error) {
			w.buf = buf
			err := enc.Encode(v)
			return w.buf, err
		}
	}}, nil
}

func csvEncoder[T any](o *sinkOptions) (encoder[T], error) {
	columns, err := columnsOf(reflect.TypeFor[T]())
	if err != nil {
		return encoder[T]{}, err
	}
	read := options{splitSize: 1, maxLine: 1, comma: o.comma}
	if err := read.check(true); err != nil {
		return encoder[T]{}, err
	}
	comma := read.separator()
	var header []byte
	for i, c := range columns {
		start := len(header)
		header = quoteCell(append(header, c.name...), start, comma, len(columns) == 1)
		header = append(header, separatorAt(i, len(columns), comma))
	}
	return encoder[T]{header: header, start: func() func(buf []byte, v *T) ([]byte, error) {
		return func(buf []byte, v *T) ([]byte, error) {
			whole := len(buf)
			record := reflect.ValueOf(v).Elem()
			for i := range columns {
				c := &columns[i]
				start := len(buf)
				var err error
				if buf, err = c.append(buf, record.FieldByIndex(c.index)); err != nil {
					return buf[:whole], fmt.Errorf("column %q: %w", c.name, err)
				}
				buf = quoteCell(buf, start, comma, len(columns) == 1)
				buf = append(buf, separatorAt(i, len(columns), comma))
			}
			return buf, nil
		}
	}}, nil
}

func separatorAt(i, n int, comma byte) byte {
	if i == n-1 {
		return '\n'
	}
	return comma
}

// quoteCell puts buf[start:] in quotes if it cannot be read back otherwise. An only cell that is empty would make an empty
// line.
func quoteCell(buf []byte, start int, comma byte, only bool) []byte {
	cell := buf[start:]
	plain := len(cell) > 0 || !only
	for _, c := range cell {
		if c == comma || c == '"' || c == '\n' || c == '\r' {
			plain = false
			break
		}
	}
	if plain {
		return buf
	}
	quoted := append([]byte{'"'}, bytes.ReplaceAll(cell, []byte{'"'}, []byte(`""`))...)
	return append(append(buf[:start], quoted...), '"')
}
