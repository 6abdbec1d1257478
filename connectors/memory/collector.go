package memory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// rawBatch is how many records a writer holds back before it shows them in Written; Flush shows them at once.
const rawBatch = 1024

// Collector is a sink that keeps what it is given. It offers two views: Committed, where each record of the job is once,
// and Written, where records that were written again after a failure are as often as they were written. It lives in one
// process; a job that runs in several needs another sink.
type Collector[T any] struct {
	// mu guards all below: writers, committers and the test that looks on are many goroutines.
	mu       sync.Mutex
	written  []Timed[T]
	prepared map[chunkID][]Timed[T]
	visible  []chunk[T]
	changed  chan struct{}
}

// chunkID names what one Prepare of one writer returned.
type chunkID struct {
	Run        string
	UID        string
	Checkpoint flow.CheckpointID
	Subtask    int
	Attempt    flow.Attempt
	Seq        int64 // of the Prepare within the writer
}

type chunk[T any] struct {
	id      chunkID
	records []Timed[T]
}

// Collect makes an empty Collector.
func Collect[T any]() *Collector[T] {
	return &Collector[T]{prepared: map[chunkID][]Timed[T]{}, changed: make(chan struct{})}
}

// Committed returns what was committed, by checkpoint, then subtask, then the order of writing.
func (c *Collector[T]) Committed() []Timed[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Timed[T]
	for _, k := range c.visible {
		all = append(all, k.records...)
	}
	return all
}

// Values is Committed without the times.
func (c *Collector[T]) Values() []T { return values(c.Committed()) }

// Sorted is Values in the order of compare, so that it does not depend on the parallelism.
func (c *Collector[T]) Sorted(compare func(a, b T) int) []T {
	v := c.Values()
	slices.SortStableFunc(v, compare)
	return v
}

// Written returns all that was written, in the order in which the writers showed it.
func (c *Collector[T]) Written() []Timed[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.written)
}

// Changed returns a channel that is closed at the next change of either view.
func (c *Collector[T]) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func values[T any](records []Timed[T]) []T {
	v := make([]T, len(records))
	for i, r := range records {
		v[i] = r.Value
	}
	return v
}

func (c *Collector[T]) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Collector[T]) Check() error { return nil }

func (c *Collector[T]) Writer(ctx connectors.WriterContext, _ [][]byte) (connectors.Writer[T], error) {
	id := chunkID{Run: ctx.Run, UID: ctx.UID, Subtask: ctx.Subtask, Attempt: ctx.Attempt}
	return &writer[T]{c: c, id: id}, nil
}

func (c *Collector[T]) Committer(connectors.WriterContext) (connectors.Committer, error) {
	return committer[T]{c}, nil
}

type writer[T any] struct {
	c     *Collector[T]
	id    chunkID
	open  []Timed[T] // since the last Prepare
	shown int        // how many of open are in Written
}

func (w *writer[T]) Write(v *T, t flow.Time) error {
	w.open = append(w.open, Timed[T]{*v, t})
	if len(w.open)-w.shown >= rawBatch {
		return w.Flush()
	}
	return nil
}

func (w *writer[T]) Flush() error {
	if w.shown == len(w.open) {
		return nil
	}
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.c.written = append(w.c.written, w.open[w.shown:]...)
	w.shown = len(w.open)
	w.c.notify()
	return nil
}

func (w *writer[T]) Prepare(id flow.CheckpointID, _ bool) ([][]byte, error) {
	if err := w.Flush(); err != nil || len(w.open) == 0 {
		return nil, err
	}
	w.id.Checkpoint = id
	w.id.Seq++
	name, err := json.Marshal(w.id)
	if err != nil {
		return nil, err
	}
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.c.prepared[w.id] = w.open
	w.open, w.shown = nil, 0
	return [][]byte{name}, nil
}

func (w *writer[T]) Snapshot() ([][]byte, error) { return nil, nil }
func (w *writer[T]) Close() error                { return w.Flush() }

type committer[T any] struct{ c *Collector[T] }

func (k committer[T]) Commit(_ context.Context, committables [][]byte) error {
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	for _, name := range committables {
		var id chunkID
		if err := json.Unmarshal(name, &id); err != nil {
			return fmt.Errorf("memory: committable %q: %w", name, err)
		}
		at, done := slices.BinarySearchFunc(k.c.visible, id, func(a chunk[T], id chunkID) int { return compareIDs(a.id, id) })
		if done {
			continue
		}
		records, ok := k.c.prepared[id]
		if !ok {
			return fmt.Errorf("memory: nothing was prepared in this process as %s: a Collector cannot be restored in another process", name)
		}
		delete(k.c.prepared, id)
		k.c.visible = slices.Insert(k.c.visible, at, chunk[T]{id, records})
		k.c.notify()
	}
	return nil
}

func (k committer[T]) Close() error { return nil }

func compareIDs(a, b chunkID) int {
	return cmp.Or(cmp.Compare(a.Checkpoint, b.Checkpoint), cmp.Compare(a.Subtask, b.Subtask), cmp.Compare(a.Attempt, b.Attempt),
		cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Run, b.Run), cmp.Compare(a.UID, b.UID))
}
