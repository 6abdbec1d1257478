package operators

import (
	"errors"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
)

// KeyedProcessSpec describes a KeyedProcess operator. Key, KeyType and Process are needed. The functions belong to one
// subtask: they may share variables with each other, but not with those of another subtask's spec. What belongs to a key
// is kept in state.
type KeyedProcessSpec[K comparable, I, O any] struct {
	// Key is the key of a record: what the exchange before this operator has hashed.
	Key     func(v *I) K
	KeyType codec.Key[K]
	// Open is called before the first record; here state is declared and what is needed is made.
	Open func(o *OpenContext) error
	// Process is called with every record. v is borrowed.
	Process func(c *KeyedContext[K, O], v *I)
	// OnTimer is called when a timer of c.Key() that was registered for t comes due. Operators without it may not register
	// timers.
	OnTimer func(c *TimerContext[K, O], t flow.Time)
	// Close is called once at the end, also after a failure, but not when Open was not called.
	Close func() error
	// Sides are the side outputs: outputs 1, 2, ... of the operator.
	Sides []SideOutput
}

// KeyedContext is what a keyed process function may see and do for the key of the record in hand. It is valid during the
// call.
type KeyedContext[K comparable, O any] struct {
	emission[O]
	keyed[K]
}

// TimerContext is what OnTimer may see and do for the timer's key. Emit gives records the timer's time if that is one of
// event time. It is valid during the call.
type TimerContext[K comparable, O any] struct {
	*KeyedContext[K, O]
	domain TimeDomain
}

// Domain is the kind of timer that has fired.
func (c *TimerContext[K, O]) Domain() TimeDomain { return c.domain }

// keyed is the part of a context that knows a key: state and timers.
type keyed[K comparable] struct {
	key    K
	hash   uint64
	scope  state.Scope
	timers *keyTimers[K]
}

// Key is the key of the record or timer in hand.
func (c *keyed[K]) Key() K { return c.key }

// StateScope implements state.Scoped: state is read and written for the key of the record or timer in hand.
func (c *keyed[K]) StateScope() *state.Scope { return &c.scope }

// RegisterEventTimer has OnTimer called for this key once the watermark has come to t; once, however often it is
// registered. If the watermark has passed t already, that is when it moves on the next time.
//
// At the end of the input the watermark moves to flow.MaxTime and all timers fire. A timer that is registered anew
// whenever it fires would keep the job from ending: look at Watermark.
func (c *keyed[K]) RegisterEventTimer(t flow.Time) {
	c.timers.register(EventTime, t, c.hash, c.key)
}

// RegisterProcessingTimer has OnTimer called for this key once the clock has come to t; once, however often it is
// registered. Timers that are still pending when the input has ended are dropped.
func (c *keyed[K]) RegisterProcessingTimer(t flow.Time) {
	c.timers.register(ProcessingTime, t, c.hash, c.key)
}

// DeleteEventTimer takes back RegisterEventTimer. It does nothing when there is no such timer.
func (c *keyed[K]) DeleteEventTimer(t flow.Time) { c.timers.delete(EventTime, t, c.hash, c.key) }

// DeleteProcessingTimer takes back RegisterProcessingTimer. It does nothing when there is no such timer.
func (c *keyed[K]) DeleteProcessingTimer(t flow.Time) {
	c.timers.delete(ProcessingTime, t, c.hash, c.key)
}

// keyedCore is what operators with keyed process functions have in common: the context, timers, and their firing.
type keyedCore[K comparable, O any] struct {
	opened
	keyType codec.Key[K]
	onTimer func(c *TimerContext[K, O], t flow.Time)
	out     Output[O]
	c       KeyedContext[K, O]
	tc      TimerContext[K, O]
	timers  keyTimers[K]
	backend *state.KeyedBackend[K]
}

// sweepBudget is how many entries of states with a time to live are looked at with each watermark: some µs, and enough to
// come round ten million keys within minutes.
const sweepBudget = 128

var errNoKey = errors.New("process: no key: set Key and KeyType")

// openKeyed opens state and timers, then the user's function.
func (k *keyedCore[K, O]) openKeyed(ctx *Context, open func(*OpenContext) error, close func() error) error {
	if k.keyType.Hash == nil {
		return errNoKey
	}
	if err := k.c.openOn(ctx); err != nil {
		return err
	}
	k.c.next = k.out.Next()
	k.c.keyed.timers = &k.timers
	k.tc.KeyedContext = &k.c
	if err := k.timers.open(ctx, k.keyType, k.call()); err != nil {
		return err
	}
	k.backend = state.NewBackend(k.keyType, ctx.Groups, ctx.MaxParallelism, ctx.Clock)
	k.keyed = &k.backend.Backend
	return k.open(ctx, open, close)
}

// at sets the context to a key and the time of a record.
func (k *keyedCore[K, O]) at(key K, t flow.Time) *KeyedContext[K, O] {
	c := &k.c
	c.key, c.time = key, t
	c.hash = k.keyType.Hash(&c.key)
	k.backend.At(&c.scope, c.hash, &c.key)
	return c
}

// call is what calls OnTimer for a timer that has come due; nil when there is no OnTimer.
func (k *keyedCore[K, O]) call() func(d TimeDomain, tm keyTimer[K]) {
	onTimer, tc, c := k.onTimer, &k.tc, &k.c
	if onTimer == nil {
		return nil
	}
	return func(d TimeDomain, tm keyTimer[K]) {
		tc.domain = d
		c.key, c.hash, c.time = tm.Key, tm.Hash, tm.Time
		k.backend.At(&c.scope, c.hash, &c.key)
		if d == ProcessingTime {
			c.time = flow.MinTime
		}
		onTimer(tc, tm.Time)
	}
}

// Watermark implements Operator.
func (k *keyedCore[K, O]) Watermark(w flow.Watermark) (done bool) {
	k.c.watermark = w.Time
	k.backend.Sweep(sweepBudget)
	return k.timers.fire(EventTime, w.Time)
}

// ProcessingTime implements Operator.
func (k *keyedCore[K, O]) ProcessingTime(now flow.Time) (done bool) {
	return k.timers.fire(ProcessingTime, now)
}

// Finish implements Operator. Timers of processing time that are still pending are dropped, as in Flink: nobody waits for
// a clock at the end of the input.
func (k *keyedCore[K, O]) Finish() bool { return true }

// Snapshot implements Operator.
func (k *keyedCore[K, O]) Snapshot(s *state.Snapshot, b flow.Barrier) error {
	k.timers.snapshot(s)
	return k.opened.Snapshot(s, b)
}

// KeyedProcess gives every record to a function that keeps state and timers for the record's key, and may emit anything on
// any output.
type KeyedProcess[K comparable, I, O any] struct {
	keyedCore[K, O]
	spec KeyedProcessSpec[K, I, O]
	in   Input[I]
}

// NewKeyedProcess returns an operator as spec says. Mistakes in spec are reported by Open.
func NewKeyedProcess[K comparable, I, O any](spec KeyedProcessSpec[K, I, O]) *KeyedProcess[K, I, O] {
	p := &KeyedProcess[K, I, O]{spec: spec}
	p.keyType, p.onTimer = spec.KeyType, spec.OnTimer
	p.c.emitter = newEmitter(spec.Sides)
	return p
}

// Ports implements Operator.
func (p *KeyedProcess[K, I, O]) Ports() ([]InputPort, []OutputPort) {
	return []InputPort{&p.in}, p.c.outputs(&p.out)
}

// Open implements Operator.
func (p *KeyedProcess[K, I, O]) Open(ctx *Context) error {
	switch {
	case p.spec.Key == nil:
		return errNoKey
	case p.spec.Process == nil:
		return errors.New("process: no Process function")
	}
	key, process := p.spec.Key, p.spec.Process
	p.in.Record = func(v *I, t flow.Time) { process(p.at(key(v), t), v) }
	return p.openKeyed(ctx, p.spec.Open, p.spec.Close)
}
