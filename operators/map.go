package operators

import "github.com/weirstream/weir/flow"

// oneInOneOut is the ports of an operator with one input and one output.
type oneInOneOut[I, O any] struct {
	In  Input[I]
	Out Output[O]
}

func (p *oneInOneOut[I, O]) Ports() ([]InputPort, []OutputPort) {
	return []InputPort{&p.In}, []OutputPort{&p.Out}
}

// Map makes one record of each.
type Map[I, O any] struct {
	Stateless
	oneInOneOut[I, O]
	f func(v *I) O
}

// NewMap returns an operator that emits f of every record.
func NewMap[I, O any](f func(v *I) O) *Map[I, O] { return &Map[I, O]{f: f} }

func (m *Map[I, O]) Open(*Context) error {
	f, next, scratch := m.f, m.Out.Next(), new(O)
	m.In.Record = func(v *I, t flow.Time) {
		*scratch = f(v)
		next(scratch, t)
	}
	return nil
}

// MapInto makes one record of each, in place.
type MapInto[I, O any] struct {
	Stateless
	oneInOneOut[I, O]
	f func(v *I, out *O)
}

// NewMapInto returns an operator that emits what f writes to out. out holds the result before: f must set every field
// that matters. This is Map for wide results.
func NewMapInto[I, O any](f func(v *I, out *O)) *MapInto[I, O] { return &MapInto[I, O]{f: f} }

func (m *MapInto[I, O]) Open(*Context) error {
	f, next, scratch := m.f, m.Out.Next(), new(O)
	m.In.Record = func(v *I, t flow.Time) {
		f(v, scratch)
		next(scratch, t)
	}
	return nil
}

// Filter lets some records pass.
type Filter[T any] struct {
	Stateless
	oneInOneOut[T, T]
	keep func(v *T) bool
}

// NewFilter returns an operator that passes on the records for which keep is true.
func NewFilter[T any](keep func(v *T) bool) *Filter[T] { return &Filter[T]{keep: keep} }

func (f *Filter[T]) Open(*Context) error {
	keep, next := f.keep, f.Out.Next()
	f.In.Record = func(v *T, t flow.Time) {
		if keep(v) {
			next(v, t)
		}
	}
	return nil
}

// Collector takes the records that a FlatMap makes.
type Collector[O any] struct {
	next    Next[O]
	time    flow.Time
	scratch O
}

// NewCollector returns a collector in front of next, which is told no times.
func NewCollector[O any](next func(v *O)) *Collector[O] {
	return &Collector[O]{next: func(v *O, _ flow.Time) { next(v) }}
}

// Emit passes v on with the time of the record it was made of.
func (c *Collector[O]) Emit(v O) {
	c.scratch = v
	c.next(&c.scratch, c.time)
}

// EmitRef passes *v on without copying it first. v must not change during the call.
func (c *Collector[O]) EmitRef(v *O) { c.next(v, c.time) }

// FlatMap makes any number of records of each.
type FlatMap[I, O any] struct {
	Stateless
	oneInOneOut[I, O]
	f func(v *I, out *Collector[O])
}

// NewFlatMap returns an operator that emits what f gives to out.
func NewFlatMap[I, O any](f func(v *I, out *Collector[O])) *FlatMap[I, O] {
	return &FlatMap[I, O]{f: f}
}

func (m *FlatMap[I, O]) Open(*Context) error {
	f, out := m.f, &Collector[O]{next: m.Out.Next()}
	m.In.Record = func(v *I, t flow.Time) {
		out.time = t
		f(v, out)
	}
	return nil
}
