package state

import "unsafe"

// lanes is how many keys are looked up side by side: enough to keep all of a core's pending misses busy, few enough
// that what the first phase fetched is still near in the last.
const lanes = 128

// batchMemory is what UpsertBatch keeps from call to call.
type batchMemory struct {
	fresh []int32
	enc   []byte // the arena forms of a few keys, one after the other
	ends  []uint32
	sink  uint64 // takes the bytes that are read only to have them near
}

// laneRows is where the keys of one round of lanes are likely to be.
type laneRows struct {
	row [lanes]uint32         // or none
	at  [lanes]unsafe.Pointer // the row's memory, or something readable
}

// UpsertBatch implements Table in three phases: the home slots of all keys, then the rows these point to, then the
// comparing. What may miss the cache is read in loops of nothing else, so that a core has dozens of misses under way.
func (s *shards[K, S, V]) UpsertBatch(hashes []uint64, keys []K, out []*V) (fresh []int32) {
	s.batch.fresh = s.batch.fresh[:0]
	hashes, out = hashes[:len(keys)], out[:len(keys)]
	for at := 0; at < len(keys); at += lanes {
		to := min(at+lanes, len(keys))
		if s.keys.Inline {
			s.inlineLanes(hashes, keys, out, at, to)
		} else {
			s.arenaLanes(hashes, keys, out, at, to)
		}
	}
	return s.batch.fresh
}

// probe finds the likely row of each hash by its tag alone and touches its memory.
func (s *shards[K, S, V]) probe(hashes []uint64, l *laneRows) {
	n := min(len(hashes), lanes)
	hashes = hashes[:n]
	for i, h := range hashes {
		tag := h & tagMask
		seg := s.pick(h).index.segment(tag)
		l.at[i] = unsafe.Pointer(seg.slot(seg.home(tag)))
	}
	var words [lanes]uint64
	for i, p := range l.at[:n] {
		words[i] = *(*uint64)(p)
	}
	for i, h := range hashes {
		w, tag := words[i], h&tagMask
		t := s.pick(h)
		if w>>32 != tag && w != 0 {
			w = t.index.second(tag)
		}
		if l.row[i] = uint32(w) - 1; w != 0 { // none, if w is 0
			l.at[i] = unsafe.Pointer(t.rows.at(uint32(w) - 1))
		}
	}
	sink, last := uint64(0), unsafe.Sizeof(row[S, V]{})-1
	for i, p := range l.at[:n] {
		if l.row[i] != none {
			sink += uint64(*(*byte)(p)) + uint64(*(*byte)(unsafe.Add(p, last)))
		}
	}
	s.batch.sink += sink
}

// second is the first word with this tag behind the home slot, or 0.
func (x *index) second(tag uint64) uint64 {
	s := x.segment(tag)
	for i := s.home(tag) + 1; ; i++ {
		if w := *s.slot(i); w>>32 == tag || w == 0 {
			return w
		}
	}
}

func (s *shards[K, S, V]) inlineLanes(hashes []uint64, keys []K, out []*V, at, to int) {
	var l laneRows
	s.probe(hashes[at:to], &l)
	hashes, keys, cow := hashes[at:to], keys[at:to], s.cow()
	for i := range keys {
		if l.row[i] != none {
			if e := (*row[S, V])(l.at[i]); *inlineKey[K](&e.key) == keys[i] {
				if cow {
					e = s.pick(hashes[i]).rows.write(l.row[i])
				}
				out[at+i] = &e.val
				continue
			}
		}
		if s.upsertLane(hashes[i], &keys[i], nil, out, at+i) {
			s.relocate(hashes, &l)
		}
	}
}

func (s *shards[K, S, V]) arenaLanes(hashes []uint64, keys []K, out []*V, at, to int) {
	var l laneRows
	var encs [lanes][]byte
	s.encode(keys[at:to], &encs)
	s.probe(hashes[at:to], &l)
	hashes, keys, cow := hashes[at:to], keys[at:to], s.cow()
	sink := uint64(0)
	for i, h := range hashes {
		if l.row[i] != none {
			sink += uint64(s.pick(h).arena.touch(*arenaKey(&(*row[S, V])(l.at[i]).key)))
		}
	}
	s.batch.sink += sink
	for i, h := range hashes {
		if l.row[i] != none {
			e, t := (*row[S, V])(l.at[i]), s.pick(h)
			if t.sameBytes(*arenaKey(&e.key), encs[i]) {
				if cow {
					e = t.rows.write(l.row[i])
				}
				out[at+i] = &e.val
				continue
			}
		}
		if s.upsertLane(h, &keys[i], encs[i], out, at+i) {
			s.relocate(hashes, &l)
		}
	}
}

// encode sets encs[i] to the arena form of keys[i].
func (s *shards[K, S, V]) encode(keys []K, encs *[lanes][]byte) {
	if s.keys.plain {
		for i := range keys {
			encs[i], _ = s.keys.arenaForm(nil, &keys[i])
		}
		return
	}
	b := &s.batch
	b.enc, b.ends = b.enc[:0], b.ends[:0]
	for i := range keys {
		_, b.enc = s.keys.arenaForm(b.enc, &keys[i])
		b.ends = append(b.ends, uint32(len(b.enc)))
	}
	from := uint32(0)
	for i, end := range b.ends {
		encs[i] = b.enc[from:end]
		from = end
	}
}

// upsertLane is for keys that are new, or not where they were likely to be. It reports whether rows were moved to make room; out is right then, all the same.
func (s *shards[K, S, V]) upsertLane(hash uint64, k *K, enc []byte, out []*V, i int) (moved bool) {
	t := s.pick(hash)
	if r := t.find(hash, k, enc); r != none {
		out[i] = &t.rows.write(r).val
		return false
	}
	s.batch.fresh = append(s.batch.fresh, int32(i))
	if len(t.rows.base) != 1 {
		_, out[i] = t.add(hash, k, enc)
		return false
	}
	first, rows := t.rows.base[0], t.rows.rows
	_, out[i] = t.add(hash, k, enc)
	if t.rows.base[0] == first {
		return false
	}
	movePointers(out[:i], first, t.rows.base[0], rows)
	return true
}

// movePointers corrects the pointers into a block of rows that was moved because it was small.
func movePointers[S, V any](out []*V, from, to *row[S, V], rows uint32) {
	low := uintptr(unsafe.Pointer(from))
	high := low + uintptr(rows)*unsafe.Sizeof(*from)
	for i, v := range out {
		if p := uintptr(unsafe.Pointer(v)); p >= low && p < high {
			out[i] = (*V)(unsafe.Add(unsafe.Pointer(to), p-low))
		}
	}
}

// relocate finds the memory of the rows again.
func (s *shards[K, S, V]) relocate(hashes []uint64, l *laneRows) {
	for i, h := range hashes {
		if l.row[i] != none {
			l.at[i] = unsafe.Pointer(s.pick(h).rows.at(l.row[i]))
		}
	}
}
