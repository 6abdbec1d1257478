package operators

import (
	"fmt"
	"reflect"

	"github.com/weirstream/weir/flow"
)

// Next takes one record. v is borrowed: it is valid during the call and belongs to the caller.
type Next[T any] func(v *T, t flow.Time)

// InputPort is an Input[T] whose T is forgotten.
type InputPort interface {
	// Consume takes the records from ≤ i < to of b, which must be a *flow.Records[T].
	Consume(b flow.Batch, from, to int)
	// Type is T, for error messages.
	Type() reflect.Type
}

// Input is where records of T enter an operator. Open of the operator sets Record; it may set Batch as well when it can
// do better with many records at once.
type Input[T any] struct {
	Record Next[T]
	Batch  func(r *flow.Records[T], from, to int)
}

// Consume implements InputPort: the one type assertion per batch.
func (in *Input[T]) Consume(b flow.Batch, from, to int) {
	r := b.(*flow.Records[T])
	if in.Batch != nil {
		in.Batch(r, from, to)
		return
	}
	record := in.Record
	values, times := r.Values[from:to], r.Times[from:to]
	for i := range values {
		record(&values[i], times[i])
	}
}

func (in *Input[T]) Type() reflect.Type { return reflect.TypeFor[T]() }

// OutputPort is an Output[T] whose T is forgotten.
type OutputPort interface {
	// Attach chains in behind this output. It is called before the operator's Open; in may be opened already.
	Attach(in InputPort) error
	// Partition puts the tail of a chain behind this output: records go to channels as spec says.
	Partition(spec PartitionSpec, ship Shipper) (Partition, error)
	Type() reflect.Type
}

// Output is where records of T leave an operator. Emit is set when the operator is opened.
type Output[T any] struct {
	targets []func() Next[T]
	next    Next[T]
}

// Emit passes one record on to all that is downstream. v is only read, and only during the call.
func (o *Output[T]) Emit(v *T, t flow.Time) { o.next(v, t) }

// Next is the function behind Emit, to be captured by Open. All downstream operators have been opened by then.
func (o *Output[T]) Next() Next[T] {
	if o.next == nil {
		o.next = o.fuse()
	}
	return o.next
}

func (o *Output[T]) fuse() Next[T] {
	switch len(o.targets) {
	case 0:
		return func(*T, flow.Time) {}
	case 1:
		return o.targets[0]()
	case 2:
		a, b := o.targets[0](), o.targets[1]()
		return func(v *T, t flow.Time) { a(v, t); b(v, t) }
	}
	all := make([]Next[T], len(o.targets))
	for i, f := range o.targets {
		all[i] = f()
	}
	return func(v *T, t flow.Time) {
		for _, next := range all {
			next(v, t)
		}
	}
}

// Attach implements OutputPort.
func (o *Output[T]) Attach(in InputPort) error {
	typed, ok := in.(*Input[T])
	if !ok {
		return fmt.Errorf("records of type %v cannot flow into an input of type %v", o.Type(), in.Type())
	}
	o.targets = append(o.targets, func() Next[T] { return typed.Record })
	return nil
}

func (o *Output[T]) Type() reflect.Type { return reflect.TypeFor[T]() }
