package memory

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// maxSplits bounds the splits of one source, which are all dealt at once.
const maxSplits = 1 << 16

// Timed is a record and its time.
type Timed[T any] struct {
	Value T
	Time  flow.Time
}

// Option changes a source.
type Option func(*options)

type options struct {
	splits     int
	assignment connectors.Assignment
}

// Splits sets how many subtasks can read side by side; 1 without it. Record n belongs to split n mod splits.
func Splits(n int) Option { return func(o *options) { o.splits = n } }

// Pull has readers ask for one split after the other, where otherwise all are dealt out at once.
func Pull() Option { return func(o *options) { o.assignment = connectors.Pull } }

// Source reads values, which must not be changed any more. times has the time of each, or is nil for records without.
func Source[T any](values []T, times []flow.Time, opts ...Option) connectors.Source[T] {
	s := &source[T]{values: values, times: times, options: options{splits: 1, assignment: connectors.Eager}}
	for _, opt := range opts {
		opt(&s.options)
	}
	return s
}

// TimedSource reads records that carry their times.
func TimedSource[T any](records []Timed[T], opts ...Option) connectors.Source[T] {
	values, times := make([]T, len(records)), make([]flow.Time, len(records))
	for i, r := range records {
		values[i], times[i] = r.Value, r.Time
	}
	return Source(values, times, opts...)
}

type source[T any] struct {
	values []T
	times  []flow.Time
	options
}

func (s *source[T]) Check() error {
	if s.times != nil && len(s.times) != len(s.values) {
		return fmt.Errorf("memory: %d values have %d times; give as many, or none", len(s.values), len(s.times))
	}
	if s.splits < 1 || s.splits > maxSplits {
		return fmt.Errorf("memory: Splits(%d) is not from 1 to %d", s.splits, maxSplits)
	}
	return nil
}

func (s *source[T]) Bounded() bool { return true }

func (s *source[T]) Enumerator() (connectors.Enumerator, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	splits := make([]connectors.Split, s.splits)
	for i := range splits {
		splits[i] = connectors.Split{ID: strconv.Itoa(i), State: encodePosition(i, s.splits), Watermark: flow.MinTime}
	}
	return connectors.Fixed(s.assignment, splits), nil
}

func (s *source[T]) Reader(connectors.ReaderContext) (connectors.Reader[T], error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	return reader[T]{s}, nil
}

type reader[T any] struct{ source *source[T] }

func (r reader[T]) Open(s connectors.Split) (connectors.SplitReader[T], error) {
	next, step, err := decodePosition(s.State)
	if err != nil {
		return nil, fmt.Errorf("memory: split %s: %w", s.ID, err)
	}
	return &splitReader[T]{source: r.source, next: next, step: step}, nil
}

func (r reader[T]) Close() error { return nil }

type splitReader[T any] struct {
	source     *source[T]
	next, step int
}

func (r *splitReader[T]) Poll(max int, emit func(v *T, t flow.Time)) (connectors.Status, flow.Time, error) {
	values, times := r.source.values, r.source.times
	for ; max > 0 && r.next < len(values); max-- {
		t := flow.MinTime
		if times != nil {
			t = times[r.next]
		}
		emit(&values[r.next], t)
		r.next += r.step
	}
	if r.next >= len(values) {
		return connectors.SplitDone, flow.MaxTime, nil
	}
	return connectors.More, flow.MaxTime, nil
}

func (r *splitReader[T]) Position() []byte { return encodePosition(r.next, r.step) }
func (r *splitReader[T]) Close() error     { return nil }

func encodePosition(next, step int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(next)), uint64(step))
}

func decodePosition(b []byte) (next, step int, err error) {
	x, n := binary.Uvarint(b)
	if n > 0 {
		y, m := binary.Uvarint(b[n:])
		if m > 0 && n+m == len(b) && y >= 1 && y <= maxSplits && x < 1<<40 {
			return int(x), int(y), nil
		}
	}
	return 0, 0, fmt.Errorf("position % x is not of a memory source", b)
}
