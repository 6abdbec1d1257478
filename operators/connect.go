package operators

import (
	"errors"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// CoProcessSpec describes a CoProcess operator. ProcessA and ProcessB are needed. The functions belong to one subtask, as
// those of ProcessSpec.
type CoProcessSpec[A, B, O any] struct {
	// Open is called before the first record.
	Open func(o *OpenContext) error
	// ProcessA is called with every record of input 0, ProcessB with every record of input 1, one at a time, in the order
	// in which they come. v is borrowed.
	ProcessA func(c *ProcessContext[O], v *A)
	ProcessB func(c *ProcessContext[O], v *B)
	// Close is called once at the end, also after a failure, but not when Open was not called.
	Close func() error
	// Sides are the side outputs: outputs 1, 2, ... of the operator.
	Sides []SideOutput
}

// CoProcess gives the records of two inputs to functions that may share what they know.
type CoProcess[A, B, O any] struct {
	plainCore[O]
	spec CoProcessSpec[A, B, O]
	a    Input[A]
	b    Input[B]
}

var errNoFunctions = errors.New("process: a function is missing: both inputs need one")

// NewCoProcess returns an operator as spec says.
func NewCoProcess[A, B, O any](spec CoProcessSpec[A, B, O]) *CoProcess[A, B, O] {
	p := &CoProcess[A, B, O]{spec: spec}
	p.c.emitter = newEmitter(spec.Sides)
	return p
}

// Ports implements Operator.
func (p *CoProcess[A, B, O]) Ports() ([]InputPort, []OutputPort) {
	return []InputPort{&p.a, &p.b}, p.c.outputs(&p.out)
}

// Open implements Operator.
func (p *CoProcess[A, B, O]) Open(ctx *Context) error {
	a, b := p.spec.ProcessA, p.spec.ProcessB
	if a == nil || b == nil {
		return errNoFunctions
	}
	p.a.Record = func(v *A, t flow.Time) { a(p.at(t), v) }
	p.b.Record = func(v *B, t flow.Time) { b(p.at(t), v) }
	return p.openPlain(ctx, p.spec.Open, p.spec.Close)
}

// KeyedCoProcessSpec describes a KeyedCoProcess operator. Keys, KeyType and the two Process functions are needed.
type KeyedCoProcessSpec[K comparable, A, B, O any] struct {
	// KeyA and KeyB are the keys of records of inputs 0 and 1: what the exchanges before this operator have hashed.
	KeyA    func(v *A) K
	KeyB    func(v *B) K
	KeyType codec.Key[K]
	// Open is called before the first record; here state is declared, which both inputs share.
	Open func(o *OpenContext) error
	// ProcessA is called with every record of input 0, ProcessB with every record of input 1, one at a time, in the order
	// in which they come. v is borrowed.
	ProcessA func(c *KeyedContext[K, O], v *A)
	ProcessB func(c *KeyedContext[K, O], v *B)
	// OnTimer is called when a timer of c.Key() comes due, whichever input has registered it.
	OnTimer func(c *TimerContext[K, O], t flow.Time)
	// Close is called once at the end, also after a failure, but not when Open was not called.
	Close func() error
	// Sides are the side outputs: outputs 1, 2, ... of the operator.
	Sides []SideOutput
}

// KeyedCoProcess gives the records of two inputs that have the same key to functions that share the key's state and timers.
type KeyedCoProcess[K comparable, A, B, O any] struct {
	keyedCore[K, O]
	spec KeyedCoProcessSpec[K, A, B, O]
	a    Input[A]
	b    Input[B]
}

// NewKeyedCoProcess returns an operator as spec says.
func NewKeyedCoProcess[K comparable, A, B, O any](spec KeyedCoProcessSpec[K, A, B, O]) *KeyedCoProcess[K, A, B, O] {
	p := &KeyedCoProcess[K, A, B, O]{spec: spec}
	p.keyType, p.onTimer = spec.KeyType, spec.OnTimer
	p.c.emitter = newEmitter(spec.Sides)
	return p
}

// Ports implements Operator.
func (p *KeyedCoProcess[K, A, B, O]) Ports() ([]InputPort, []OutputPort) {
	return []InputPort{&p.a, &p.b}, p.c.outputs(&p.out)
}

// Open implements Operator.
func (p *KeyedCoProcess[K, A, B, O]) Open(ctx *Context) error {
	a, b, keyA, keyB := p.spec.ProcessA, p.spec.ProcessB, p.spec.KeyA, p.spec.KeyB
	switch {
	case keyA == nil || keyB == nil:
		return errNoKey
	case a == nil || b == nil:
		return errNoFunctions
	}
	p.a.Record = func(v *A, t flow.Time) { a(p.at(keyA(v), t), v) }
	p.b.Record = func(v *B, t flow.Time) { b(p.at(keyB(v), t), v) }
	return p.openKeyed(ctx, p.spec.Open, p.spec.Close)
}
