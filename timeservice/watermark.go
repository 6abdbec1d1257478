package timeservice

import (
	"time"

	"github.com/weirstream/weir/flow"
)

// WatermarkStrategy says what time the records of a source have and how far event time has come. The zero value keeps the
// records' own times, which never go back, and never calls a split idle. A strategy is shared by all subtasks; it is
// changed by making another, with the methods below.
type WatermarkStrategy[T any] struct {
	// Timestamp is the event time of a record; nil keeps the time that the source gave it.
	Timestamp func(v *T) flow.Time
	// Delay is how much later than a later record one may come, in milliseconds: the watermark of a split is its largest
	// time − Delay − 1. Unused when New is set.
	Delay flow.Time
	// New makes the generator of one split; nil means Delay.
	New func() WatermarkGenerator[T]
	// Idleness is for how long a split may give nothing before it stops to hold back the others; 0 is for ever.
	Idleness flow.Time
	// PerRecord emits a watermark behind every record that moves it on, instead of once a batch.
	PerRecord bool
}

// WatermarkGenerator makes the watermarks of one split. The source's subtask calls it. What goes back is ignored (I3).
type WatermarkGenerator[T any] interface {
	// OnRecord sees every record. A watermark that it returns with true goes out right behind the record.
	OnRecord(v *T, t flow.Time) (w flow.Time, ok bool)
	// OnPeriodic is asked behind every batch.
	OnPeriodic() flow.Time
}

// Monotonous is for times that never go back within a split.
func Monotonous[T any]() WatermarkStrategy[T] { return WatermarkStrategy[T]{} }

// BoundedOutOfOrderness is for records that come at most d later than a record of a later time.
func BoundedOutOfOrderness[T any](d time.Duration) WatermarkStrategy[T] {
	return WatermarkStrategy[T]{Delay: max(0, flow.Duration(d))}
}

// Punctuated is for records that say themselves how far event time has come: mark is called with every record and returns
// a watermark, or false.
func Punctuated[T any](mark func(v *T, t flow.Time) (flow.Time, bool)) WatermarkStrategy[T] {
	return Custom(func() WatermarkGenerator[T] { return punctuated[T](mark) })
}

// Custom is for generators of one's own. make is called once a split.
func Custom[T any](make func() WatermarkGenerator[T]) WatermarkStrategy[T] {
	return WatermarkStrategy[T]{New: make}
}

// NoWatermarks is for jobs that do not use event time: the only watermark is the last, at the end of the input.
func NoWatermarks[T any]() WatermarkStrategy[T] {
	return Punctuated(func(*T, flow.Time) (flow.Time, bool) { return flow.MinTime, false })
}

// WithTimestamp takes the records' times from f.
func (s WatermarkStrategy[T]) WithTimestamp(f func(v *T) flow.Time) WatermarkStrategy[T] {
	s.Timestamp = f
	return s
}

// WithIdleness calls a split idle that has given nothing for d.
func (s WatermarkStrategy[T]) WithIdleness(d time.Duration) WatermarkStrategy[T] {
	s.Idleness = flow.Duration(d)
	return s
}

// EveryRecord emits watermarks record by record.
func (s WatermarkStrategy[T]) EveryRecord() WatermarkStrategy[T] {
	s.PerRecord = true
	return s
}

type punctuated[T any] func(v *T, t flow.Time) (flow.Time, bool)

func (p punctuated[T]) OnRecord(v *T, t flow.Time) (flow.Time, bool) { return p(v, t) }
func (p punctuated[T]) OnPeriodic() flow.Time                        { return flow.MinTime }

// SplitWatermarks makes the watermark of one source subtask of those of its splits: the least over all that are not idle.
// A split that has ended is out of it. With no split at all the watermark stands still and is not idle, unless that has
// lasted for the strategy's Idleness as well.
//
// The source calls Record for every record and emits what that returns, Polled behind every poll, and CheckIdle when
// processing time has come to what CheckIdle returned; behind the last two it emits what Advanced returns.
type SplitWatermarks[T any] struct {
	strategy WatermarkStrategy[T]
	merger   *Merger
	splits   []*SplitWatermark[T] // in the order of Open
	since    flow.Time            // processing time at which the last split was closed
	none     bool                 // no split for the strategy's Idleness
	told     flow.Watermark       // what was said to be emitted last
}

// SplitWatermark is the part of one split.
type SplitWatermark[T any] struct {
	owner     *SplitWatermarks[T]
	input     int
	seen      flow.Time // largest time of a record
	watermark flow.Time
	generator WatermarkGenerator[T]
	perRecord bool
	active    flow.Time // processing time at which it last gave something
	idle      bool
}

// NewSplitWatermarks starts at from: flow.MinTime, or the watermark of the subtask that was restored. now is the processing
// time.
func NewSplitWatermarks[T any](s WatermarkStrategy[T], from, now flow.Time) *SplitWatermarks[T] {
	return &SplitWatermarks[T]{strategy: s, merger: newMerger(from), since: now, told: flow.Watermark{Time: from}}
}

// Open adds a split that stands at restored, the watermark that it had when it was last read, or flow.MinTime. It holds
// back the subtask's watermark from now on, though that never goes back.
func (ws *SplitWatermarks[T]) Open(restored, now flow.Time) *SplitWatermark[T] {
	s := &SplitWatermark[T]{
		owner: ws, input: ws.merger.add(restored), seen: flow.MinTime, watermark: restored,
		perRecord: ws.strategy.PerRecord, active: now,
	}
	if ws.strategy.New != nil {
		s.generator = ws.strategy.New()
	}
	ws.none = false
	ws.splits = append(ws.splits, s)
	return s
}

// Close takes out a split that has come to its end.
func (ws *SplitWatermarks[T]) Close(s *SplitWatermark[T], now flow.Time) {
	ws.merger.Remove(s.input)
	for i := range ws.splits {
		if ws.splits[i] == s {
			ws.splits = append(ws.splits[:i], ws.splits[i+1:]...)
			break
		}
	}
	ws.since = now
}

// Advanced is Current, and whether that differs from what Advanced or Record returned the last time: whether there is
// something to emit.
func (ws *SplitWatermarks[T]) Advanced() (w flow.Watermark, changed bool) {
	w = ws.Current()
	changed = w != ws.told
	ws.told = w
	return w, changed
}

// Current is the subtask's watermark.
func (ws *SplitWatermarks[T]) Current() flow.Watermark {
	w := ws.merger.Current()
	w.Idle = w.Idle || ws.none
	return w
}

// CheckIdle finds splits that have gone idle by now. It returns when to be called again at the latest; flow.MaxTime for
// never.
func (ws *SplitWatermarks[T]) CheckIdle(now flow.Time) (next flow.Time) {
	limit := ws.strategy.Idleness
	if limit <= 0 {
		return flow.MaxTime
	}
	if len(ws.splits) == 0 {
		if ws.none = now >= ws.since.Add(limit); ws.none {
			return flow.MaxTime
		}
		return ws.since.Add(limit)
	}
	next = flow.MaxTime
	for _, s := range ws.splits {
		switch due := s.active.Add(limit); {
		case s.idle:
		case due <= now:
			s.idle = true
			ws.merger.set(s.input, flow.MinTime, true)
		default:
			next = min(next, due)
		}
	}
	return next
}

// Time is the event time of a record that the source gave time t.
func (s *WatermarkStrategy[T]) Time(v *T, t flow.Time) flow.Time {
	if s.Timestamp != nil {
		return s.Timestamp(v)
	}
	return t
}

// Record notes a record of time t, as of WatermarkStrategy.Time. A watermark that it returns with true is to be emitted
// behind the record; it is the subtask's, not the split's. For a strategy with a Delay and a watermark a batch this is one
// comparison.
func (s *SplitWatermark[T]) Record(v *T, t flow.Time) (w flow.Time, ok bool) {
	if s.generator == nil && !s.perRecord {
		if t > s.seen {
			s.seen = t
		}
		return 0, false
	}
	return s.record(v, t)
}

func (s *SplitWatermark[T]) record(v *T, t flow.Time) (w flow.Time, ok bool) {
	s.seen = max(s.seen, t)
	switch {
	case s.generator == nil:
		w, ok = s.bound(), true
	default:
		if w, ok = s.generator.OnRecord(v, t); !ok && s.perRecord {
			w, ok = s.generator.OnPeriodic(), true
		}
	}
	if !ok || w <= s.watermark {
		return 0, false
	}
	s.advance(w)
	merged, changed := s.owner.Advanced()
	return merged.Time, changed
}

// Polled is called when a poll of the split has given n records.
func (s *SplitWatermark[T]) Polled(n int, now flow.Time) {
	if n > 0 {
		s.active, s.idle = now, false
	}
	if s.idle {
		return
	}
	if s.generator != nil {
		s.advance(s.generator.OnPeriodic())
	} else {
		s.advance(s.bound())
	}
}

// Watermark is the largest watermark that was made of this split: what a snapshot keeps as connectors.Split.Watermark.
func (s *SplitWatermark[T]) Watermark() flow.Time { return s.watermark }

func (s *SplitWatermark[T]) bound() flow.Time {
	return s.seen.Add(-s.owner.strategy.Delay).Add(-1)
}

func (s *SplitWatermark[T]) advance(w flow.Time) {
	s.watermark = max(s.watermark, w)
	s.idle = false
	s.owner.merger.set(s.input, s.watermark, false)
}
