package operators

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/weirstream/weir/flow"
)

// Tag names a side output for records of T. Make one with NewTag, once, and use it where records are emitted, where the
// operator is described (ProcessSpec.Sides) and where the output is taken up.
type Tag[T any] struct{ id string }

// NewTag returns the tag of a side output. id is unique within the operator and for people.
func NewTag[T any](id string) Tag[T] { return Tag[T]{id} }

// SideOutput is a Tag[T] whose T is forgotten.
type SideOutput interface {
	// ID is the tag's name.
	ID() string
	// Type is T.
	Type() reflect.Type
	open() sidePort
}

// ID implements SideOutput.
func (g Tag[T]) ID() string { return g.id }

// Type implements SideOutput.
func (g Tag[T]) Type() reflect.Type { return reflect.TypeFor[T]() }

func (g Tag[T]) open() sidePort { return &side[T]{} }

// Emit emits v on the side output, with the time that c's main output would give it.
func (g Tag[T]) Emit(c Emitter, v T) {
	e := c.emits()
	g.EmitAt(c, v, e.time)
}

// EmitAt is Emit with a time of one's own.
func (g Tag[T]) EmitAt(c Emitter, v T, t flow.Time) {
	e := c.emits()
	for i := range e.sides {
		if e.sides[i].id == g.id {
			if s, ok := e.sides[i].port.(*side[T]); ok {
				s.scratch = v
				s.Emit(&s.scratch, t)
				return
			}
		}
	}
	e.op.Fail(fmt.Errorf("side output %q of %v was not declared: add its tag to Sides", g.id, g.Type()))
}

// Emitter is what records can be emitted through: the context of a process function.
type Emitter interface{ emits() *emitter }

type sidePort interface {
	OutputPort
	wire()
}

// side is the output behind a tag.
type side[T any] struct {
	Output[T]
	scratch T
}

func (s *side[T]) wire() { s.Next() }

type namedSide struct {
	id   string
	port sidePort
}

// emitter is what the contexts of all process functions know.
type emitter struct {
	op        *Context
	time      flow.Time // of the record or timer in hand
	watermark flow.Time
	sides     []namedSide
}

func (e *emitter) emits() *emitter { return e }

func newEmitter(sides []SideOutput) emitter {
	e := emitter{time: flow.MinTime, watermark: flow.MinTime}
	for _, s := range sides {
		e.sides = append(e.sides, namedSide{s.ID(), s.open()})
	}
	return e
}

// outputs are main and the side outputs behind it, in the order in which they were declared.
func (e *emitter) outputs(main OutputPort) []OutputPort {
	outs := []OutputPort{main}
	for _, s := range e.sides {
		outs = append(outs, s.port)
	}
	return outs
}

func (e *emitter) openOn(ctx *Context) error {
	e.op = ctx
	if ctx.Restore != nil {
		e.watermark = ctx.RestoredWatermark
	}
	seen := map[string]bool{}
	for _, s := range e.sides {
		if s.id == "" || seen[s.id] {
			return fmt.Errorf("side output %q is declared twice, or has no name", s.id)
		}
		seen[s.id] = true
		s.port.wire()
	}
	return nil
}

// Timestamp is the event time of the record in hand, or the time of the timer. Records that a processing-time timer emits
// have no event time of their own: they get flow.MinTime unless EmitAt gives them one.
func (e *emitter) Timestamp() flow.Time { return e.time }

// Watermark is where event time stands.
func (e *emitter) Watermark() flow.Time { return e.watermark }

// ProcessingTime reads the clock. That is dear for something done with every record.
func (e *emitter) ProcessingTime() flow.Time { return e.op.Clock.Now() }

// Fail fails the subtask; the job goes on from the last checkpoint. It does not return.
func (e *emitter) Fail(err error) { e.op.Fail(err) }

// Counters are the operator's.
func (e *emitter) Counters() *Counters { return e.op.Counters }

// emission adds the main output of a process function.
type emission[O any] struct {
	emitter
	next    Next[O]
	scratch O
}

// Emit emits v with the time of the record in hand.
func (e *emission[O]) Emit(v O) {
	e.scratch = v
	e.next(&e.scratch, e.time)
}

// EmitAt emits v with time t.
func (e *emission[O]) EmitAt(v O, t flow.Time) {
	e.scratch = v
	e.next(&e.scratch, t)
}

// EmitRef is Emit without copying v first. v must not change during the call.
func (e *emission[O]) EmitRef(v *O) { e.next(v, e.time) }

// ProcessSpec describes a Process operator. Only Process is needed. The functions belong to one subtask: they may share
// variables with each other, but not with those of another subtask's ProcessSpec.
type ProcessSpec[I, O any] struct {
	// Open is called before the first record; here state is declared and what is needed is made.
	Open func(o *OpenContext) error
	// Process is called with every record. v is borrowed.
	Process func(c *ProcessContext[O], v *I)
	// Close is called once at the end, also after a failure, but not when Open was not called.
	Close func() error
	// Sides are the side outputs: outputs 1, 2, ... of the operator.
	Sides []SideOutput
}

// ProcessContext is what a Process function may see and do. It is valid during the call.
type ProcessContext[O any] struct{ emission[O] }

// plainCore is what operators with process functions without a key have in common.
type plainCore[O any] struct {
	opened
	out Output[O]
	c   ProcessContext[O]
}

func (p *plainCore[O]) openPlain(ctx *Context, open func(*OpenContext) error, close func() error) error {
	if err := p.c.openOn(ctx); err != nil {
		return err
	}
	p.c.next = p.out.Next()
	return p.open(ctx, open, close)
}

// at sets the context to the time of a record.
func (p *plainCore[O]) at(t flow.Time) *ProcessContext[O] {
	p.c.time = t
	return &p.c
}

// Watermark implements Operator.
func (p *plainCore[O]) Watermark(w flow.Watermark) bool {
	p.c.watermark = w.Time
	return true
}

// ProcessingTime implements Operator.
func (p *plainCore[O]) ProcessingTime(flow.Time) bool { return true }

// Finish implements Operator.
func (p *plainCore[O]) Finish() bool { return true }

// Process gives every record to a function that may emit anything on any output.
type Process[I, O any] struct {
	plainCore[O]
	spec ProcessSpec[I, O]
	in   Input[I]
}

// NewProcess returns an operator as spec says.
func NewProcess[I, O any](spec ProcessSpec[I, O]) *Process[I, O] {
	p := &Process[I, O]{spec: spec}
	p.c.emitter = newEmitter(spec.Sides)
	return p
}

// Ports implements Operator.
func (p *Process[I, O]) Ports() ([]InputPort, []OutputPort) {
	return []InputPort{&p.in}, p.c.outputs(&p.out)
}

// Open implements Operator.
func (p *Process[I, O]) Open(ctx *Context) error {
	if p.spec.Process == nil {
		return errors.New("process: no Process function")
	}
	process := p.spec.Process
	p.in.Record = func(v *I, t flow.Time) { process(p.at(t), v) }
	return p.openPlain(ctx, p.spec.Open, p.spec.Close)
}
