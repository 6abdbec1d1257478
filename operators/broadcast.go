package operators

import (
	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// BroadcastContext is what a function may see and do for a broadcast record. It alone may write BroadcastState. What it
// emits is emitted by every subtask. It is valid during the call.
type BroadcastContext[O any] struct{ *emission[O] }

func (c *BroadcastContext[O]) writesBroadcast() {}

// BroadcastProcessSpec describes a BroadcastProcess operator. The two Process functions are needed. The functions belong
// to one subtask, as those of ProcessSpec.
type BroadcastProcessSpec[I, B, O any] struct {
	// Open is called before the first record; here BroadcastState is declared.
	Open func(o *OpenContext) error
	// Process is called with every record of input 0. v is borrowed.
	Process func(c *ProcessContext[O], v *I)
	// ProcessBroadcast is called with every record of input 1, on every subtask. v is borrowed.
	ProcessBroadcast func(c *BroadcastContext[O], v *B)
	// Close is called once at the end, also after a failure, but not when Open was not called.
	Close func() error
	// Sides are the side outputs: outputs 1, 2, ... of the operator.
	Sides []SideOutput
}

// BroadcastProcess gives the records of its main input to a function that reads what broadcast records have written.
type BroadcastProcess[I, B, O any] struct {
	plainCore[O]
	spec BroadcastProcessSpec[I, B, O]
	in   Input[I]
	all  Input[B]
	bc   BroadcastContext[O]
}

// NewBroadcastProcess returns an operator as spec says.
func NewBroadcastProcess[I, B, O any](spec BroadcastProcessSpec[I, B, O]) *BroadcastProcess[I, B, O] {
	p := &BroadcastProcess[I, B, O]{spec: spec}
	p.c.emitter = newEmitter(spec.Sides)
	p.bc.emission = &p.c.emission
	return p
}

// Ports implements Operator.
func (p *BroadcastProcess[I, B, O]) Ports() ([]InputPort, []OutputPort) {
	return []InputPort{&p.in, &p.all}, p.c.outputs(&p.out)
}

// Open implements Operator.
func (p *BroadcastProcess[I, B, O]) Open(ctx *Context) error {
	process, broadcast := p.spec.Process, p.spec.ProcessBroadcast
	if process == nil || broadcast == nil {
		return errNoFunctions
	}
	p.in.Record = func(v *I, t flow.Time) { process(p.at(t), v) }
	p.all.Record = func(v *B, t flow.Time) {
		p.at(t)
		broadcast(&p.bc, v)
	}
	return p.openPlain(ctx, p.spec.Open, p.spec.Close)
}

// KeyedBroadcastProcessSpec describes a KeyedBroadcastProcess operator. Key, KeyType and the two Process functions are
// needed. The functions belong to one subtask, as those of KeyedProcessSpec.
type KeyedBroadcastProcessSpec[K comparable, I, B, O any] struct {
	// Key is the key of a record of input 0: what the exchange before this operator has hashed.
	Key     func(v *I) K
	KeyType codec.Key[K]
	// Open is called before the first record; here state is declared, of either kind.
	Open func(o *OpenContext) error
	// Process is called with every record of input 0. v is borrowed.
	Process func(c *KeyedContext[K, O], v *I)
	// ProcessBroadcast is called with every record of input 1, on every subtask. v is borrowed.
	ProcessBroadcast func(c *BroadcastContext[O], v *B)
	// OnTimer is called when a timer of c.Key() comes due.
	OnTimer func(c *TimerContext[K, O], t flow.Time)
	// Close is called once at the end, also after a failure, but not when Open was not called.
	Close func() error
	// Sides are the side outputs: outputs 1, 2, ... of the operator.
	Sides []SideOutput
}

// KeyedBroadcastProcess is BroadcastProcess with state and timers for the keys of its main input.
type KeyedBroadcastProcess[K comparable, I, B, O any] struct {
	keyedCore[K, O]
	spec KeyedBroadcastProcessSpec[K, I, B, O]
	in   Input[I]
	all  Input[B]
	bc   BroadcastContext[O]
}

// NewKeyedBroadcastProcess returns an operator as spec says.
func NewKeyedBroadcastProcess[K comparable, I, B, O any](spec KeyedBroadcastProcessSpec[K, I, B, O]) *KeyedBroadcastProcess[K, I, B, O] {
	p := &KeyedBroadcastProcess[K, I, B, O]{spec: spec}
	p.keyType, p.onTimer = spec.KeyType, spec.OnTimer
	p.c.emitter = newEmitter(spec.Sides)
	p.bc.emission = &p.c.emission
	return p
}

// Ports implements Operator.
func (p *KeyedBroadcastProcess[K, I, B, O]) Ports() ([]InputPort, []OutputPort) {
	return []InputPort{&p.in, &p.all}, p.c.outputs(&p.out)
}

// Open implements Operator.
func (p *KeyedBroadcastProcess[K, I, B, O]) Open(ctx *Context) error {
	key, process, broadcast := p.spec.Key, p.spec.Process, p.spec.ProcessBroadcast
	switch {
	case key == nil:
		return errNoKey
	case process == nil || broadcast == nil:
		return errNoFunctions
	}
	p.in.Record = func(v *I, t flow.Time) { process(p.at(key(v), t), v) }
	p.all.Record = func(v *B, t flow.Time) {
		p.c.time = t
		broadcast(&p.bc, v)
	}
	return p.openKeyed(ctx, p.spec.Open, p.spec.Close)
}
