package state

import (
	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// Table holds one value for each key: the one structure for keyed values in memory. The hash that every call is given
// must be the codec.Key's hash of the key. A Table belongs to one goroutine.
//
// Values that are not codec.Shareable may not be changed through what a caller has kept of them (a slice, a map) but only
// through the pointers that Upsert, UpsertBatch and Scan give.
type Table[K comparable, V any] interface {
	// Len is the number of keys.
	Len() int
	// Get returns the value of k, or nil. It is valid until the next call on the table, and not to be written through.
	Get(hash uint64, k *K) *V
	// Upsert returns the value of k, which is zero when fresh. It may be written to until the next call on the table.
	Upsert(hash uint64, k *K) (v *V, fresh bool)
	// UpsertBatch sets out[i] to the value of keys[i], for all at once, which is several times as fast: cache misses
	// overlap. All of out may be written to until the next call on the table; equal keys get the same pointer. fresh
	// lists, in ascending order, the i that brought a new key, whose values are zero; it is valid until the next call.
	// hashes and out are at least as long as keys.
	UpsertBatch(hashes []uint64, keys []K, out []*V) (fresh []int32)
	// Delete removes k and reports whether it was there.
	Delete(hash uint64, k *K) bool
	// Scan visits the rows from position from on, 0 being the first, in the order of their keys' first insertion, but
	// that new keys take the places of deleted ones. It stops after about budget rows, or when visit returns false, and
	// returns the position to go on from; done says that the end was reached. *k is only read, and valid during the visit
	// (strings in it for ever); *v may be written to. visit may delete, also k itself, after which it must not use v; keys
	// that come in between or during scans may be missed.
	Scan(from, budget int, visit func(hash uint64, k *K, v *V) bool) (next int, done bool)
	// Read is Scan without the right to write to v, which spares a copy of every block while a Frozen is alive.
	Read(from, budget int, visit func(hash uint64, k *K, v *V) bool) (next int, done bool)
	// Freeze returns the table as it is now, to be written by another goroutine, at the cost of about a word per block
	// and a bit per row. While the Frozen lives, the first write to a block of rows copies it: a few µs, or, for values
	// that are not codec.Shareable, what it takes to encode and decode the values of one block.
	Freeze(maxParallelism int) *Frozen
	// Load adds the entries of one body written by a Frozen. Keys and values do not keep body alive if they are
	// pointer-free. After an error some entries were added.
	Load(body []byte) error
	// Reset deletes all keys and keeps the memory for the next ones.
	Reset()
	// Bytes is the memory in use: what rows, keys and index take, but not what values point to.
	Bytes() int64
}

// NewTable makes an empty table.
func NewTable[K comparable, V any](key codec.Key[K], value flow.Codec[V]) Table[K, V] {
	return newShards(key, value, flow.KeyGroupRange{From: 0, To: 1}, 1)
}

// row is one entry. S is K itself, or ref for keys in the arena. The value stands first because a trailing value without
// size would be padded.
type row[S, V any] struct {
	val V
	key S
}

// table is the entries of one shard: an index over a pool of rows.
type table[K comparable, S, V any] struct {
	index index
	rows  pool[row[S, V]]
	arena *arena // nil: S is K, and keys are in their rows
	keys  *keyForm[K]
}

const tagMask = 1<<32 - 1

// find returns the row of k, whose form in the arena is enc, or none.
func (t *table[K, S, V]) find(hash uint64, k *K, enc []byte) uint32 {
	tag := hash & tagMask
	s := t.index.segment(tag)
	for i := s.home(tag); ; i++ {
		w := *s.slot(i)
		if w>>32 == tag && w != 0 {
			if r := uint32(w) - 1; t.same(t.rows.at(r), k, enc) {
				return r
			}
		} else if w == 0 {
			return none
		}
	}
}

// add makes a row for k, which is not there.
func (t *table[K, S, V]) add(hash uint64, k *K, enc []byte) (uint32, *V) {
	r, e := t.rows.take()
	if t.arena == nil {
		*inlineKey[K](&e.key) = *k
	} else {
		*arenaKey(&e.key) = t.arena.add(enc)
	}
	t.index.add(hash&tagMask, r)
	return r, &e.val
}

// remove deletes row r.
func (t *table[K, S, V]) remove(hash uint64, r uint32) {
	t.index.remove(hash&tagMask, r)
	if t.arena != nil {
		t.arena.dead += int64((*arenaKey(&t.rows.at(r).key)).len())
	}
	t.rows.release(r)
	if t.rows.n == 0 && len(t.index.dir) > 1 {
		t.index = newIndex()
	}
	switch {
	case t.arena == nil:
	case t.rows.n == 0:
		*t.arena = arena{}
	case t.arena.wasteful():
		t.compact()
	}
}

// compact moves the living keys to a new arena. It is paid for by the deletes that made it necessary.
func (t *table[K, S, V]) compact() {
	fresh := new(arena)
	t.rows.live.all(func(r uint32) bool {
		k := arenaKey(&t.rows.write(r).key)
		*k = fresh.add(t.arena.get(*k))
		return true
	})
	t.arena = fresh
}

// key is the key of row r: in place, or read into scratch.
func (t *table[K, S, V]) key(r uint32, scratch *K) *K {
	e := t.rows.at(r)
	if t.arena == nil {
		return inlineKey[K](&e.key)
	}
	t.keys.read(t.arena.get(*arenaKey(&e.key)), scratch)
	return scratch
}

func (t *table[K, S, V]) reset() {
	t.index.reset()
	t.rows.reset()
	if t.arena != nil {
		*t.arena = arena{}
	}
}

func (t *table[K, S, V]) bytes() int64 {
	b := t.index.bytes() + t.rows.bytes()
	if t.arena != nil {
		b += t.arena.bytes
	}
	return b
}

// scan is Table.Scan, with rows for positions.
func (t *table[K, S, V]) scan(from uint32, budget int, write bool, visit func(hash uint64, k *K, v *V) bool) (next uint32, left int, more bool) {
	var scratch *K
	if t.arena != nil {
		scratch = new(K)
	}
	for r := from; budget > 0; r++ {
		if r, budget = t.rows.live.next(r, budget); r == none || budget == 0 {
			return r, budget, true
		}
		e := t.rows.at(r)
		if write {
			e = t.rows.write(r)
		}
		k := t.key(r, scratch)
		budget--
		if !visit(t.keys.hash(k), k, &e.val) {
			return r + 1, budget, false
		}
		from = r + 1
	}
	return from, 0, true
}
