package bench

import (
	"sync/atomic"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// Digest is a sink that counts its records and sums up a number of each, in no order. A failed job would count twice: the
// jobs here must not restart.
type Digest[T any] struct {
	fold    func(v *T) uint64
	count   atomic.Int64
	sum     atomic.Uint64
	want    int64  // 0 for nothing to be told
	reached func() // called by the subtask when its want-th record was written, while the job's state is alive
}

func newDigest[T any](fold func(v *T) uint64) *Digest[T] { return &Digest[T]{fold: fold} }

func newResults() *Digest[Result] { return newDigest((*Result).fold) }

// total is what has come in; exact once the job has ended.
func (d *Digest[T]) total() digest { return digest{d.count.Load(), d.sum.Load()} }

// digest stands for a set of results.
type digest struct {
	count int64
	sum   uint64
}

// Check implements connectors.Sink.
func (d *Digest[T]) Check() error { return nil }

// Writer implements connectors.Sink.
func (d *Digest[T]) Writer(connectors.WriterContext, [][]byte) (connectors.Writer[T], error) {
	return &digestWriter[T]{d: d, fold: d.fold, want: d.want}, nil
}

// Committer implements connectors.Sink.
func (d *Digest[T]) Committer(connectors.WriterContext) (connectors.Committer, error) {
	return nil, nil
}

type digestWriter[T any] struct {
	d          *Digest[T]
	fold       func(v *T) uint64
	n, flushed int64
	sum        uint64
	want       int64
}

func (w *digestWriter[T]) Write(v *T, _ flow.Time) error {
	w.sum += w.fold(v)
	if w.n++; w.n == w.want {
		w.d.reached()
	}
	return nil
}

func (w *digestWriter[T]) Flush() error {
	w.d.count.Add(w.n - w.flushed)
	w.d.sum.Add(w.sum)
	w.flushed, w.sum = w.n, 0
	return nil
}

func (w *digestWriter[T]) Prepare(flow.CheckpointID, bool) ([][]byte, error) { return nil, w.Flush() }
func (w *digestWriter[T]) Snapshot() ([][]byte, error)                       { return nil, nil }
func (w *digestWriter[T]) Close() error                                      { return w.Flush() }
