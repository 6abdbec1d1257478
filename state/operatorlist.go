package state

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/weirstream/weir/flow"
)

// OperatorList is a list of one subtask. When the parallelism changes, the elements of all subtasks, in order, are dealt
// out evenly.
type OperatorList[T any] struct{ *elements[T] }

// UnionList is a list of one subtask. After a restore every subtask has the elements of all, in order.
type UnionList[T any] struct{ *elements[T] }

// NewOperatorList declares an OperatorList.
func NewOperatorList[T any](r OperatorRegistry, name string, opts ...Option) OperatorList[T] {
	return OperatorList[T]{newElements[T](r, name, Split, opts)}
}

// NewUnionList declares a UnionList.
func NewUnionList[T any](r OperatorRegistry, name string, opts ...Option) UnionList[T] {
	return UnionList[T]{newElements[T](r, name, Union, opts)}
}

// elements are what OperatorList and UnionList have in common: all but how they are restored.
type elements[T any] struct {
	id    string
	split Kind
	codec flow.Codec[T]
	all   []T
}

func newElements[T any](r OperatorRegistry, name string, kind Kind, opts []Option) *elements[T] {
	o := apply(opts)
	c, err := codecFor[T](o)
	e := &elements[T]{id: name, split: kind, codec: c}
	r.OperatorStates().declare(e, err, noLifetime(o))
	return e
}

func noLifetime(o options) error {
	if o.life.on() {
		return fmt.Errorf("only keyed state can have a time to live")
	}
	return nil
}

// Append adds elements at the end.
func (e *elements[T]) Append(elems ...T) { e.all = append(e.all, elems...) }

// Set replaces all elements.
func (e *elements[T]) Set(elems []T) { e.all = slices.Clone(elems) }

// Clear removes all elements.
func (e *elements[T]) Clear() { e.all = nil }

// Len is the number of elements.
func (e *elements[T]) Len() int { return len(e.all) }

// All goes through the elements as they are when the loop begins.
func (e *elements[T]) All() iter.Seq[T] { return slices.Values(e.all) }

func (e *elements[T]) name() string   { return e.id }
func (e *elements[T]) kind() Kind     { return e.split }
func (e *elements[T]) format() string { return "elements1(" + e.codec.Fingerprint() + ")" }

func (e *elements[T]) append(buf []byte) (_ []byte, err error) {
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(e.all)))
	for i := range e.all {
		if buf, err = e.codec.Append(buf, &e.all[i]); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

func (e *elements[T]) load(bodies [][]byte, subtask, parallelism int) error {
	var all []T
	for _, body := range bodies {
		n, rest, err := readCount(body)
		if err != nil {
			return err
		}
		for i := range n {
			var v T
			if rest, err = e.codec.Read(rest, &v); err != nil {
				return fmt.Errorf("%w: element %d of %d: %w", ErrDamaged, i, n, err)
			}
			all = append(all, v)
		}
		if len(rest) > 0 {
			return fmt.Errorf("%w: %d bytes behind the last of %d elements", ErrDamaged, len(rest), n)
		}
	}
	if e.split == Split {
		all = all[len(all)*subtask/parallelism : len(all)*(subtask+1)/parallelism]
	}
	e.all = append(e.all, all...)
	return nil
}
