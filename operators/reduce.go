package operators

import (
	"errors"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
)

// ReduceSpec describes an operator that folds all records of a key into one, and emits that after every record.
type ReduceSpec[K comparable, T any] struct {
	// Key is the key of a record: what the exchange before this operator has hashed.
	Key     func(v *T) K
	KeyType codec.Key[K]
	// Reduce takes v into acc, which holds the records of the key so far. It is not called for the first.
	Reduce func(acc, v *T)
	// Codec writes records into snapshots.
	Codec flow.Codec[T]
}

// FoldSpec describes an operator that folds all records of a key into an accumulator, and emits a result after every
// record.
type FoldSpec[K comparable, T, A, O any] struct {
	// Key is the key of a record: what the exchange before this operator has hashed.
	Key       func(v *T) K
	KeyType   codec.Key[K]
	Aggregate Aggregate[T, A]
	// Emit makes the results that follow from v, whose time is t: any number, handed to out. All that it is given is
	// borrowed; acc is not to be changed.
	Emit func(k *K, acc *A, t flow.Time, out Next[O])
}

// NewReduce returns an operator as spec says. Mistakes in spec are reported by Open.
func NewReduce[K comparable, T any](spec ReduceSpec[K, T]) *Fold[K, T, T, T] {
	r := &Fold[K, T, T, T]{key: spec.Key, keyType: spec.KeyType, codec: spec.Codec}
	if spec.Reduce != nil {
		r.add = spec.Reduce
		r.first = func(acc, v *T) { *acc = *v }
		r.emit = func(_ *K, acc *T, t flow.Time, out Next[T]) { out(acc, t) }
	}
	return r
}

// NewFold returns an operator as spec says. Mistakes in spec are reported by Open.
func NewFold[K comparable, T, A, O any](spec FoldSpec[K, T, A, O]) *Fold[K, T, A, O] {
	r := &Fold[K, T, A, O]{
		key: spec.Key, keyType: spec.KeyType, codec: spec.Aggregate.Codec, add: spec.Aggregate.Add, emit: spec.Emit,
	}
	create, add := spec.Aggregate.Create, spec.Aggregate.Add
	r.first = func(acc *A, v *T) {
		if create != nil {
			*acc = create()
		}
		add(acc, v)
	}
	return r
}

// foldState is the section in which the accumulators are kept.
const foldState = "accumulators"

// Fold keeps one accumulator for each key and emits after every record. Records of a batch are looked up together,
// so that their cache misses overlap; a record for a known key allocates nothing.
type Fold[K comparable, T, A, O any] struct {
	key     func(v *T) K
	keyType codec.Key[K]
	codec   flow.Codec[A]
	first   func(acc *A, v *T) // acc is zero
	add     func(acc *A, v *T)
	emit    func(k *K, acc *A, t flow.Time, out Next[O])

	in    Input[T]
	out   Output[O]
	ctx   *Context
	next  Next[O]
	table *state.KeyedTable[K, A]

	// Of the batch in hand.
	keys   []K
	hashes []uint64
	accs   []*A
}

// Ports implements Operator.
func (r *Fold[K, T, A, O]) Ports() ([]InputPort, []OutputPort) {
	return []InputPort{&r.in}, []OutputPort{&r.out}
}

// Open implements Operator.
func (r *Fold[K, T, A, O]) Open(ctx *Context) error {
	switch {
	case r.key == nil || r.keyType.Hash == nil:
		return errors.New("fold: no key: set Key and KeyType")
	case r.add == nil || r.emit == nil:
		return errors.New("fold: no function: a reduce needs Reduce, a fold Aggregate.Add and Emit")
	case r.codec == nil:
		return errors.New("fold: no codec for the accumulator")
	}
	r.ctx, r.next = ctx, r.out.Next()
	r.table = state.NewKeyedTable(r.keyType, r.codec, ctx.Groups, ctx.MaxParallelism)
	if err := r.table.Restore(ctx.Restore, ctx.UID, foldState); err != nil {
		return err
	}
	r.in.Record, r.in.Batch = r.record, r.batch
	return nil
}

func (r *Fold[K, T, A, O]) record(v *T, t flow.Time) {
	r.grow(1)
	k := &r.keys[0]
	*k = r.key(v)
	acc, fresh := r.table.Upsert(r.keyType.Hash(k), k)
	if fresh {
		r.first(acc, v)
	} else {
		r.add(acc, v)
	}
	r.emit(k, acc, t, r.next)
}

// batch takes records in pieces of BatchRecords: all keys, then all hashes, then all accumulators, then the records.
func (r *Fold[K, T, A, O]) batch(in *flow.Records[T], from, to int) {
	for ; to-from > BatchRecords; from += BatchRecords {
		r.piece(in.Values[from:from+BatchRecords], in.Times[from:from+BatchRecords])
	}
	r.piece(in.Values[from:to], in.Times[from:to])
}

func (r *Fold[K, T, A, O]) piece(values []T, times []flow.Time) {
	n := len(values)
	r.grow(n)
	keys, hashes, accs := r.keys[:n], r.hashes[:n], r.accs[:n]
	for i := range values {
		keys[i] = r.key(&values[i])
	}
	r.keyType.HashAll(keys, hashes)
	fresh := r.table.UpsertBatch(hashes, keys, accs)
	add, emit, next := r.add, r.emit, r.next
	for i := range values {
		if len(fresh) > 0 && int(fresh[0]) == i {
			fresh = fresh[1:]
			r.first(accs[i], &values[i])
		} else {
			add(accs[i], &values[i])
		}
		emit(&keys[i], accs[i], times[i], next)
	}
}

func (r *Fold[K, T, A, O]) grow(n int) {
	if n > len(r.keys) {
		r.keys, r.hashes, r.accs = make([]K, n), make([]uint64, n), make([]*A, n)
	}
}

// Watermark implements Operator.
func (r *Fold[K, T, A, O]) Watermark(flow.Watermark) bool { return true }

// ProcessingTime implements Operator.
func (r *Fold[K, T, A, O]) ProcessingTime(flow.Time) bool { return true }

// Finish implements Operator.
func (r *Fold[K, T, A, O]) Finish() bool { return true }

// Snapshot implements Operator.
func (r *Fold[K, T, A, O]) Snapshot(s *state.Snapshot, _ flow.Barrier) error {
	r.table.Snapshot(s, r.ctx.Section(foldState, state.Keyed, ""))
	return nil
}

// Close implements Operator.
func (r *Fold[K, T, A, O]) Close() error { return nil }
