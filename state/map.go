package state

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// Map is a map from K to V per key. The entries of all keys are in one table, and those of one key know each other in
// the order of their insertion.
type Map[K comparable, V any] struct{ m *maps[K, V] }

// NewMap declares a Map. WithCodec is for its values.
func NewMap[K comparable, V any](r Registry, name string, opts ...Option) Map[K, V] {
	b, o := r.StateBackend(), apply(opts)
	c, err := codecFor[V](o)
	key, keyErr := codec.KeyFor[K]()
	if keyErr != nil {
		key = codec.Key[K]{Codec: noCodec[K]{}}
	}
	m := &maps[K, V]{
		b: b, id: name, key: key, codec: c, life: o.life,
		heads: newColumns[mapHead](b, nil), stamps: newStamps(b, o.life),
		rows: newStore[owned[K], mapEntry[V]](ownedKey(key), entryCodec[V]{c}, b.groups, b.max, b.held),
	}
	b.declare(m, err, keyErr)
	return Map[K, V]{m}
}

// Get returns the value of k in the map of the key at hand. What it refers to must not be changed.
func (h Map[K, V]) Get(s Scoped, k K) (V, bool) {
	sc := h.m.b.scope(s)
	r := h.m.find(sc, k)
	if r == none {
		return *new(V), false
	}
	if h.m.life.onRead {
		h.m.stamps[sc.shard].mark(r, sc.time())
	}
	return h.m.rows.at(sc.shard, r).val, true
}

// Put sets the value of k. What v refers to must not be changed afterwards. A key that is there keeps its place.
func (h Map[K, V]) Put(s Scoped, k K, v V) {
	sc := h.m.b.scope(s)
	r := h.m.find(sc, k)
	if r == none {
		r = h.m.insert(sc.shard, sc.make(), k)
	}
	h.m.rows.write(sc.shard, r).val = v
	if h.m.stamps != nil {
		h.m.stamps[sc.shard].mark(r, sc.time())
	}
}

// Delete removes k and reports whether it was there.
func (h Map[K, V]) Delete(s Scoped, k K) bool {
	sc := h.m.b.scope(s)
	r := h.m.find(sc, k)
	if r == none {
		return false
	}
	h.m.unlink(sc, r)
	return true
}

// Len is the number of entries of the key at hand. With a time to live it has to count them.
func (h Map[K, V]) Len(s Scoped) int {
	sc := h.m.b.scope(s)
	head := h.m.heads[sc.shard].get(sc.find())
	if head == nil || h.m.stamps == nil {
		if head == nil {
			return 0
		}
		return int(head.n)
	}
	n := 0
	for r := head.first; r != none; r = h.m.rows.at(sc.shard, r).next {
		if !h.m.dead(sc, r) {
			n++
		}
	}
	return n
}

// All goes through the map of the key at hand in the order of insertion. The loop's body may delete the entry at hand;
// after it has deleted others, the loop may end early.
func (h Map[K, V]) All(s Scoped) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { h.m.all(h.m.b.scope(s), yield) }
}

// Clear removes all entries of the key at hand.
func (h Map[K, V]) Clear(s Scoped) {
	sc := h.m.b.scope(s)
	if head := h.m.heads[sc.shard].get(sc.find()); head != nil {
		for r, n := head.first, head.n; n > 0; n-- {
			next := h.m.rows.at(sc.shard, r).next
			h.m.unlink(sc, r)
			r = next
		}
	}
}

// owned is a key of the map that the directory's row owner has.
type owned[K comparable] struct {
	owner uint32
	key   K
}

// mapHead is what the directory's row has of a map: never an empty one.
type mapHead struct{ first, last, n uint32 }

type mapEntry[V any] struct {
	val        V
	prev, next uint32 // or none
}

type maps[K comparable, V any] struct {
	b       *Backend
	id      string
	key     codec.Key[K]
	codec   flow.Codec[V]
	life    lifetime
	heads   []column[mapHead]
	rows    store[owned[K], mapEntry[V]]
	stamps  []stamps // of entries
	cursor  cursor
	version int      // goes up when entries are removed
	probe   owned[K] // the key that is being looked for: a variable that is there already
}

// find is the entry of k in the map at hand, or none.
func (m *maps[K, V]) find(s *Scope, k K) uint32 {
	owner := s.find()
	if owner == none {
		return none
	}
	m.probe = owned[K]{owner, k}
	r := m.rows.find(s.shard, hashOwned(&m.key, &m.probe), &m.probe)
	if r != none && m.stamps != nil && m.dead(s, r) {
		m.unlink(s, r)
		return none
	}
	return r
}

// dead reports whether entry r has expired.
func (m *maps[K, V]) dead(s *Scope, r uint32) bool {
	return m.life.expired(*m.stamps[s.shard].at(r), s.time())
}

// insert makes an entry for k, which is not there, behind the others of owner.
func (m *maps[K, V]) insert(shard int, owner uint32, k K) uint32 {
	m.probe = owned[K]{owner, k}
	r, e := m.rows.add(shard, hashOwned(&m.key, &m.probe), &m.probe)
	head, fresh := m.heads[shard].put(owner)
	if fresh {
		m.b.keys.use(shard, owner)
		*head = mapHead{first: r, last: none}
	}
	e.prev, e.next = head.last, none
	if head.last != none {
		m.rows.write(shard, head.last).next = r
	}
	head.last = r
	head.n++
	return r
}

// unlink removes entry r of the map at hand.
func (m *maps[K, V]) unlink(s *Scope, r uint32) {
	if m.remove(s.shard, s.row, r) {
		s.row = none
	}
}

// remove removes entry r of owner and reports whether that freed owner.
func (m *maps[K, V]) remove(shard int, owner, r uint32) bool {
	m.version++
	e := *m.rows.at(shard, r)
	head, _ := m.heads[shard].put(owner)
	if e.prev == none {
		head.first = e.next
	} else {
		m.rows.write(shard, e.prev).next = e.next
	}
	if e.next == none {
		head.last = e.prev
	} else {
		m.rows.write(shard, e.next).prev = e.prev
	}
	m.rows.remove(shard, r)
	if head.n--; head.n > 0 {
		return false
	}
	m.heads[shard].drop(owner)
	return m.b.keys.disuse(shard, owner)
}

func (m *maps[K, V]) all(s *Scope, yield func(K, V) bool) {
	shard, owner := s.shard, s.find()
	head := m.heads[shard].get(owner)
	if head == nil {
		return
	}
	for r := head.first; r != none; {
		e := *m.rows.at(shard, r)
		if m.stamps == nil || !m.dead(s, r) {
			if m.life.onRead {
				m.stamps[shard].mark(r, s.time())
			}
			k := m.rows.key(shard, r, &m.probe).key
			version := m.version
			if !yield(k, e.val) || m.version != version && !m.owns(shard, owner, e.next) {
				return
			}
		}
		r = e.next
	}
}

// owns reports whether r is an entry of owner.
func (m *maps[K, V]) owns(shard int, owner, r uint32) bool {
	return m.rows.live(shard).has(r) && m.rows.key(shard, r, &m.probe).owner == owner
}

func (m *maps[K, V]) name() string { return m.id }
func (m *maps[K, V]) format() string {
	return "map1(" + m.key.Codec.Fingerprint() + "," + m.codec.Fingerprint() + ")"
}
func (m *maps[K, V]) expires() bool { return m.life.on() }

func (m *maps[K, V]) bytes() int64 {
	n := m.rows.Bytes()
	for i := range m.heads {
		n += m.heads[i].bytes()
	}
	for i := range m.stamps {
		n += m.stamps[i].bytes()
	}
	return n
}

func (m *maps[K, V]) load(shard int, r uint32, f flags, buf []byte, now flow.Time) (rest []byte, alive bool, err error) {
	n, rest, err := readLength(buf)
	if err != nil {
		return rest, false, err
	}
	if m.heads[shard].has.has(r) {
		return rest, false, errTwice
	}
	for i := range n {
		var at flow.Time
		var k K
		var v V
		if at, rest, err = f.readStamp(rest, now); err != nil {
			return rest, alive, err
		}
		if rest, err = m.key.Codec.Read(rest, &k); err != nil {
			return rest, alive, fmt.Errorf("key of element %d of %d: %w", i, n, err)
		}
		if rest, err = m.codec.Read(rest, &v); err != nil {
			return rest, alive, fmt.Errorf("value of element %d of %d: %w", i, n, err)
		}
		if m.life.on() && m.life.expired(at, now) {
			continue
		}
		m.probe = owned[K]{r, k}
		if m.rows.find(shard, hashOwned(&m.key, &m.probe), &m.probe) != none {
			return rest, alive, fmt.Errorf("key of element %d of %d: %w", i, n, errTwice)
		}
		e := m.insert(shard, r, k)
		m.rows.write(shard, e).val = v
		if m.stamps != nil {
			m.stamps[shard].mark(e, at)
		}
		alive = true
	}
	return rest, alive, nil
}

func (m *maps[K, V]) sweep(now flow.Time, budget int) {
	m.cursor.advance(len(m.heads), budget, m.rows.live, func(shard int, r uint32) {
		if m.life.expired(*m.stamps[shard].at(r), now) {
			m.remove(shard, m.rows.key(shard, r, &m.probe).owner, r)
		}
	})
}

type frozenMaps[K comparable, V any] struct {
	heads  []frozenColumn[mapHead]
	rows   frozenStore[owned[K], mapEntry[V]]
	stamps []frozenBlocks[flow.Time]
	key    flow.Codec[K]
	codec  flow.Codec[V]
	life   lifetime
	now    flow.Time
	probe  owned[K]
}

func (m *maps[K, V]) freeze(now flow.Time) frozenState {
	f := &frozenMaps[K, V]{
		heads: make([]frozenColumn[mapHead], len(m.heads)), rows: m.rows.freeze(m.b.max),
		stamps: freezeStamps(m.stamps), key: m.key.Codec, codec: m.codec, life: m.life, now: now,
	}
	for i := range m.heads {
		f.heads[i] = m.heads[i].freeze()
	}
	return f
}

func (f *frozenMaps[K, V]) flags() flags { return f.life.flags() }

func (f *frozenMaps[K, V]) dead(shard int, r uint32) bool {
	return f.life.on() && f.life.expired(*f.stamps[shard].at(r), f.now)
}

// count is how many entries a map has that have not expired.
func (f *frozenMaps[K, V]) count(shard int, head *mapHead) (n uint64) {
	if !f.life.on() {
		return uint64(head.n)
	}
	for r := head.first; r != none; r = f.rows.at(shard, r).next {
		if !f.dead(shard, r) {
			n++
		}
	}
	return n
}

func (f *frozenMaps[K, V]) each(shard int, visit func(r uint32) bool) {
	f.heads[shard].has.all(func(r uint32) bool {
		return f.count(shard, f.heads[shard].at(r)) == 0 || visit(r)
	})
}

func (f *frozenMaps[K, V]) appendPayload(buf []byte, shard int, owner uint32) (_ []byte, err error) {
	head := f.heads[shard].at(owner)
	buf = binary.AppendUvarint(buf, f.count(shard, head))
	for r := head.first; r != none; {
		e := f.rows.at(shard, r)
		if !f.dead(shard, r) {
			if f.life.on() {
				buf = appendStamp(buf, *f.stamps[shard].at(r))
			}
			if buf, err = f.key.Append(buf, &f.rows.key(shard, r, &f.probe).key); err != nil {
				return buf, err
			}
			if buf, err = f.codec.Append(buf, &e.val); err != nil {
				return buf, err
			}
		}
		r = e.next
	}
	return buf, nil
}

func hashOwned[K comparable](key *codec.Key[K], o *owned[K]) uint64 {
	return flow.HashUint64(key.Hash(&o.key) ^ uint64(o.owner)<<32)
}

// ownedKey makes keys of owned keys, for a table of this process only: nothing of owners is ever written.
func ownedKey[K comparable](key codec.Key[K]) codec.Key[owned[K]] {
	return codec.Key[owned[K]]{
		Codec:  ownedCodec[K]{key.Codec},
		Hash:   func(o *owned[K]) uint64 { return hashOwned(&key, o) },
		Inline: key.Inline,
	}
}

// ownedCodec is the form of owned keys in the arena.
type ownedCodec[K comparable] struct{ key flow.Codec[K] }

func (c ownedCodec[K]) Append(buf []byte, o *owned[K]) ([]byte, error) {
	return c.key.Append(binary.LittleEndian.AppendUint32(buf, o.owner), &o.key)
}

func (c ownedCodec[K]) Read(buf []byte, o *owned[K]) ([]byte, error) {
	if len(buf) < 4 {
		return buf, ErrDamaged
	}
	o.owner = binary.LittleEndian.Uint32(buf)
	return c.key.Read(buf[4:], &o.key)
}

func (c ownedCodec[K]) Fingerprint() string { return "owned(" + c.key.Fingerprint() + ")" }

// entryCodec copies entries whose values are not shareable (deepCopy).
type entryCodec[V any] struct{ val flow.Codec[V] }

func (c entryCodec[V]) Append(buf []byte, e *mapEntry[V]) ([]byte, error) {
	buf = binary.LittleEndian.AppendUint32(buf, e.prev)
	return c.val.Append(binary.LittleEndian.AppendUint32(buf, e.next), &e.val)
}

func (c entryCodec[V]) Read(buf []byte, e *mapEntry[V]) ([]byte, error) {
	if len(buf) < 8 {
		return buf, ErrDamaged
	}
	e.prev, e.next = binary.LittleEndian.Uint32(buf), binary.LittleEndian.Uint32(buf[4:])
	return c.val.Read(buf[8:], &e.val)
}

func (c entryCodec[V]) Fingerprint() string { return "entry(" + c.val.Fingerprint() + ")" }
