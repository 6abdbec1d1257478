package operators

import (
	"errors"
	"fmt"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// WindowSpec describes an operator that aggregates the records of each key by windows.
//
// A record is late for a window when the watermark has come to the window's MaxTimestamp + AllowedLateness; one that is
// late for all its windows is counted in Counters.LateDropped and goes to output 1. Windows over processing time know no
// lateness.
type WindowSpec[K comparable, T, A, O any] struct {
	// Key is the key of a record: what the exchange before this operator has hashed.
	Key     func(v *T) K
	KeyType codec.Key[K]

	Assigner Assigner
	// Trigger says when windows fire; nil means once time has passed their end, and for each late record again. With nil
	// the windows of Tumbling and Sliding are computed from shared slices, many times cheaper than with a trigger.
	Trigger Trigger[T]
	// AllowedLateness is for how much longer than to its end the watermark may come until a window is forgotten.
	AllowedLateness flow.Time

	Aggregate Aggregate[T, A]
	// Emit makes results of a firing: any number, handed to out with the time f.Window.MaxTimestamp(). f and acc are
	// borrowed; acc is not to be changed.
	Emit func(f *Firing[K], acc *A, out Next[O])
}

// Timing says when a firing came relative to its window's end.
type Timing uint8

const (
	// Early: time had not passed the window yet.
	Early Timing = iota
	// OnTime: the one firing at the window's end.
	OnTime
	// Late: after that, because of a record that came late.
	Late
)

func (t Timing) String() string { return [...]string{"EARLY", "ON_TIME", "LATE"}[t] }

// Pane tells the firings of one window of one key apart.
type Pane struct {
	Timing Timing
	// Index counts the firings from 0. Windows that are computed from slices say 1 for every firing after the first.
	Index int
}

// Firing is what Emit is told about the window that fires.
type Firing[K comparable] struct {
	Key    K
	Window Window
	// Watermark is where event time stands.
	Watermark flow.Time
	Pane      Pane
}

// Check looks for mistakes in the description.
func (s *WindowSpec[K, T, A, O]) Check() error {
	switch {
	case s.Key == nil || s.KeyType.Hash == nil:
		return errors.New("window: no key: set Key and KeyType")
	case s.Assigner == nil:
		return errors.New("window: no assigner: use Tumbling, Sliding, Session, SessionBy or Global")
	case s.Aggregate.Add == nil || s.Aggregate.Codec == nil:
		return errors.New("window: the aggregate needs Add and Codec")
	case s.Emit == nil:
		return errors.New("window: no Emit function")
	case s.AllowedLateness < 0 || s.AllowedLateness > maxWindowSpan:
		return fmt.Errorf("window: allowed lateness of %d ms: it must be from 0 to %d", s.AllowedLateness, maxWindowSpan)
	}
	if err := s.Assigner.Check(); err != nil {
		return err
	}
	if s.Trigger != nil {
		if err := s.Trigger.Check(); err != nil {
			return err
		}
	}
	merges := false
	switch a := s.Assigner.(type) {
	case Session, SessionBy[T]:
		merges = true
	case Sliding:
		merges = s.sliced() && a.Size > a.Slide
	case Global:
		if s.Trigger == nil {
			return errors.New("window: a global window never ends: give it a trigger")
		}
	case Tumbling:
	default:
		return fmt.Errorf("window: assigner %T is not for records of type %T", s.Assigner, *new(T))
	}
	if merges && s.Aggregate.Merge == nil {
		return fmt.Errorf("window: %T windows need an aggregate that can Merge", s.Assigner)
	}
	return nil
}

// sliced reports whether the windows are computed from slices.
func (s *WindowSpec[K, T, A, O]) sliced() bool {
	switch s.Assigner.(type) {
	case Tumbling, Sliding:
		return s.Trigger == nil
	}
	return false
}

// NewWindow makes a window operator. Output 0 has the results, output 1 the records that came too late. A mistake in spec
// is reported by Open, and by WindowSpec.Check before that.
func NewWindow[K comparable, T, A, O any](spec WindowSpec[K, T, A, O]) Operator {
	// A trigger that is the default anyway takes the faster way.
	switch spec.Trigger.(type) {
	case eventTimeTrigger[T]:
		if spec.Assigner != nil && spec.Assigner.byEvent() {
			spec.Trigger = nil
		}
	case processingTimeTrigger[T]:
		if _, global := spec.Assigner.(Global); spec.Assigner != nil && !spec.Assigner.byEvent() && !global {
			spec.Trigger = nil
		}
	}
	core := windowCore[K, T, A, O]{spec: spec}
	if spec.sliced() {
		return &sliceWindow[K, T, A, O]{windowCore: core}
	}
	return &paneWindow[K, T, A, O]{windowCore: core}
}

// Limits of a turn. A firing of a million keys is cut into turns, so that the subtask looks at its mailbox in between.
const (
	// firingBudget is how many results, or entries of a table merged, one call may bring.
	firingBudget = 4096
	// firingCheck is after how many of them the credit of the outputs is looked at. So many are done at least in every
	// call, whatever the credit.
	firingCheck = 64
)

// windowCore is what all window operators have in common.
type windowCore[K comparable, T, A, O any] struct {
	spec  WindowSpec[K, T, A, O]
	ctx   *Context
	event bool // windows over event time
	late  flow.Time

	in       Input[T]
	out      Output[O]
	lateOut  Output[T]
	emitNext Next[O]
	lateNext Next[T]

	// watermark is where event time stands, and clock the last processing time that was seen. time is the one that the
	// windows go by. All windows that end at or before it have fired, but for what a firing under way is still to do.
	watermark flow.Time
	clock     flow.Time

	firing Firing[K]
	fired  int64 // firings since they were last counted
	spent  int   // of this call's budget
	wakeAt flow.Time
}

// Ports implements Operator.
func (c *windowCore[K, T, A, O]) Ports() ([]InputPort, []OutputPort) {
	return []InputPort{&c.in}, []OutputPort{&c.out, &c.lateOut}
}

// Close implements Operator.
func (c *windowCore[K, T, A, O]) Close() error { return nil }

func (c *windowCore[K, T, A, O]) open(ctx *Context) error {
	if err := c.spec.Check(); err != nil {
		return err
	}
	c.ctx = ctx
	c.event = c.spec.Assigner.byEvent()
	if c.event {
		c.late = c.spec.AllowedLateness
	}
	c.emitNext, c.lateNext = c.out.Next(), c.lateOut.Next()
	c.watermark, c.clock, c.wakeAt = flow.MinTime, flow.MinTime, flow.MaxTime
	if ctx.Restore != nil {
		c.watermark = ctx.RestoredWatermark
	}
	return nil
}

// tick reads the clock. Processing time never goes back here.
func (c *windowCore[K, T, A, O]) tick() flow.Time {
	c.clock = max(c.clock, c.ctx.Clock.Now())
	return c.clock
}

// wake asks to be called when processing time has come to t.
func (c *windowCore[K, T, A, O]) wake(t flow.Time) {
	if t < c.wakeAt {
		c.wakeAt = t
		c.ctx.Task.WakeAt(t)
	}
}

// tooLate deals with a record that belongs to no window any more.
func (c *windowCore[K, T, A, O]) tooLate(v *T, t flow.Time) {
	c.ctx.Counters.LateDropped.Add(1)
	c.lateNext(v, t)
}

// timeless fails the subtask for a record without a time.
func (c *windowCore[K, T, A, O]) timeless() {
	c.ctx.Fail(fmt.Errorf("%s: a record has no timestamp, and the windows are over event time: assign timestamps and watermarks before this step, or use processing time", c.ctx.Name))
}

// emit hands one firing to the user. acc is only lent.
func (c *windowCore[K, T, A, O]) emit(key *K, w Window, acc *A, p Pane) {
	c.fired++
	c.firing = Firing[K]{Key: *key, Window: w, Watermark: c.watermark, Pane: p}
	c.spec.Emit(&c.firing, acc, c.emitNext)
}

// startTurn begins a new budget.
func (c *windowCore[K, T, A, O]) startTurn() { c.spent = 0 }

// endTurn counts what was fired.
func (c *windowCore[K, T, A, O]) endTurn() {
	if c.fired > 0 {
		c.ctx.Counters.Fired.Add(c.fired)
		c.fired = 0
	}
}

// pause takes one piece of work off the budget. It reports whether the turn is to end now.
func (c *windowCore[K, T, A, O]) pause() bool {
	c.spent++
	if c.spent%firingCheck != 0 {
		return false
	}
	return c.spent >= firingBudget || c.ctx.Task.Full()
}
