package generator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// maxSplits bounds the splits of one generator: more than any job has source subtasks, few enough to be dealt at once.
const maxSplits = 1 << 16

// Option changes a generator.
type Option func(*options)

type options struct {
	rate   float64
	splits int
}

// Rate limits the generator to that many records a second over all its splits. Without it, it runs as fast as it can.
func Rate(recordsPerSecond float64) Option { return func(o *options) { o.rate = recordsPerSecond } }

// Splits sets how many subtasks can generate side by side; 1 without it. Event n belongs to split n mod splits. A job
// that goes on from a checkpoint keeps the splits it had.
func Splits(n int) Option { return func(o *options) { o.splits = n } }

// New makes a source of the events 0 to count-1; count 0 means without end. fill makes event n in *v, which is zero
// before the call, and returns its time (flow.MinTime for none). fill must depend on n only, since events are made again
// after a restore, and is called by many goroutines; what *v then refers to must not be changed any more.
func New[T any](count int64, fill func(n int64, v *T) flow.Time, opts ...Option) connectors.Source[T] {
	s := &source[T]{count: count, fill: fill, options: options{splits: 1}}
	for _, opt := range opts {
		opt(&s.options)
	}
	return s
}

type source[T any] struct {
	count int64
	fill  func(n int64, v *T) flow.Time
	options
}

func (s *source[T]) Check() error {
	switch {
	case s.fill == nil:
		return errors.New("generator: no function was given that makes the records")
	case s.count < 0:
		return fmt.Errorf("generator: count %d is negative; 0 means without end", s.count)
	case s.splits < 1 || s.splits > maxSplits:
		return fmt.Errorf("generator: Splits(%d) is not from 1 to %d", s.splits, maxSplits)
	case s.rate < 0 || math.IsNaN(s.rate) || math.IsInf(s.rate, 0):
		return fmt.Errorf("generator: Rate(%v) is no number of records a second; leave it out for no limit", s.rate)
	}
	return nil
}

func (s *source[T]) Bounded() bool { return s.count > 0 }

func (s *source[T]) Enumerator() (connectors.Enumerator, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	splits := make([]connectors.Split, s.splits)
	for i := range splits {
		p := position{next: int64(i), step: int64(s.splits)}
		splits[i] = connectors.Split{ID: fmt.Sprintf("%d/%d", i, s.splits), State: p.encode(), Watermark: flow.MinTime}
	}
	return connectors.Fixed(connectors.Eager, splits), nil
}

func (s *source[T]) Reader(ctx connectors.ReaderContext) (connectors.Reader[T], error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	return &reader[T]{source: s, ctx: ctx}, nil
}

type reader[T any] struct {
	source *source[T]
	ctx    connectors.ReaderContext
}

func (r *reader[T]) Open(s connectors.Split) (connectors.SplitReader[T], error) {
	p, err := decodePosition(s.State)
	if err != nil {
		return nil, fmt.Errorf("generator: split %s: %w", s.ID, err)
	}
	sr := &splitReader[T]{position: p, count: r.source.count, fill: r.source.fill}
	if sr.count == 0 {
		sr.count = math.MaxInt64
	}
	if r.source.rate > 0 {
		sr.limit = newLimiter(r.ctx.Clock, r.source.rate/float64(p.step))
	}
	return sr, nil
}

func (r *reader[T]) Close() error { return nil }

type splitReader[T any] struct {
	position
	count int64
	fill  func(n int64, v *T) flow.Time
	limit *limiter // nil for none
	v     T
}

func (r *splitReader[T]) Poll(max int, emit func(v *T, t flow.Time)) (connectors.Status, flow.Time, error) {
	if r.next >= r.count {
		return connectors.SplitDone, flow.MaxTime, nil
	}
	if r.limit != nil {
		due, wait := r.limit.take(max)
		if due == 0 {
			return connectors.Idle, wait, nil
		}
		max = due
	}
	// The events that are left, in numbers that cannot overflow.
	if left := (r.count-1-r.next)/r.step + 1; int64(max) > left {
		max = int(left)
	}
	var zero T
	n, step, fill, v := r.next, r.step, r.fill, &r.v
	for range max {
		*v = zero
		t := fill(n, v)
		emit(v, t)
		n += step
	}
	r.next = n
	if n < 0 { // an endless generator has come to the last int64
		r.next = r.count
	}
	if r.next >= r.count {
		return connectors.SplitDone, flow.MaxTime, nil
	}
	return connectors.More, flow.MaxTime, nil
}

func (r *splitReader[T]) Position() []byte { return r.encode() }
func (r *splitReader[T]) Close() error     { return nil }

// position is a split's state: the number of its next event and the distance to the one after.
type position struct{ next, step int64 }

func (p position) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(p.next)), uint64(p.step))
}

func decodePosition(b []byte) (position, error) {
	next, n := binary.Uvarint(b)
	if n <= 0 || next > math.MaxInt64 {
		return position{}, fmt.Errorf("position % x is not of a generator", b)
	}
	step, m := binary.Uvarint(b[n:])
	if m <= 0 || step < 1 || step > maxSplits || n+m != len(b) {
		return position{}, fmt.Errorf("position % x is not of a generator", b)
	}
	return position{next: int64(next), step: int64(step)}, nil
}
