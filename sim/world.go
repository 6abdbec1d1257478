package sim

import (
	"container/heap"
	"io"
	"math/rand/v2"
	"time"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

// Costs and delays, all virtual.
const (
	maxStep    = 400 * time.Microsecond // of one step: a busy actor's pass
	maxWork    = 60 * time.Millisecond  // of work on another goroutine: an upload, a commit
	shortStall = 80 * time.Millisecond  // of an actor whose goroutine has to wait for its turn
	longStall  = 45 * time.Second       // of a machine that hangs: longer than every lease
	maxJump    = 45 * time.Second       // of the clock
)

// epoch is where virtual time begins: some day that is not zero.
const epoch flow.Time = 1_750_000_000_000

// entry is something that can be done next.
type entry struct {
	kind string
	run  func()
}

// World is the machine that everything runs on: a queue of what can be done, and the time. It is the dispatcher and the
// clock of the actors.
type World struct {
	rand   *rand.Rand
	queue  []entry
	alarms alarms
	nanos  int64 // since the start
	made   int64 // alarms
	steps  int
	trace  *trace
	// disturbed: faults are allowed.
	disturbed bool
}

// newWorld makes the world of a seed. out, if not nil, gets the trace.
func newWorld(seed uint64, out io.Writer) *World {
	w := &World{rand: rand.New(rand.NewPCG(seed, 0x5eed))}
	w.trace = newTrace(w, out)
	return w
}

// one reports true once in so many calls.
func (w *World) one(in int) bool { return w.rand.IntN(in) == 0 }

// upTo is a random duration.
func (w *World) upTo(d time.Duration) time.Duration { return time.Duration(w.rand.Int64N(int64(d))) }

// Schedule implements actor.Dispatcher. Most passes can run at once; some actors are held up first.
func (w *World) Schedule(pass func()) {
	e := entry{"pass", pass}
	switch {
	case w.disturbed && w.one(40_000):
		d := w.upTo(longStall)
		w.trace.note("stall", "an actor for %v", d)
		w.after(d, e)
	case w.one(150):
		w.after(w.upTo(shortStall), e)
	default:
		w.queue = append(w.queue, e)
	}
}

// Throughput implements actor.Dispatcher: a pass is one message, so that the schedule has a say after every one.
func (w *World) Throughput() int { return 1 }

// Go runs work later, as a step of its own.
func (w *World) Go(work func()) { w.after(w.upTo(maxWork), entry{"work", work}) }

// Now implements timeservice.Clock.
func (w *World) Now() flow.Time { return epoch + flow.Time(w.nanos/int64(time.Millisecond)) }

// Nanos implements timeservice.Clock.
func (w *World) Nanos() int64 { return w.nanos }

// AfterFunc implements timeservice.Clock.
func (w *World) AfterFunc(d time.Duration, f func()) timeservice.Alarm {
	return w.after(d, entry{"alarm", f})
}

func (w *World) after(d time.Duration, e entry) *alarm {
	w.made++
	a := &alarm{at: w.nanos + int64(max(0, d)), n: w.made, entry: e}
	heap.Push(&w.alarms, a)
	return a
}

// step does one thing that can be done, and reports false if there is nothing any more and never will be.
func (w *World) step() bool {
	w.steps++
	w.nanos += int64(w.upTo(maxStep))
	if w.disturbed && w.one(60_000) {
		d := w.upTo(maxJump)
		w.trace.note("jump", "the clock, by %v", d)
		w.nanos += int64(d)
	}
	if len(w.queue) == 0 {
		if len(w.alarms) == 0 {
			return false
		}
		w.nanos = max(w.nanos, w.alarms[0].at)
	}
	for len(w.alarms) > 0 && w.alarms[0].at <= w.nanos {
		a := heap.Pop(&w.alarms).(*alarm)
		if !a.dead {
			a.dead = true
			w.queue = append(w.queue, a.entry)
		}
	}
	if len(w.queue) == 0 {
		return true // a stopped alarm
	}
	i := w.rand.IntN(len(w.queue))
	e := w.queue[i]
	w.trace.step(e.kind, i, len(w.queue))
	last := len(w.queue) - 1
	w.queue[i], w.queue[last] = w.queue[last], entry{}
	w.queue = w.queue[:last]
	e.run()
	return true
}

// alarm is something that is done when the time has come.
type alarm struct {
	at, n int64
	entry entry
	dead  bool
}

// Stop implements timeservice.Alarm.
func (a *alarm) Stop() bool {
	was := !a.dead
	a.dead = true
	return was
}

// alarms is a heap by time, then by the order of making.
type alarms []*alarm

func (h alarms) Len() int { return len(h) }
func (h alarms) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].n < h[j].n
}
func (h alarms) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *alarms) Push(x any)   { *h = append(*h, x.(*alarm)) }
func (h *alarms) Pop() any {
	old := *h
	last := len(old) - 1
	a := old[last]
	old[last] = nil
	*h = old[:last]
	return a
}
