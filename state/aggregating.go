package state

// Aggregating is one accumulator A per key, to which values I are added and of which results O are made.
type Aggregating[I, A, O any] struct{ a *aggregating[I, A, O] }

type aggregating[I, A, O any] struct {
	*values[A]
	create func() A
	add    func(acc *A, v *I)
	result func(acc *A) O
	v      I // the value that is being added: a variable that is there already
}

// NewAggregating declares an Aggregating. result only reads the accumulator.
func NewAggregating[I, A, O any](r Registry, name string, create func() A, add func(acc *A, v *I), result func(acc *A) O, opts ...Option) Aggregating[I, A, O] {
	return Aggregating[I, A, O]{&aggregating[I, A, O]{
		values: newValues[A](r, name, "aggregating", opts), create: create, add: add, result: result,
	}}
}

// Add adds v to the accumulator of the key at hand.
func (h Aggregating[I, A, O]) Add(s Scoped, v I) {
	at, fresh := h.a.write(h.a.b.scope(s))
	if fresh {
		*at = h.a.create()
	}
	h.a.v = v
	h.a.add(at, &h.a.v)
}

// Get returns the result for the key at hand, if anything was added.
func (h Aggregating[I, A, O]) Get(s Scoped) (O, bool) {
	if acc := h.a.read(h.a.b.scope(s)); acc != nil {
		return h.a.result(acc), true
	}
	return *new(O), false
}

// Clear removes the accumulator of the key at hand.
func (h Aggregating[I, A, O]) Clear(s Scoped) { h.a.clear(h.a.b.scope(s)) }
