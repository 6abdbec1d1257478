package state

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// BroadcastMap is a map that every subtask builds alike from the same broadcast records. After a restore every subtask
// has the map of one of them.
type BroadcastMap[K comparable, V any] struct{ m *broadcast[K, V] }

type broadcast[K comparable, V any] struct {
	id     string
	key    codec.Key[K]
	codec  flow.Codec[V]
	values map[K]V
	keys   []K  // of values
	sorted bool // keys are
}

// NewBroadcastMap declares a BroadcastMap. WithCodec is for its values.
func NewBroadcastMap[K comparable, V any](r OperatorRegistry, name string, opts ...Option) BroadcastMap[K, V] {
	o := apply(opts)
	c, err := codecFor[V](o)
	key, keyErr := codec.KeyFor[K]()
	if keyErr != nil {
		key = codec.Key[K]{Codec: noCodec[K]{}}
	}
	m := &broadcast[K, V]{id: name, key: key, codec: c, values: make(map[K]V)}
	r.OperatorStates().declare(m, err, keyErr, noLifetime(o))
	return BroadcastMap[K, V]{m}
}

// Get returns the value of k.
func (h BroadcastMap[K, V]) Get(k K) (V, bool) {
	v, ok := h.m.values[k]
	return v, ok
}

// Put sets the value of k.
func (h BroadcastMap[K, V]) Put(k K, v V) { h.m.put(k, v) }

// Delete removes k and reports whether it was there.
func (h BroadcastMap[K, V]) Delete(k K) bool {
	m := h.m
	if _, ok := m.values[k]; !ok {
		return false
	}
	delete(m.values, k)
	i := slices.Index(m.keys, k)
	m.keys = slices.Concat(m.keys[:i], m.keys[i+1:]) // a loop may be going through the old slice
	return true
}

// Clear removes all keys.
func (h BroadcastMap[K, V]) Clear() {
	clear(h.m.values)
	h.m.keys = nil
}

// Len is the number of keys.
func (h BroadcastMap[K, V]) Len() int { return len(h.m.values) }

// All goes through the keys there are when the loop begins, ascending, so that all subtasks see the same order whatever
// the order in which records came. Keys that the loop's body deletes are left out.
func (h BroadcastMap[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, k := range h.m.ordered() {
			if v, ok := h.m.values[k]; ok && !yield(k, v) {
				return
			}
		}
	}
}

func (m *broadcast[K, V]) put(k K, v V) {
	if _, ok := m.values[k]; !ok {
		m.keys, m.sorted = append(m.keys, k), false
	}
	m.values[k] = v
}

func (m *broadcast[K, V]) ordered() []K {
	if !m.sorted {
		m.keys = slices.Clone(m.keys)
		slices.SortFunc(m.keys, func(a, b K) int { return m.key.Compare(&a, &b) })
		m.sorted = true
	}
	return m.keys
}

func (m *broadcast[K, V]) name() string { return m.id }
func (m *broadcast[K, V]) kind() Kind   { return Broadcast }
func (m *broadcast[K, V]) format() string {
	return "broadcast1(" + m.key.Codec.Fingerprint() + "," + m.codec.Fingerprint() + ")"
}

func (m *broadcast[K, V]) append(buf []byte) (_ []byte, err error) {
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(m.values)))
	for _, k := range m.ordered() {
		v := m.values[k]
		if buf, err = m.key.Codec.Append(buf, &k); err != nil {
			return buf, err
		}
		if buf, err = m.codec.Append(buf, &v); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// load reads the first body: the others are equal.
func (m *broadcast[K, V]) load(bodies [][]byte, _, _ int) error {
	n, rest, err := readCount(bodies[0])
	if err != nil {
		return err
	}
	for i := range n {
		var k K
		var v V
		if rest, err = m.key.Codec.Read(rest, &k); err != nil {
			return fmt.Errorf("%w: key of entry %d of %d: %w", ErrDamaged, i, n, err)
		}
		if rest, err = m.codec.Read(rest, &v); err != nil {
			return fmt.Errorf("%w: value of entry %d of %d: %w", ErrDamaged, i, n, err)
		}
		m.put(k, v)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes behind the last of %d entries", ErrDamaged, len(rest), n)
	}
	return nil
}
