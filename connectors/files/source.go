package files

import (
	"fmt"

	"github.com/weirstream/weir/connectors"
)

// Lines reads text: every line is a record, empty ones too, without its line end. The bytes of a line are taken as they
// are.
//
// path is a file, a directory (its files, not those of directories within it) or a pattern as of path/filepath.Match.
// In directories and patterns, names that begin with '.' or end in ".inprogress" are left out. A name that ends in ".gz"
// is decompressed. All nodes of a cluster must see the same files under path.
func Lines(path string, opts ...Option) connectors.Source[string] {
	return newSource(path, lines, opts)
}

// JSON reads JSON lines: every line is one value, decoded into T by the rules of encoding/json: names match exactly or
// else without regard to case, unknown names are ignored, of a name that comes twice the last counts. Rejected are
// values of the wrong type, numbers that do not fit, bad syntax, invalid UTF-8, and null. Blank lines are skipped. path
// is as for Lines.
func JSON[T any](path string, opts ...Option) connectors.Source[T] {
	return newSource(path, jsonLines[T], opts)
}

// CSV reads files of comma-separated values (RFC 4180) whose first record names the columns. T is a struct, whose fields
// take the column of the name in their `csv:"name"` tag, or else of the field's name (exactly or else without regard to
// case), or it is map[string]string. `csv:"-"` leaves a field out; `csv:"name,optional"` allows the column to be missing
// and its cells to be empty. Fields are strings, booleans, numbers, types with UnmarshalText (time.Time: RFC 3339), or
// pointers to those, which are nil for an empty cell. Columns without a field are ignored. Records with too few or too
// many columns and cells that do not parse are rejected; a file that lacks a column is rejected as a whole. Empty lines
// are skipped. A file is one split, since a quoted field may contain line ends. path is as for Lines.
func CSV[T any](path string, opts ...Option) connectors.Source[T] {
	return newSource(path, csvRecords[T], opts)
}

// format is how the bytes of a file become records.
type format[T any] struct {
	csv bool
	// decode makes a record of one line; for CSV it is nil and bind makes it of the header.
	decode decode[T]
	bind   func(header []byte) (decode[T], error)
}

// decode fills *v, which is zero before, from the bytes of one record, which it must not keep. It returns whether that
// was a record at all, and what is wrong with it.
type decode[T any] func(data []byte, v *T) (ok bool, err error)

func newSource[T any](path string, f func(*options) (format[T], error), opts []Option) connectors.Source[T] {
	s := &source[T]{path: path, options: options{splitSize: DefaultSplitSize, maxLine: DefaultMaxLine}, make: f}
	for _, opt := range opts {
		opt(&s.options)
	}
	return s
}

type source[T any] struct {
	path    string
	options options
	make    func(*options) (format[T], error)
}

// format checks the options and makes the format.
func (s *source[T]) format() (format[T], error) {
	f, err := s.make(&s.options)
	if err != nil {
		return f, err
	}
	return f, s.options.check(f.csv)
}

func (s *source[T]) Check() error {
	f, err := s.format()
	if err != nil {
		return err
	}
	names, err := find(s.path)
	if err != nil {
		return err
	}
	if len(names) == 0 && !s.options.watch {
		return fmt.Errorf("files: %s has no files to read (names that begin with '.' or end in %q do not count)", s.path, inProgress)
	}
	if !f.csv || len(names) == 0 {
		return nil
	}
	return s.checkHeader(f, names[0])
}

// checkHeader reads the header of the first file, so that a missing column is found before the job runs.
func (s *source[T]) checkHeader(f format[T], name string) error {
	in, err := openInput(name, -1)
	if err != nil {
		return err
	}
	defer in.Close()
	sc := newScanner(in, s.options, true, nil)
	sc.budget = maxMaxLine
	tok := sc.next()
	if tok.kind != tokenRecord {
		return nil // an empty or damaged file: the reader says what there is to say
	}
	if _, err := f.bind(withoutBOM(tok)); err != nil {
		return fmt.Errorf("files: %s: %w", name, err)
	}
	return nil
}

func (s *source[T]) Bounded() bool { return !s.options.watch }

func (s *source[T]) Enumerator() (connectors.Enumerator, error) {
	f, err := s.format()
	if err != nil {
		return nil, err
	}
	return &enumerator{path: s.path, options: s.options, whole: f.csv}, nil
}

func (s *source[T]) Reader(ctx connectors.ReaderContext) (connectors.Reader[T], error) {
	f, err := s.format()
	if err != nil {
		return nil, err
	}
	return &reader[T]{ctx: ctx, options: s.options, format: f}, nil
}
