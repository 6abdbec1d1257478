package operators

import (
	"fmt"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
	"github.com/weirstream/weir/timeservice"
)

// SourceHead is the operator at the head of a source's chain. It has no inputs: the subtask polls it.
type SourceHead interface {
	Operator
	WatermarkOwner
	// Poll emits up to max records. It reports when to be called again (flow.MinTime: at once; flow.MaxTime: when woken or
	// given a split), and whether the input of this subtask has ended.
	Poll(max int) (next flow.Time, ended bool)
	// Assign adds splits; noMore says that these were the last.
	Assign(splits []connectors.Split, noMore bool) error
	// Wants reports whether the reader has nothing to read and could take a split.
	Wants() bool
	// Positions is where the splits stand, for checkpoint id.
	Positions(id flow.CheckpointID) Positions
}

// Positions are a source subtask's part of a checkpoint. They go into its manifest, not into the subtask's snapshot, so
// that the master can deal splits out anew.
type Positions struct {
	// Splits are those being read, as they stand.
	Splits []connectors.Split
	// Finished are the splits read to their end since the last completed checkpoint.
	Finished []string
}

// ErrorPolicy says what becomes of input that is no record.
type ErrorPolicy uint8

const (
	// Divert counts it and emits it on the rejects output.
	Divert ErrorPolicy = iota
	// FailJob fails the job.
	FailJob
)

// Source reads splits and gives their records times and watermarks. Output 0 has the records, output 1 the rejects.
type Source[T any] struct {
	Stateless
	src      connectors.Source[T]
	strategy timeservice.WatermarkStrategy[T]
	policy   ErrorPolicy

	ctx       *Context
	out       Output[T]
	rejects   Output[connectors.Reject]
	reader    connectors.Reader[T]
	watermark *timeservice.SplitWatermarks[T]
	splits    []*sourceSplit[T]
	turn      int
	finished  []finishedSplit
	noMore    bool
	emit      Next[T]
	current   *timeservice.SplitWatermark[T]
	emitted   int
}

type sourceSplit[T any] struct {
	id     string
	reader connectors.SplitReader[T]
	marks  *timeservice.SplitWatermark[T]
	next   flow.Time // when to poll it again
}

type finishedSplit struct {
	id string
	in flow.CheckpointID // first checkpoint that reported it; 0 for none yet
}

// NewSource returns a source operator.
func NewSource[T any](src connectors.Source[T], strategy timeservice.WatermarkStrategy[T], policy ErrorPolicy) *Source[T] {
	return &Source[T]{src: src, strategy: strategy, policy: policy}
}

func (s *Source[T]) OwnsWatermarks() {}

func (s *Source[T]) Ports() ([]InputPort, []OutputPort) {
	return nil, []OutputPort{&s.out, &s.rejects}
}

func (s *Source[T]) Open(ctx *Context) (err error) {
	s.ctx = ctx
	s.watermark = timeservice.NewSplitWatermarks(s.strategy, ctx.RestoredWatermark, ctx.Clock.Now())
	next, rejects, strategy := s.out.Next(), s.rejects.Next(), s.strategy
	s.emit = func(v *T, t flow.Time) {
		if strategy.Timestamp != nil {
			t = strategy.Timestamp(v)
		}
		next(v, t)
		s.emitted++
		if w, ok := s.current.Record(v, t); ok {
			ctx.Task.EmitWatermark(flow.Watermark{Time: w})
		}
	}
	s.reader, err = s.src.Reader(connectors.ReaderContext{
		Name: ctx.Name, Subtask: ctx.Subtask, Parallelism: ctx.Parallelism, Clock: ctx.Clock, Log: ctx.Log, Wake: ctx.Wake,
		Reject: func(r connectors.Reject) error {
			if s.policy == FailJob {
				return fmt.Errorf("%s: line %d, byte %d: %s", r.Source, r.Line, r.Offset, r.Reason)
			}
			ctx.Counters.Rejected.Add(1)
			rejects(&r, ctx.Clock.Now())
			return nil
		},
	})
	return err
}

func (s *Source[T]) Assign(splits []connectors.Split, noMore bool) error {
	now := s.ctx.Clock.Now()
	for _, split := range splits {
		r, err := s.reader.Open(split)
		if err != nil {
			return fmt.Errorf("%s: split %s: %w", s.ctx.Name, split.ID, err)
		}
		s.splits = append(s.splits, &sourceSplit[T]{id: split.ID, reader: r, marks: s.watermark.Open(split.Watermark, now), next: flow.MinTime})
	}
	s.noMore = noMore
	return nil
}

func (s *Source[T]) Wants() bool { return len(s.splits) == 0 && !s.noMore }

// Poll polls the next split that has its turn.
func (s *Source[T]) Poll(max int) (next flow.Time, ended bool) {
	now := s.ctx.Clock.Now()
	if len(s.splits) == 0 {
		if s.noMore {
			return flow.MaxTime, true
		}
		next = s.watermark.CheckIdle(now)
		s.advance()
		return next, false
	}
	next = flow.MaxTime
	for range s.splits {
		s.turn = (s.turn + 1) % len(s.splits)
		split := s.splits[s.turn]
		if split.next > now {
			next = min(next, split.next)
			continue
		}
		s.poll(split, max, now)
		next = flow.MinTime
		break
	}
	idle := s.watermark.CheckIdle(now)
	s.advance()
	if next != flow.MinTime {
		next = min(next, idle)
	}
	return next, false
}

func (s *Source[T]) poll(split *sourceSplit[T], max int, now flow.Time) {
	s.current, s.emitted = split.marks, 0
	status, next, err := split.reader.Poll(max, s.emit)
	split.marks.Polled(s.emitted, now)
	if err != nil {
		s.ctx.Fail(fmt.Errorf("%s: split %s: %w", s.ctx.Name, split.id, err))
	}
	switch status {
	case connectors.More:
		split.next = flow.MinTime
	case connectors.Idle:
		split.next = next
	case connectors.SplitDone:
		s.close(split, now)
	}
}

func (s *Source[T]) close(split *sourceSplit[T], now flow.Time) {
	s.advance() // what the split's last records brought, before it is out of the reckoning
	s.watermark.Close(split.marks, now)
	if err := split.reader.Close(); err != nil {
		s.ctx.Fail(fmt.Errorf("%s: split %s: %w", s.ctx.Name, split.id, err))
	}
	s.finished = append(s.finished, finishedSplit{id: split.id})
	for i := range s.splits {
		if s.splits[i] == split {
			s.splits = append(s.splits[:i], s.splits[i+1:]...)
			break
		}
	}
	s.turn = 0
}

func (s *Source[T]) advance() {
	if w, changed := s.watermark.Advanced(); changed {
		s.ctx.Task.EmitWatermark(w)
	}
}

// Woken makes all splits due: the reader has said that there is something.
func (s *Source[T]) Woken() {
	for _, split := range s.splits {
		split.next = flow.MinTime
	}
}

func (s *Source[T]) Positions(id flow.CheckpointID) Positions {
	var p Positions
	for _, split := range s.splits {
		p.Splits = append(p.Splits, connectors.Split{ID: split.id, State: split.reader.Position(), Watermark: split.marks.Watermark()})
	}
	for i := range s.finished {
		f := &s.finished[i]
		if f.in == 0 {
			f.in = id
		}
		p.Finished = append(p.Finished, f.id)
	}
	return p
}

// CheckpointCompleted forgets the finished splits that the completed checkpoint knows of.
func (s *Source[T]) CheckpointCompleted(id flow.CheckpointID) {
	kept := s.finished[:0]
	for _, f := range s.finished {
		if f.in == 0 || f.in > id {
			kept = append(kept, f)
		}
	}
	s.finished = kept
}

func (s *Source[T]) Snapshot(*state.Snapshot, flow.Barrier) error { return nil }

func (s *Source[T]) Close() error {
	if s.reader == nil {
		return nil
	}
	var first error
	for _, split := range s.splits {
		if err := split.reader.Close(); err != nil && first == nil {
			first = err
		}
	}
	if err := s.reader.Close(); err != nil && first == nil {
		first = err
	}
	return first
}
