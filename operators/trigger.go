package operators

import (
	"errors"
	"fmt"

	"github.com/weirstream/weir/flow"
)

// Action is what a trigger decides about a window of a key.
type Action uint8

const (
	// Continue leaves the window as it is.
	Continue Action = 0
	// Fire emits the window's result and keeps its contents.
	Fire Action = 1
	// Purge drops the window's contents.
	Purge Action = 2
	// FireAndPurge emits the result and drops the contents.
	FireAndPurge = Fire | Purge
)

func (a Action) String() string {
	return [...]string{"CONTINUE", "FIRE", "PURGE", "FIRE_AND_PURGE"}[a&FireAndPurge]
}

// TriggerState is what a trigger remembers for one window of one key. It begins as zeros, lies beside the accumulator and
// is in every snapshot.
type TriggerState [2]int64

// Trigger says when the windows of a key fire. One value serves all keys, windows and subtasks: what it has to remember
// goes into TriggerContext.State.
type Trigger[T any] interface {
	// OnRecord is called after v, whose time is t, was added to the window.
	OnRecord(v *T, t flow.Time, w Window, c *TriggerContext) Action
	// OnEventTime is called when the watermark has passed a timer at t, and when w is about to be cleaned up.
	OnEventTime(t flow.Time, w Window, c *TriggerContext) Action
	// OnProcessingTime is called when processing time has come to a timer at t, and when w is about to be cleaned up.
	OnProcessingTime(t flow.Time, w Window, c *TriggerContext) Action
	// OnMerge is called when sessions have become w. merged are the states they had; c.State is empty. Their timers were
	// given up by OnClear, so the timers of w are to be registered here.
	OnMerge(w Window, merged []TriggerState, c *TriggerContext)
	// OnClear is called when w ends to be: it deletes the timers that may still be registered. A timer of a window that
	// is no more does nothing when it comes due, but takes up memory until then.
	OnClear(w Window, c *TriggerContext)
	// Check looks for mistakes in the parameters.
	Check() error
}

// TriggerContext is what a trigger may see and do for the window of the key it is called for. It is valid during the call.
type TriggerContext struct {
	// State is the trigger's own.
	State *TriggerState
	// Watermark is where event time stands.
	Watermark flow.Time
	// Now is the processing time.
	Now flow.Time
	// ByEvent is false for windows over processing time, and for Global.
	ByEvent bool

	timers triggerTimers
}

// triggerTimers keeps the timers of the window in hand.
type triggerTimers interface {
	registerTimer(event bool, t flow.Time)
	deleteTimer(event bool, t flow.Time)
}

// RegisterEventTime asks for OnEventTime once the watermark has come to t. The same t is held once.
func (c *TriggerContext) RegisterEventTime(t flow.Time) { c.timers.registerTimer(true, t) }

// DeleteEventTime takes back RegisterEventTime.
func (c *TriggerContext) DeleteEventTime(t flow.Time) { c.timers.deleteTimer(true, t) }

// RegisterProcessingTime asks for OnProcessingTime once processing time has come to t. The same t is held once.
func (c *TriggerContext) RegisterProcessingTime(t flow.Time) { c.timers.registerTimer(false, t) }

// DeleteProcessingTime takes back RegisterProcessingTime.
func (c *TriggerContext) DeleteProcessingTime(t flow.Time) { c.timers.deleteTimer(false, t) }

// EventTimeTrigger fires once the watermark passes the end of the window, and at once for every late record. It is the
// default of windows over event time.
func EventTimeTrigger[T any]() Trigger[T] { return eventTimeTrigger[T]{} }

type eventTimeTrigger[T any] struct{}

func (eventTimeTrigger[T]) OnRecord(_ *T, _ flow.Time, w Window, c *TriggerContext) Action {
	if w.MaxTimestamp() <= c.Watermark {
		return Fire
	}
	c.RegisterEventTime(w.MaxTimestamp())
	return Continue
}

func (eventTimeTrigger[T]) OnEventTime(t flow.Time, w Window, _ *TriggerContext) Action {
	if t == w.MaxTimestamp() {
		return Fire
	}
	return Continue
}

func (eventTimeTrigger[T]) OnProcessingTime(flow.Time, Window, *TriggerContext) Action {
	return Continue
}

func (eventTimeTrigger[T]) OnMerge(w Window, _ []TriggerState, c *TriggerContext) {
	if w.MaxTimestamp() > c.Watermark {
		c.RegisterEventTime(w.MaxTimestamp())
	}
}

func (eventTimeTrigger[T]) OnClear(w Window, c *TriggerContext) { c.DeleteEventTime(w.MaxTimestamp()) }
func (eventTimeTrigger[T]) Check() error                        { return nil }

// ProcessingTimeTrigger fires once processing time passes the end of the window. It is the default of windows over
// processing time.
func ProcessingTimeTrigger[T any]() Trigger[T] { return processingTimeTrigger[T]{} }

type processingTimeTrigger[T any] struct{}

func (processingTimeTrigger[T]) OnRecord(_ *T, _ flow.Time, w Window, c *TriggerContext) Action {
	c.RegisterProcessingTime(w.MaxTimestamp())
	return Continue
}

func (processingTimeTrigger[T]) OnEventTime(flow.Time, Window, *TriggerContext) Action {
	return Continue
}

func (processingTimeTrigger[T]) OnProcessingTime(t flow.Time, w Window, _ *TriggerContext) Action {
	if t == w.MaxTimestamp() {
		return Fire
	}
	return Continue
}

func (processingTimeTrigger[T]) OnMerge(w Window, _ []TriggerState, c *TriggerContext) {
	if w.MaxTimestamp() > c.Now {
		c.RegisterProcessingTime(w.MaxTimestamp())
	}
}

func (processingTimeTrigger[T]) OnClear(w Window, c *TriggerContext) {
	c.DeleteProcessingTime(w.MaxTimestamp())
}
func (processingTimeTrigger[T]) Check() error { return nil }

// CountTrigger fires at every n-th record of a window of a key. It does not fire at the window's end.
func CountTrigger[T any](n int64) Trigger[T] { return countTrigger[T]{n} }

type countTrigger[T any] struct{ n int64 }

func (g countTrigger[T]) OnRecord(_ *T, _ flow.Time, _ Window, c *TriggerContext) Action {
	c.State[0]++
	if c.State[0] < g.n {
		return Continue
	}
	c.State[0] = 0
	return Fire
}

func (countTrigger[T]) OnEventTime(flow.Time, Window, *TriggerContext) Action      { return Continue }
func (countTrigger[T]) OnProcessingTime(flow.Time, Window, *TriggerContext) Action { return Continue }

func (countTrigger[T]) OnMerge(_ Window, merged []TriggerState, c *TriggerContext) {
	for i := range merged {
		c.State[0] += merged[i][0]
	}
}

func (countTrigger[T]) OnClear(Window, *TriggerContext) {}

func (g countTrigger[T]) Check() error {
	if g.n <= 0 {
		return fmt.Errorf("count trigger: every %d records: it must be at least 1", g.n)
	}
	return nil
}

// nextFire keeps in a TriggerState the next multiple of an interval at which to fire: State[0], if State[1] is set.
type nextFire struct{ every flow.Time }

// after sets the next time to fire. A window that ends before then fires at its end.
func (f nextFire) after(t flow.Time, w Window, s *TriggerState) flow.Time {
	next, end := t.Add(f.every), w.MaxTimestamp()
	if t < end && end < next {
		next = end
	}
	s[0], s[1] = int64(next), 1
	return next
}

// first is after for the first record, at t: multiples of the interval count from the epoch.
func (f nextFire) first(t flow.Time, w Window, s *TriggerState) flow.Time {
	return f.after(t.Add(-floorMod(t, f.every)), w, s)
}

// is reports whether t is the time to fire.
func (f nextFire) is(t flow.Time, s *TriggerState) bool { return s[1] != 0 && flow.Time(s[0]) == t }

// merge takes the earliest of what was set.
func (f nextFire) merge(merged []TriggerState, s *TriggerState) (at flow.Time, ok bool) {
	for _, m := range merged {
		if m[1] != 0 && (s[1] == 0 || m[0] < s[0]) {
			*s = m
		}
	}
	return flow.Time(s[0]), s[1] != 0
}

func (f nextFire) check(what string) error {
	if f.every <= 0 || f.every > maxWindowSpan {
		return fmt.Errorf("%s trigger: every %d ms: it must be above 0 and at most %d", what, f.every, maxWindowSpan)
	}
	return nil
}

// ContinuousEventTimeTrigger fires whenever the watermark passes a multiple of every, from the first record of the
// window of the key on, and at the window's end.
func ContinuousEventTimeTrigger[T any](every flow.Time) Trigger[T] {
	return continuousEvent[T]{nextFire{every}}
}

type continuousEvent[T any] struct{ nextFire }

func (g continuousEvent[T]) OnRecord(_ *T, t flow.Time, w Window, c *TriggerContext) Action {
	if w.MaxTimestamp() <= c.Watermark {
		return Fire
	}
	c.RegisterEventTime(w.MaxTimestamp())
	if c.State[1] == 0 {
		c.RegisterEventTime(g.first(t, w, c.State))
	}
	return Continue
}

func (g continuousEvent[T]) OnEventTime(t flow.Time, w Window, c *TriggerContext) Action {
	switch {
	case t == w.MaxTimestamp():
		return Fire
	case g.is(t, c.State):
		c.RegisterEventTime(g.after(t, w, c.State))
		return Fire
	}
	return Continue
}

func (continuousEvent[T]) OnProcessingTime(flow.Time, Window, *TriggerContext) Action {
	return Continue
}

func (g continuousEvent[T]) OnMerge(w Window, merged []TriggerState, c *TriggerContext) {
	if at, ok := g.merge(merged, c.State); ok {
		c.RegisterEventTime(at)
	}
	if w.MaxTimestamp() > c.Watermark {
		c.RegisterEventTime(w.MaxTimestamp())
	}
}

func (g continuousEvent[T]) OnClear(w Window, c *TriggerContext) {
	c.DeleteEventTime(w.MaxTimestamp())
	if c.State[1] != 0 {
		c.DeleteEventTime(flow.Time(c.State[0]))
	}
}

func (g continuousEvent[T]) Check() error { return g.check("continuous event time") }

// ContinuousProcessingTimeTrigger fires whenever processing time passes a multiple of every, from the first record of the
// window of the key on. Windows over processing time also fire at their end.
func ContinuousProcessingTimeTrigger[T any](every flow.Time) Trigger[T] {
	return continuousProcessing[T]{nextFire{every}}
}

type continuousProcessing[T any] struct{ nextFire }

func (g continuousProcessing[T]) OnRecord(_ *T, _ flow.Time, w Window, c *TriggerContext) Action {
	if c.State[1] == 0 {
		c.RegisterProcessingTime(g.first(c.Now, w, c.State))
	}
	return Continue
}

func (continuousProcessing[T]) OnEventTime(flow.Time, Window, *TriggerContext) Action {
	return Continue
}

func (g continuousProcessing[T]) OnProcessingTime(t flow.Time, w Window, c *TriggerContext) Action {
	if !g.is(t, c.State) {
		return Continue
	}
	c.RegisterProcessingTime(g.after(t, w, c.State))
	return Fire
}

func (g continuousProcessing[T]) OnMerge(_ Window, merged []TriggerState, c *TriggerContext) {
	if at, ok := g.merge(merged, c.State); ok {
		c.RegisterProcessingTime(at)
	}
}

func (g continuousProcessing[T]) OnClear(_ Window, c *TriggerContext) {
	if c.State[1] != 0 {
		c.DeleteProcessingTime(flow.Time(c.State[0]))
	}
}

func (g continuousProcessing[T]) Check() error { return g.check("continuous processing time") }

// Purging makes t drop the window's contents whenever it fires.
func Purging[T any](t Trigger[T]) Trigger[T] { return purging[T]{t} }

type purging[T any] struct{ Trigger[T] }

func purge(a Action) Action {
	if a&Fire != 0 {
		return FireAndPurge
	}
	return a
}

func (g purging[T]) OnRecord(v *T, t flow.Time, w Window, c *TriggerContext) Action {
	return purge(g.Trigger.OnRecord(v, t, w, c))
}

func (g purging[T]) OnEventTime(t flow.Time, w Window, c *TriggerContext) Action {
	return purge(g.Trigger.OnEventTime(t, w, c))
}

func (g purging[T]) OnProcessingTime(t flow.Time, w Window, c *TriggerContext) Action {
	return purge(g.Trigger.OnProcessingTime(t, w, c))
}

func (g purging[T]) Check() error {
	if g.Trigger == nil {
		return errors.New("purging trigger: no trigger inside")
	}
	return g.Trigger.Check()
}
