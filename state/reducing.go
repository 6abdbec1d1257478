package state

// Reducing is one T per key, into which values are merged.
type Reducing[T any] struct{ r *reducing[T] }

type reducing[T any] struct {
	*values[T]
	merge func(into, v *T)
	v     T // the value that is being added: a variable that is there already
}

// NewReducing declares a Reducing. merge puts v into *into, without keeping or changing what v refers to; it must be
// associative.
func NewReducing[T any](r Registry, name string, merge func(into, v *T), opts ...Option) Reducing[T] {
	return Reducing[T]{&reducing[T]{values: newValues[T](r, name, "reducing", opts), merge: merge}}
}

// Add merges v into the value of the key at hand; the first value is taken as it is.
func (h Reducing[T]) Add(s Scoped, v T) {
	at, fresh := h.r.write(h.r.b.scope(s))
	if fresh {
		*at = v
		return
	}
	h.r.v = v
	h.r.merge(at, &h.r.v)
}

// Get returns the merged value of the key at hand, if there is one.
func (h Reducing[T]) Get(s Scoped) (T, bool) {
	if v := h.r.read(h.r.b.scope(s)); v != nil {
		return *v, true
	}
	return *new(T), false
}

// Clear removes the value of the key at hand.
func (h Reducing[T]) Clear(s Scoped) { h.r.clear(h.r.b.scope(s)) }
