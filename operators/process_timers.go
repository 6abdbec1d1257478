package operators

import (
	"errors"
	"fmt"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
	"github.com/weirstream/weir/timeservice"
)

// TimeDomain says which time a timer goes by.
type TimeDomain uint8

const (
	// EventTime timers fire when the watermark has come to them.
	EventTime TimeDomain = iota
	// ProcessingTime timers fire when the clock has come to them.
	ProcessingTime
)

func (d TimeDomain) String() string {
	if d == EventTime {
		return "EVENT_TIME"
	}
	return "PROCESSING_TIME"
}

// The sections in which timers are kept.
const (
	eventTimers      = "timers.event"
	processingTimers = "timers.processing"
)

// keyTimer is a timer of a process function: the key is all it knows.
type keyTimer[K comparable] = timeservice.Timer[K, struct{}]

// keyTimers are the timers of one keyed process operator, of both kinds.
type keyTimers[K comparable] struct {
	ctx        *Context
	event      *timeservice.Timers[K, struct{}]
	processing *timeservice.Timers[K, struct{}]
	codec      timeservice.TimerCodec[K, struct{}]
	wake       flow.Time                          // what WakeAt was told; MaxTime for nothing
	call       func(d TimeDomain, tm keyTimer[K]) // nil: nobody wants timers
}

// open makes the timers, or reads those of the key groups of this subtask.
func (ts *keyTimers[K]) open(ctx *Context, key codec.Key[K], call func(TimeDomain, keyTimer[K])) error {
	ts.ctx, ts.call = ctx, call
	ts.event = timeservice.NewTimers[K, struct{}](key.Compare, nil)
	ts.processing = timeservice.NewTimers[K, struct{}](key.Compare, nil)
	ts.codec = timeservice.TimerCodec[K, struct{}]{Key: key.Codec, Hash: key.Hash}
	ts.wake = flow.MaxTime
	read := func(name string, into *timeservice.Timers[K, struct{}]) error {
		return ctx.Restore.Keyed(ctx.UID, name, ts.codec.Fingerprint(), ctx.Groups, func(_ int, body []byte) error {
			return into.Restore(body, ts.codec)
		})
	}
	if err := read(eventTimers, ts.event); err != nil {
		return err
	}
	if err := read(processingTimers, ts.processing); err != nil {
		return err
	}
	if call == nil && ts.event.Len()+ts.processing.Len() > 0 {
		return fmt.Errorf("%d timers were restored, and there is no OnTimer any more", ts.event.Len()+ts.processing.Len())
	}
	ts.arm()
	return nil
}

// arm asks to be woken for the earliest timer of processing time.
func (ts *keyTimers[K]) arm() {
	if next, ok := ts.processing.Next(); ok && next < ts.wake {
		ts.wake = next
		ts.ctx.Task.WakeAt(next)
	}
}

func (ts *keyTimers[K]) register(d TimeDomain, t flow.Time, hash uint64, key K) {
	if ts.call == nil {
		ts.ctx.Fail(errors.New("a timer was registered, and there is no OnTimer"))
	}
	if d == EventTime {
		ts.event.Register(t, hash, key, struct{}{})
		return
	}
	ts.processing.Register(t, hash, key, struct{}{})
	if t < ts.wake {
		ts.wake = t
		ts.ctx.Task.WakeAt(t)
	}
}

func (ts *keyTimers[K]) delete(d TimeDomain, t flow.Time, hash uint64, key K) {
	if d == EventTime {
		ts.event.Delete(t, hash, key, struct{}{})
		return
	}
	ts.processing.Delete(t, hash, key, struct{}{})
}

// fire calls OnTimer for the timers that are due, those too that it registers, until none is left or this turn is over.
func (ts *keyTimers[K]) fire(d TimeDomain, now flow.Time) (done bool) {
	due := ts.event
	if d == ProcessingTime {
		due = ts.processing
		ts.wake = flow.MaxTime
	}
	fired := 0
	for {
		tm, ok := due.PopDue(now)
		if !ok {
			done = true
			break
		}
		ts.call(d, tm)
		if fired++; fired == firingBudget || fired%firingCheck == 0 && ts.ctx.Task.Full() {
			break
		}
	}
	if fired > 0 {
		ts.ctx.Counters.Fired.Add(int64(fired))
	}
	if d == ProcessingTime {
		ts.arm()
	}
	return done
}

func (ts *keyTimers[K]) snapshot(s *state.Snapshot) {
	write := func(name string, f timeservice.Frozen[K, struct{}]) {
		s.Add(func(w *state.SnapshotWriter) error {
			err := f.Sections(ts.ctx.MaxParallelism, ts.codec, func(group int, body []byte) error {
				sec := ts.ctx.Section(name, state.Keyed, ts.codec.Fingerprint())
				sec.KeyGroup = group
				return w.Write(sec, body)
			})
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	write(eventTimers, ts.event.Freeze())
	write(processingTimers, ts.processing.Freeze())
}
