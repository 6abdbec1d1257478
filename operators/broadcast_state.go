package operators

import (
	"iter"

	"github.com/weirstream/weir/state"
)

// BroadcastState is a state.BroadcastMap that only functions for broadcast records can write, since every subtask gets
// all of those: rules, configuration, a small table to look things up in. It is held on the heap of every subtask and
// encoded within a snapshot's synchronous part, so it should stay small: 100,000 entries are many.
//
// What a record does to it must depend on that record and on the state alone, not on the subtask, nor on other inputs:
// otherwise the subtasks' copies part, and after a restore all have that of one of them.
type BroadcastState[K comparable, V any] struct{ m state.BroadcastMap[K, V] }

// BroadcastWriter is a context that may write broadcast state: *BroadcastContext.
type BroadcastWriter interface{ writesBroadcast() }

// NewBroadcastState declares broadcast state in Open. What is wrong with the declaration comes out of the operator's Open.
func NewBroadcastState[K comparable, V any](r state.OperatorRegistry, name string, opts ...state.Option) BroadcastState[K, V] {
	return BroadcastState[K, V]{state.NewBroadcastMap[K, V](r, name, opts...)}
}

// Get returns the value of k.
func (b BroadcastState[K, V]) Get(k K) (V, bool) { return b.m.Get(k) }

// Len is the number of keys.
func (b BroadcastState[K, V]) Len() int { return b.m.Len() }

// All are the entries in the order of their keys.
func (b BroadcastState[K, V]) All() iter.Seq2[K, V] { return b.m.All() }

// Put sets the value of k. What v refers to must not be changed afterwards.
func (b BroadcastState[K, V]) Put(_ BroadcastWriter, k K, v V) { b.m.Put(k, v) }

// Delete removes k and reports whether it was there.
func (b BroadcastState[K, V]) Delete(_ BroadcastWriter, k K) bool { return b.m.Delete(k) }
