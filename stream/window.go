package stream

import (
	"errors"
	"fmt"
	"time"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
)

// WindowResult is what is known of a window that fires: Key, Window, Watermark, and which of its firings this is (Pane).
type WindowResult[K comparable] = operators.Firing[K]

// Windowed is a keyed stream cut into windows: what is to be done with the windows comes next. Its methods return changed
// copies.
type Windowed[K comparable, T any] struct {
	keyed    Keyed[K, T]
	assigner WindowAssigner
	trigger  operators.Trigger[T]
	lateness time.Duration
	all      bool // of WindowAll
}

// Whole is the key of WindowAll: there is only one.
type Whole uint8

// Window cuts each key's records into windows.
func Window[K comparable, T any](k Keyed[K, T], a WindowAssigner) Windowed[K, T] {
	return Windowed[K, T]{keyed: k, assigner: a}
}

// Window is the function Window as a method.
func (k Keyed[K, T]) Window(a WindowAssigner) Windowed[K, T] { return Window(k, a) }

// WindowAll cuts all records of a stream into windows, whatever their key. One subtask does that, however many there are
// of the other steps.
func WindowAll[T any](s Stream[T], a WindowAssigner) Windowed[Whole, T] {
	w := Window(KeyBy(s, func(*T) Whole { return 0 }), a)
	w.all = true
	return w
}

// Trigger says when the windows fire, instead of once at their end and for each late record again.
func (w Windowed[K, T]) Trigger(t Trigger[T]) Windowed[K, T] {
	w.trigger = t
	return w
}

// AllowedLateness is for how much longer than to its end a window takes records that come late. It fires again for each.
func (w Windowed[K, T]) AllowedLateness(d time.Duration) Windowed[K, T] {
	w.lateness = d
	return w
}

// Reduce folds the records of each window of a key into one: f takes v into acc. f must be associative. The results have
// the time of their window's last millisecond, as those of all functions below.
func (w Windowed[K, T]) Reduce(f func(acc, v *T), opts ...Option) Stream[T] {
	return reduceWindow(w, f, func() windowEmit[K, operators.Reduced[T], T] {
		return func(r *WindowResult[K], acc *operators.Reduced[T], out operators.Next[T]) {
			out(&acc.Value, r.Window.MaxTimestamp())
		}
	}, nil, opts)
}

// ReduceWindow is Windowed.Reduce with a result that emit makes of the window and of what its records came to. Both are
// borrowed.
func ReduceWindow[K comparable, T, O any](w Windowed[K, T], f func(acc, v *T), emit func(win *WindowResult[K], v *T) O, opts ...Option) Stream[O] {
	return reduceWindow(w, f, func() windowEmit[K, operators.Reduced[T], O] {
		return emitOne(func(r *WindowResult[K], acc *operators.Reduced[T]) O { return emit(r, &acc.Value) })
	}, missing("the emit function", emit == nil), opts)
}

// AggregateWindow folds the records of each window of a key into an accumulator, and emits what emit makes of it when the
// window fires. win and acc are borrowed.
func AggregateWindow[K comparable, T, A, O any](w Windowed[K, T], agg Aggregate[T, A], emit func(win *WindowResult[K], acc *A) O, opts ...Option) Stream[O] {
	agg, err := storable(agg)
	return windowThen(w, agg, func() windowEmit[K, A, O] { return emitOne(emit) },
		firstOf(missing("Aggregate.Add", agg.Add == nil), missing("the emit function", emit == nil), err), opts)
}

// ApplyWindow keeps all records of each window of a key, and calls f with them when the window fires. They take up memory
// until the window is forgotten: where it can be done, AggregateWindow is cheaper by far. records is borrowed. They come in
// the order in which they arrived, but where sessions grew together.
func ApplyWindow[K comparable, T, O any](w Windowed[K, T], f func(win *WindowResult[K], records []T, out *Collector[O]), opts ...Option) Stream[O] {
	records, err := codecOf[T]("records")
	return windowThen(w, operators.BufferAggregate(records), func() windowEmit[K, []T, O] { return emitMany(f) },
		firstOf(missing("the function", f == nil), err), opts)
}

// Late is the records that came too late for all their windows; without it they are counted and dropped. results must come
// straight from one of the functions above, and T is what went into the windows.
func Late[T, O any](results Stream[O]) Stream[T] {
	return sideOf(results, "Late", operators.NewTag[T](lateTag))
}

// lateTag is the side output of windows.
const lateTag = "late"

// windowEmit is operators.WindowSpec's Emit. It is made for each subtask.
type windowEmit[K comparable, A, O any] = func(r *WindowResult[K], acc *A, out operators.Next[O])

// emitOne emits the one result that f makes.
func emitOne[K comparable, A, O any](f func(win *WindowResult[K], acc *A) O) windowEmit[K, A, O] {
	result := new(O)
	return func(r *WindowResult[K], acc *A, out operators.Next[O]) {
		*result = f(r, acc)
		out(result, r.Window.MaxTimestamp())
	}
}

// emitMany emits what f collects.
func emitMany[K comparable, T, O any](f func(win *WindowResult[K], records []T, out *Collector[O])) windowEmit[K, []T, O] {
	var next operators.Next[O]
	var at flow.Time
	c := operators.NewCollector(func(v *O) { next(v, at) })
	return func(r *WindowResult[K], acc *[]T, out operators.Next[O]) {
		next, at = out, r.Window.MaxTimestamp()
		f(r, *acc, c)
	}
}

func reduceWindow[K comparable, T, O any](w Windowed[K, T], f func(acc, v *T), emit func() windowEmit[K, operators.Reduced[T], O], mistake error, opts []Option) Stream[O] {
	records, err := codecOf[T]("records")
	return windowThen(w, operators.ReduceAggregate(f, records), emit,
		firstOf(missing("the function", f == nil), mistake, err), opts)
}

// windowThen adds a window step.
func windowThen[K comparable, T, A, O any](w Windowed[K, T], agg Aggregate[T, A], emit func() windowEmit[K, A, O], mistake error, opts []Option) Stream[O] {
	assigner, err := w.assigner.build()
	spec := func() operators.WindowSpec[K, T, A, O] {
		return operators.WindowSpec[K, T, A, O]{
			Key: w.keyed.key, KeyType: w.keyed.typ, Assigner: assigner, Trigger: w.trigger,
			AllowedLateness: flow.Duration(w.lateness), Aggregate: agg, Emit: emit(),
		}
	}
	known := firstOf(w.keyed.err, err, wholeMillis("allowed lateness", w.lateness), mistake)
	checked := func() error {
		if known != nil {
			return known
		}
		s := spec()
		return s.Check()
	}
	format := ""
	if known == nil {
		format = fmt.Sprintf("%s trigger %T lateness %d %s", w.assigner.name, w.trigger, flow.Duration(w.lateness), stateFormat(w.keyed.typ, agg.Codec))
	}
	if w.all {
		opts = append([]Option{Parallelism(1)}, opts...)
	}
	j := w.keyed.in.job()
	n := j.add(step{
		kind: "window", make: func() operators.Operator { return operators.NewWindow(spec()) },
		check: checked, format: format, inputs: []feed{{0, w.keyed.in.up}},
	}, opts)
	if w.all && n.Parallelism != 1 {
		j.fail(n.Name, fmt.Errorf("WindowAll runs as one subtask, not as %d: key the stream to share the work", n.Parallelism))
	}
	j.sides[n] = []operators.SideOutput{operators.NewTag[T](lateTag)}
	return streamOf[O](j, n, 0)
}

// WindowAssigner says which windows a record belongs to. Its methods return changed copies.
type WindowAssigner struct {
	make       func(offset flow.Time, processingTime bool) operators.Assigner
	name       string // with all parameters, for the fingerprint
	offset     flow.Time
	aligned    bool // has an offset
	processing bool
	err        error
}

// TumblingWindow is windows of a size that lie side by side, the first of them at the epoch.
func TumblingWindow(size time.Duration) WindowAssigner {
	return WindowAssigner{
		make: func(offset flow.Time, processing bool) operators.Assigner {
			return operators.Tumbling{Size: flow.Duration(size), Offset: offset, ProcessingTime: processing}
		},
		name: fmt.Sprintf("tumbling(%v)", size), aligned: true, err: wholeMillis("size", size),
	}
}

// SlidingWindow is windows of a size that begin every slide: with a slide below the size they overlap, with one above it
// there are gaps between them. A record costs the same whatever the overlap.
func SlidingWindow(size, slide time.Duration) WindowAssigner {
	return WindowAssigner{
		make: func(offset flow.Time, processing bool) operators.Assigner {
			return operators.Sliding{Size: flow.Duration(size), Slide: flow.Duration(slide), Offset: offset, ProcessingTime: processing}
		},
		name: fmt.Sprintf("sliding(%v, %v)", size, slide), aligned: true, err: firstOf(wholeMillis("size", size), wholeMillis("slide", slide)),
	}
}

// SessionWindow is windows of records that follow each other by less than gap.
func SessionWindow(gap time.Duration) WindowAssigner {
	return WindowAssigner{
		make: func(_ flow.Time, processing bool) operators.Assigner {
			return operators.Session{Gap: flow.Duration(gap), ProcessingTime: processing}
		},
		name: fmt.Sprintf("session(%v)", gap), err: wholeMillis("gap", gap),
	}
}

// SessionWindowBy is SessionWindow with a gap that each record brings along: at least a millisecond, or the job fails. T is
// the type of the records of the stream.
func SessionWindowBy[T any](gap func(v *T) time.Duration) WindowAssigner {
	return WindowAssigner{
		make: func(_ flow.Time, processing bool) operators.Assigner {
			return operators.SessionBy[T]{Gap: func(v *T) flow.Time { return flow.Duration(gap(v)) }, ProcessingTime: processing}
		},
		name: "session by record", err: missing("SessionWindowBy: the function", gap == nil),
	}
}

// GlobalWindow is one window that never ends: it needs a trigger.
func GlobalWindow() WindowAssigner {
	return WindowAssigner{
		make: func(flow.Time, bool) operators.Assigner { return operators.Global{} },
		name: "global",
	}
}

// WithOffset moves the edges of tumbling and sliding windows by d from the epoch, which may be below 0: for days that begin
// at midnight in a zone east of Greenwich by two hours, -2h.
func (a WindowAssigner) WithOffset(d time.Duration) WindowAssigner {
	if a.err == nil {
		a.err = wholeMillis("offset", d)
	}
	if !a.aligned && a.err == nil {
		a.err = fmt.Errorf("%s windows have no offset: only those of TumblingWindow and SlidingWindow do", a.name)
	}
	a.offset = flow.Duration(d)
	return a
}

// ProcessingTime has the windows go by the clock instead of the records' times. No record is late then. Global windows go
// by no time, and stay as they are.
func (a WindowAssigner) ProcessingTime() WindowAssigner {
	a.processing = true
	return a
}

// build makes the operator's assigner.
func (a *WindowAssigner) build() (operators.Assigner, error) {
	if a.make == nil {
		return nil, errors.New("no window assigner: use TumblingWindow, SlidingWindow, SessionWindow, SessionWindowBy or GlobalWindow")
	}
	if a.offset != 0 {
		a.name = fmt.Sprintf("%s offset %d", a.name, a.offset)
	}
	if a.processing {
		a.name += " processing time"
	}
	return a.make(a.offset, a.processing), a.err
}

// wholeMillis refuses durations that would be cut.
func wholeMillis(what string, d time.Duration) error {
	if d%time.Millisecond != 0 {
		return fmt.Errorf("%s of %v: time is counted in whole milliseconds", what, d)
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
