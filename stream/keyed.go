package stream

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
)

// Aggregate folds records of T into an accumulator A. Only Add is needed by Fold and by tumbling windows; sliding and
// session windows need Merge as well. Without a Codec the accumulator is stored by codec.For.
type Aggregate[T, A any] = operators.Aggregate[T, A]

// Keyed is a stream whose records meet those of the same key in one subtask of the next step.
type Keyed[K comparable, T any] struct {
	in  Stream[T] // spread by key
	key func(v *T) K
	typ codec.Key[K]
	err error // reported by the step that uses the key
}

// KeyBy spreads records by their key. key must give the same for the same record whenever it is called: it is called
// where the record leaves and once more where it arrives.
//
// Keys are booleans, numbers, strings, and arrays and structs of them; Build reports others.
func KeyBy[K comparable, T any](s Stream[T], key func(v *T) K) Keyed[K, T] {
	k := Keyed[K, T]{key: key}
	if k.typ, k.err = codec.KeyFor[K](); k.err != nil {
		k.err = fmt.Errorf("KeyBy: %v cannot be a key: %w", reflect.TypeFor[K](), k.err)
	} else if key == nil {
		k.err = errors.New("KeyBy: the function is nil")
	}
	var route any
	if k.err == nil {
		route = hashRoute(key, k.typ.Hash)
	}
	k.in = s.spread(operators.Hash, route)
	return k
}

// Reduce folds all records of a key into one and emits that after every record: f takes v into acc, which holds the
// records so far. The first record of a key is emitted as it is. acc may be changed, but not what v refers to.
func (k Keyed[K, T]) Reduce(f func(acc, v *T), opts ...Option) Stream[T] {
	records, err := codecOf[T]("records")
	return keyedThen[K, T, T](k, "reduce", func() operators.Operator {
		return operators.NewReduce(operators.ReduceSpec[K, T]{Key: k.key, KeyType: k.typ, Reduce: f, Codec: records})
	}, stateFormat(k.typ, records), check(firstOf(k.err, missing("the function", f == nil), err)), opts)
}

// Fold keeps a running aggregate of each key and emits what emit makes of it after every record. acc is borrowed.
func Fold[K comparable, T, A, O any](k Keyed[K, T], agg Aggregate[T, A], emit func(key K, acc *A) O, opts ...Option) Stream[O] {
	agg, err := storable(agg)
	return keyedThen[K, T, O](k, "fold", func() operators.Operator {
		result := new(O)
		return operators.NewFold(operators.FoldSpec[K, T, A, O]{
			Key: k.key, KeyType: k.typ, Aggregate: agg,
			Emit: func(key *K, acc *A, t flow.Time, out operators.Next[O]) {
				*result = emit(*key, acc)
				out(result, t)
			},
		})
	}, stateFormat(k.typ, agg.Codec), check(firstOf(k.err, missing("Aggregate.Add", agg.Add == nil), missing("the emit function", emit == nil), err)), opts)
}

// keyedThen adds a step with one keyed input and one main output.
func keyedThen[K comparable, T, O any](k Keyed[K, T], kind string, make func() operators.Operator, format string, check func() error, opts []Option) Stream[O] {
	j := k.in.job()
	n := j.add(step{kind: kind, make: make, check: check, format: format, inputs: []feed{{0, k.in.up}}}, opts)
	return streamOf[O](j, n, 0)
}

// storable fills in the aggregate's codec.
func storable[T, A any](agg Aggregate[T, A]) (Aggregate[T, A], error) {
	if agg.Codec != nil {
		return agg, nil
	}
	var err error
	agg.Codec, err = codecOf[A]("accumulators")
	return agg, err
}

// codecOf is the codec of what a step keeps; nil with the error.
func codecOf[V any](what string) (flow.Codec[V], error) {
	c, err := codec.For[V]()
	if err != nil {
		return nil, fmt.Errorf("its %s cannot be kept as state: %w", what, err)
	}
	return c, nil
}

// stateFormat is what the fingerprint of the graph has of keyed state. Where a codec is missing, Build fails anyway.
func stateFormat[K comparable, A any](key codec.Key[K], value flow.Codec[A]) string {
	if key.Codec == nil || value == nil {
		return ""
	}
	return key.Codec.Fingerprint() + " → " + value.Fingerprint()
}

// check is a step's Check that reports a mistake known already, if there is one.
func check(err error) func() error { return func() error { return err } }

func missing(what string, isNil bool) error {
	if !isNil {
		return nil
	}
	return fmt.Errorf("%s is nil", what)
}

// hashRoute hashes the key of a record. It is called for every record and by many subtasks at once: so the key can neither
// lie in memory of the route's, nor be allocated, and has to stay on the stack.
func hashRoute[K comparable, T any](key func(v *T) K, hash func(k *K) uint64) func(v *T) uint64 {
	if !plain(reflect.TypeFor[K]()) {
		return func(v *T) uint64 {
			k := key(v)
			return hash(&k) // allocates, as users' methods see the pointer
		}
	}
	return func(v *T) uint64 {
		k := key(v)
		return hash((*K)(hidden(unsafe.Pointer(&k))))
	}
}

// plain reports whether keys of type t are hashed by package codec alone, without a method of the type's own that might
// keep the pointer it is given.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return plain(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return t.Kind() == reflect.String || reflect.Bool <= t.Kind() && t.Kind() <= reflect.Complex128
}

// hidden is p, but the compiler does not see that, so that what p points to stays on the stack although a function it
// does not know is given the pointer. That is right as long as the function keeps none of it: hashes of plain keys do not.
//
//go:nosplit
//go:nocheckptr
func hidden(p unsafe.Pointer) unsafe.Pointer {
	x := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&x))
}
