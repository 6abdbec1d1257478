package operators

import (
	"encoding/binary"
	"fmt"

	"github.com/weirstream/weir/flow"
)

// Aggregate folds records of T into an accumulator A, in place.
//
// An accumulator lives in a table and is moved about there: no function may keep the pointers it is given.
type Aggregate[T, A any] struct {
	// Create makes an empty accumulator; nil means the zero value.
	Create func() A
	// Add takes one record in.
	Add func(acc *A, v *T)
	// Merge adds other to acc. other is only read, and acc must not share memory with it afterwards that either may
	// still change. acc has the records that came first. Sliding and session windows need it.
	Merge func(acc, other *A)
	// Retract takes away from acc what Merge had added. It is optional, and makes sliding windows cheaper: where
	// Merge(a, b) followed by Retract(a, b) gives a back. Floating-point sums do so but for rounding.
	Retract func(acc, other *A)
	// Codec writes accumulators into snapshots.
	Codec flow.Codec[A]
}

// fresh is an empty accumulator.
func (g *Aggregate[T, A]) fresh() (a A) {
	if g.Create != nil {
		return g.Create()
	}
	return a
}

// BufferAggregate keeps all records, for functions that want to see the whole window at once. elem writes the records.
func BufferAggregate[T any](elem flow.Codec[T]) Aggregate[T, []T] {
	return Aggregate[T, []T]{
		Add:   func(acc *[]T, v *T) { *acc = append(*acc, *v) },
		Merge: func(acc, other *[]T) { *acc = append(*acc, *other...) },
		Codec: bufferCodec[T]{elem},
	}
}

// Reduced is the accumulator of ReduceAggregate: Value means something once Set is true.
type Reduced[T any] struct {
	Value T
	Set   bool
}

// ReduceAggregate combines records with each other: combine(acc, v) makes *acc the combination of both, *acc being what
// came first. It must be associative. elem writes records.
func ReduceAggregate[T any](combine func(acc, v *T), elem flow.Codec[T]) Aggregate[T, Reduced[T]] {
	add := func(acc *Reduced[T], v *T) {
		if acc.Set {
			combine(&acc.Value, v)
			return
		}
		acc.Value, acc.Set = *v, true
	}
	return Aggregate[T, Reduced[T]]{
		Add: add,
		Merge: func(acc, other *Reduced[T]) {
			if other.Set {
				add(acc, &other.Value)
			}
		},
		Codec: reducedCodec[T]{elem},
	}
}

// bufferCodec writes the number of records and then each.
type bufferCodec[T any] struct{ elem flow.Codec[T] }

// maxBuffered bounds the records of one buffer: a larger number in a snapshot means damage.
const maxBuffered = 1 << 31

func (c bufferCodec[T]) Append(buf []byte, v *[]T) (_ []byte, err error) {
	buf = binary.AppendUvarint(buf, uint64(len(*v)))
	for i := range *v {
		if buf, err = c.elem.Append(buf, &(*v)[i]); err != nil {
			return buf, fmt.Errorf("record %d of a window's buffer: %w", i, err)
		}
	}
	return buf, nil
}

func (c bufferCodec[T]) Read(buf []byte, v *[]T) (_ []byte, err error) {
	n, w := binary.Uvarint(buf)
	if w <= 0 || n > maxBuffered {
		return buf, fmt.Errorf("a window's buffer: its length does not parse")
	}
	buf = buf[w:]
	*v = nil
	for i := range n {
		var e T
		if buf, err = c.elem.Read(buf, &e); err != nil {
			return buf, fmt.Errorf("record %d of a window's buffer: %w", i, err)
		}
		*v = append(*v, e)
	}
	return buf, nil
}

func (c bufferCodec[T]) Fingerprint() string { return "buffer(" + c.elem.Fingerprint() + ")" }

// reducedCodec writes 0 for nothing, or 1 and the value.
type reducedCodec[T any] struct{ elem flow.Codec[T] }

func (c reducedCodec[T]) Append(buf []byte, v *Reduced[T]) ([]byte, error) {
	if !v.Set {
		return append(buf, 0), nil
	}
	return c.elem.Append(append(buf, 1), &v.Value)
}

func (c reducedCodec[T]) Read(buf []byte, v *Reduced[T]) ([]byte, error) {
	if len(buf) == 0 || buf[0] > 1 {
		return buf, fmt.Errorf("a reduced value: its first byte is not 0 or 1")
	}
	set := buf[0] == 1
	*v = Reduced[T]{Set: set}
	if !set {
		return buf[1:], nil
	}
	return c.elem.Read(buf[1:], &v.Value)
}

func (c reducedCodec[T]) Fingerprint() string { return "reduced(" + c.elem.Fingerprint() + ")" }
