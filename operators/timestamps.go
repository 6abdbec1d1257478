package operators

import (
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

// AssignTimestamps gives records new event times and makes watermarks from them, in the middle of a job. It must be the
// head of a chain: what comes behind it follows its watermarks.
type AssignTimestamps[T any] struct {
	Stateless
	oneInOneOut[T, T]
	strategy timeservice.WatermarkStrategy[T]
	ctx      *Context
	all      *timeservice.SplitWatermarks[T]
	marks    *timeservice.SplitWatermark[T]
}

// NewAssignTimestamps returns an operator that stamps records and makes watermarks as s says.
func NewAssignTimestamps[T any](s timeservice.WatermarkStrategy[T]) *AssignTimestamps[T] {
	return &AssignTimestamps[T]{strategy: s}
}

// OwnsWatermarks implements WatermarkOwner.
func (a *AssignTimestamps[T]) OwnsWatermarks() {}

func (a *AssignTimestamps[T]) Open(ctx *Context) error {
	a.ctx = ctx
	now := ctx.Clock.Now()
	a.all = timeservice.NewSplitWatermarks(a.strategy, ctx.RestoredWatermark, now)
	a.marks = a.all.Open(ctx.RestoredWatermark, now)
	next, strategy, marks := a.Out.Next(), a.strategy, a.marks
	stamp := func(v *T, t flow.Time) {
		t = strategy.Time(v, t)
		next(v, t)
		if w, ok := marks.Record(v, t); ok {
			ctx.Task.EmitWatermark(flow.Watermark{Time: w})
		}
	}
	a.In.Record = stamp
	a.In.Batch = func(r *flow.Records[T], from, to int) {
		for i := from; i < to; i++ {
			stamp(&r.Values[i], r.Times[i])
		}
		marks.Polled(to-from, ctx.Clock.Now())
		a.check()
	}
	a.check()
	return nil
}

// check emits what the records brought, and finds out whether there were none for too long.
func (a *AssignTimestamps[T]) check() {
	if next := a.all.CheckIdle(a.ctx.Clock.Now()); next != flow.MaxTime {
		a.ctx.Task.WakeAt(next)
	}
	if w, changed := a.all.Advanced(); changed {
		a.ctx.Task.EmitWatermark(w)
	}
}

func (a *AssignTimestamps[T]) ProcessingTime(flow.Time) bool {
	a.check()
	return true
}
