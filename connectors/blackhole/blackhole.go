package blackhole

import (
	"sync/atomic"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// countBatch is how many records a writer counts for itself before it adds them to the sum: one atomic add for so many.
const countBatch = 1024

// Hole is a sink of any record. Records that are written again after a failure are counted again.
type Hole[T any] struct{ count atomic.Int64 }

// Sink makes a Hole.
func Sink[T any]() *Hole[T] { return new(Hole[T]) }

// Count is the number of records written so far, exact once the writers are idle or closed.
func (h *Hole[T]) Count() int64 { return h.count.Load() }

func (h *Hole[T]) Check() error { return nil }

func (h *Hole[T]) Writer(connectors.WriterContext, [][]byte) (connectors.Writer[T], error) {
	return &writer[T]{hole: h}, nil
}

// Committer implements Sink: there is nothing to commit.
func (h *Hole[T]) Committer(connectors.WriterContext) (connectors.Committer, error) { return nil, nil }

type writer[T any] struct {
	hole *Hole[T]
	n    int64
}

func (w *writer[T]) Write(*T, flow.Time) error {
	if w.n++; w.n == countBatch {
		return w.Flush()
	}
	return nil
}

func (w *writer[T]) Flush() error {
	w.hole.count.Add(w.n)
	w.n = 0
	return nil
}

func (w *writer[T]) Prepare(flow.CheckpointID, bool) ([][]byte, error) { return nil, w.Flush() }
func (w *writer[T]) Snapshot() ([][]byte, error)                       { return nil, nil }
func (w *writer[T]) Close() error                                      { return w.Flush() }
