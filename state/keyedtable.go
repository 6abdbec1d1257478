package state

import (
	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// KeyedTable is the values of all keys of one subtask: a Table of many, one per key group, that is written and read in sections.
// Hashes must lie in its key groups. Scan goes from key group to key group.
type KeyedTable[K comparable, V any] struct {
	Table[K, V]
	rows   store[K, V]
	format string
	groups flow.KeyGroupRange
	max    int
}

// NewKeyedTable makes an empty KeyedTable for the key groups of a subtask, of max in all.
func NewKeyedTable[K comparable, V any](key codec.Key[K], value flow.Codec[V], groups flow.KeyGroupRange, max int) *KeyedTable[K, V] {
	rows := newShards(key, value, groups, max)
	return &KeyedTable[K, V]{Table: rows, rows: rows, format: EntriesFormat(key, value), groups: groups, max: max}
}

// Groups is the key groups it was made for.
func (k *KeyedTable[K, V]) Groups() flow.KeyGroupRange { return k.groups }

// Snapshot freezes all tables now, and has them written as sections of sec's operator and name.
func (k *KeyedTable[K, V]) Snapshot(s *Snapshot, sec Section) {
	if k.Len() == 0 {
		return
	}
	sec.Kind, sec.Format = Keyed, k.format
	f := k.Freeze(k.max)
	s.Add(func(w *SnapshotWriter) error { return f.Write(w, sec) })
}

// Restore adds the entries of all sections of this state that lie in its key groups.
func (k *KeyedTable[K, V]) Restore(r *Restore, operator, name string) error {
	return r.Keyed(operator, name, k.format, k.groups, func(group int, body []byte) error {
		return k.rows.load(group-k.groups.From, body)
	})
}
