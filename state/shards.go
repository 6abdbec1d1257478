package state

import (
	"fmt"
	"sync/atomic"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// shards is tables side by side, one per key group. A Table is the case of one group. All of them are frozen together.
type shards[K comparable, S, V any] struct {
	tables []table[K, S, V]
	from   int    // the first table's key group
	max    uint64 // how many key groups there are in all
	held   *atomic.Int32
	keys   *keyForm[K]
	value  flow.Codec[V]
	batch  batchMemory

	scratch K // a key of the arena, for a moment
}

// store is shards whose form of keys is forgotten: what Table, KeyedTable and the handles are made of.
type store[K comparable, V any] interface {
	Table[K, V]

	// Rows are found by shard and row number. A row keeps its number while it lives.

	find(shard int, hash uint64, k *K) uint32 // or none
	add(shard int, hash uint64, k *K) (uint32, *V)
	remove(shard int, r uint32)
	at(shard int, r uint32) *V
	write(shard int, r uint32) *V
	key(shard int, r uint32, scratch *K) *K
	live(shard int) bitset
	freeze(groups int) frozenStore[K, V]
	load(shard int, body []byte) error
}

func newShards[K comparable, V any](key codec.Key[K], value flow.Codec[V], groups flow.KeyGroupRange, max int) store[K, V] {
	return newStore(key, value, groups, max, new(atomic.Int32))
}

// newStore is newShards with a count of holders that is shared with others that are frozen together with it.
func newStore[K comparable, V any](key codec.Key[K], value flow.Codec[V], groups flow.KeyGroupRange, max int, held *atomic.Int32) store[K, V] {
	if key.Inline {
		return makeShards[K, K](key, value, groups, max, held)
	}
	return makeShards[K, ref](key, value, groups, max, held)
}

func makeShards[K comparable, S, V any](key codec.Key[K], value flow.Codec[V], groups flow.KeyGroupRange, max int, held *atomic.Int32) *shards[K, S, V] {
	s := &shards[K, S, V]{
		tables: make([]table[K, S, V], groups.Len()), from: groups.From, max: uint64(max),
		held: held, keys: newKeyForm(key), value: value,
	}
	for i := range s.tables {
		t := &s.tables[i]
		t.index, t.keys = newIndex(), s.keys
		t.rows = pool[row[S, V]]{noPtr: codec.PointerFree[V]()}
		if !key.Inline {
			t.arena = new(arena)
		}
		var clone func(r uint32, e *row[S, V])
		if !codec.Shareable[V]() {
			clone = func(r uint32, e *row[S, V]) {
				if t.rows.live.has(r) {
					deepCopy(s.value, &e.val)
				}
			}
		}
		t.rows.blocks = newBlocks(s.held, clone)
	}
	return s
}

// deepCopy makes *v independent of what it was copied from, by way of its codec.
func deepCopy[V any](c flow.Codec[V], v *V) {
	b, err := c.Append(nil, v)
	var fresh V
	if err == nil {
		_, err = c.Read(b, &fresh)
	}
	if err != nil {
		panic(fmt.Errorf("state: a value cannot be copied by its codec: %w", err))
	}
	*v = fresh
}

// shard is the number of the table that keys of this hash are in.
func (s *shards[K, S, V]) shard(hash uint64) int { return int((hash>>32)*s.max>>32) - s.from }

// cow reports whether a Frozen is alive.
func (s *shards[K, S, V]) cow() bool { return s.held.Load() > 0 }

func (s *shards[K, S, V]) pick(hash uint64) *table[K, S, V] { return &s.tables[s.shard(hash)] }

// enc is the form of k in the arena; nil when there is none.
func (s *shards[K, S, V]) enc(k *K) []byte {
	if s.keys.Inline {
		return nil
	}
	var b []byte
	b, s.batch.enc = s.keys.arenaForm(s.batch.enc[:0], k)
	return b
}

func (s *shards[K, S, V]) Len() int {
	n := 0
	for i := range s.tables {
		n += s.tables[i].rows.n
	}
	return n
}

func (s *shards[K, S, V]) Get(hash uint64, k *K) *V {
	t := s.pick(hash)
	if r := t.find(hash, k, s.enc(k)); r != none {
		return &t.rows.at(r).val
	}
	return nil
}

func (s *shards[K, S, V]) Upsert(hash uint64, k *K) (v *V, fresh bool) {
	t, enc := s.pick(hash), s.enc(k)
	if r := t.find(hash, k, enc); r != none {
		return &t.rows.write(r).val, false
	}
	_, v = t.add(hash, k, enc)
	return v, true
}

func (s *shards[K, S, V]) Delete(hash uint64, k *K) bool {
	t := s.pick(hash)
	r := t.find(hash, k, s.enc(k))
	if r == none {
		return false
	}
	t.remove(hash, r)
	return true
}

func (s *shards[K, S, V]) Scan(from, budget int, visit func(hash uint64, k *K, v *V) bool) (next int, done bool) {
	return s.scan(from, budget, true, visit)
}

func (s *shards[K, S, V]) Read(from, budget int, visit func(hash uint64, k *K, v *V) bool) (next int, done bool) {
	return s.scan(from, budget, false, visit)
}

// scan goes through the tables; a position is a table's number above a row.
func (s *shards[K, S, V]) scan(from, budget int, write bool, visit func(hash uint64, k *K, v *V) bool) (next int, done bool) {
	var more bool
	i, r := from>>32, uint32(from)
	for ; i < len(s.tables); i, r = i+1, 0 {
		r, budget, more = s.tables[i].scan(r, budget, write, visit)
		if r != none && (budget <= 0 || !more) {
			return i<<32 | int(r), i == len(s.tables)-1 && r >= s.tables[i].rows.end
		}
	}
	return len(s.tables) << 32, true
}

func (s *shards[K, S, V]) Reset() {
	for i := range s.tables {
		s.tables[i].reset()
	}
}

func (s *shards[K, S, V]) Bytes() int64 {
	var n int64
	for i := range s.tables {
		n += s.tables[i].bytes()
	}
	return n
}

func (s *shards[K, S, V]) find(shard int, hash uint64, k *K) uint32 {
	return s.tables[shard].find(hash, k, s.enc(k))
}

func (s *shards[K, S, V]) add(shard int, hash uint64, k *K) (uint32, *V) {
	return s.tables[shard].add(hash, k, s.enc(k))
}

func (s *shards[K, S, V]) remove(shard int, r uint32) {
	t := &s.tables[shard]
	t.remove(s.keys.hash(t.key(r, &s.scratch)), r)
}

func (s *shards[K, S, V]) at(shard int, r uint32) *V { return &s.tables[shard].rows.at(r).val }

func (s *shards[K, S, V]) write(shard int, r uint32) *V { return &s.tables[shard].rows.write(r).val }

func (s *shards[K, S, V]) key(shard int, r uint32, scratch *K) *K {
	return s.tables[shard].key(r, scratch)
}

func (s *shards[K, S, V]) live(shard int) bitset { return s.tables[shard].rows.live }
