package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// EntriesFormat names what Frozen writes and Table.Load reads.
func EntriesFormat[K comparable, V any](key codec.Key[K], value flow.Codec[V]) string {
	return "entries1(" + key.Codec.Fingerprint() + "," + value.Fingerprint() + ")"
}

// Frozen is a table as it was at Freeze. One goroutine at a time may use it, while the table's goroutine goes on changing
// the table. It ends with Write or Release; a Frozen that is dropped without costs the table nothing but copies of blocks
// it would not have needed.
type Frozen struct {
	rows   frozenTables
	held   *atomic.Int32
	groups []int
	sorted bool
}

var errReleased = errors.New("what was frozen has been written or released before: a snapshot can be written once")

// frozenTables is a frozenShards whose types are forgotten.
type frozenTables interface {
	// sort finds the key groups that have rows, ascending.
	sort() []int
	// appendGroup writes the rows of one group, as a body for Table.Load.
	appendGroup(buf []byte, group int) ([]byte, error)
}

// Groups lists the key groups that have entries, ascending.
func (f *Frozen) Groups() []int {
	if !f.sorted {
		f.groups, f.sorted = f.rows.sort(), true
	}
	return f.groups
}

// AppendGroup appends the entries of one key group to buf: a body for Table.Load, whose length the caller must keep when
// other bytes follow.
func (f *Frozen) AppendGroup(buf []byte, group int) ([]byte, error) {
	f.Groups()
	return f.rows.appendGroup(buf, group)
}

// Write writes one section for each key group that has entries, named like sec but for the key group, and releases f.
// sec.Format should be the EntriesFormat.
func (f *Frozen) Write(w *SnapshotWriter, sec Section) error {
	if f.held == nil {
		return fmt.Errorf("%v: %w", sec, errReleased)
	}
	defer f.Release()
	for _, g := range f.Groups() {
		buf, err := f.AppendGroup(w.Buffer(), g)
		if err != nil {
			return fmt.Errorf("%v: %w", sec, err)
		}
		sec.KeyGroup = g
		if err := w.Write(sec, buf); err != nil {
			return err
		}
		w.Recycle(buf)
	}
	return nil
}

// Release says that f is not needed any more. It may be called more than once.
func (f *Frozen) Release() {
	if f.held != nil {
		f.held.Add(-1)
		f.held, f.rows, f.groups, f.sorted = nil, noRows{}, nil, true
	}
}

// noRows is what is left of a released Frozen.
type noRows struct{}

func (noRows) sort() []int { return nil }
func (noRows) appendGroup(buf []byte, _ int) ([]byte, error) {
	return binary.LittleEndian.AppendUint32(buf, 0), nil
}

// frozenStore is frozenShards whose form of keys is forgotten.
type frozenStore[K comparable, V any] interface {
	frozenTables
	live(shard int) bitset
	at(shard int, r uint32) *V
	key(shard int, r uint32, scratch *K) *K
	appendKey(buf []byte, shard int, r uint32) ([]byte, error)
}

type frozenTable[S, V any] struct {
	frozenPool[row[S, V]]
	chunks []*byte // of the arena: append-only, so it need not be copied
}

type frozenShards[K comparable, S, V any] struct {
	tables []frozenTable[S, V]
	from   int
	max    int // key groups to sort the rows of the only table by; 0: each table is a group
	keys   *keyForm[K]
	value  flow.Codec[V]
	order  []uint32 // rows by key group
	ends   []uint32 // where in order each group ends
	sink   byte
}

func (s *shards[K, S, V]) Freeze(maxParallelism int) *Frozen {
	s.held.Add(1)
	return &Frozen{rows: s.freeze(maxParallelism), held: s.held}
}

// freeze needs the caller to count itself in held, first.
func (s *shards[K, S, V]) freeze(groups int) frozenStore[K, V] {
	f := &frozenShards[K, S, V]{
		tables: make([]frozenTable[S, V], len(s.tables)), from: s.from, keys: s.keys, value: s.value,
	}
	if s.max == 1 && groups > 1 {
		f.max = groups
	}
	for i := range s.tables {
		t := &s.tables[i]
		f.tables[i].frozenPool = t.rows.freezeRows()
		if t.arena != nil {
			f.tables[i].chunks = t.arena.chunks
		}
	}
	return f
}

func (f *frozenShards[K, S, V]) live(shard int) bitset { return f.tables[shard].frozenPool.live }

func (f *frozenShards[K, S, V]) at(shard int, r uint32) *V { return &f.tables[shard].at(r).val }

func (f *frozenShards[K, S, V]) key(shard int, r uint32, scratch *K) *K {
	t := &f.tables[shard]
	e := t.at(r)
	if f.keys.Inline {
		return inlineKey[K](&e.key)
	}
	f.keys.read(refBytes(t.chunks, *arenaKey(&e.key)), scratch)
	return scratch
}

// appendKey writes a key in its codec's form.
func (f *frozenShards[K, S, V]) appendKey(buf []byte, shard int, r uint32) ([]byte, error) {
	t := &f.tables[shard]
	e := t.at(r)
	switch {
	case f.keys.Inline:
		return f.keys.Codec.Append(buf, inlineKey[K](&e.key))
	case f.keys.plain:
		var k K
		f.keys.read(refBytes(t.chunks, *arenaKey(&e.key)), &k)
		return f.keys.Codec.Append(buf, &k)
	}
	return append(buf, refBytes(t.chunks, *arenaKey(&e.key))...), nil
}

func (f *frozenShards[K, S, V]) appendEntry(buf []byte, shard int, r uint32) ([]byte, error) {
	buf, err := f.appendKey(buf, shard, r)
	if err != nil {
		return buf, err
	}
	return f.value.Append(buf, f.at(shard, r))
}

func (f *frozenShards[K, S, V]) sort() (groups []int) {
	if f.max == 0 {
		for i := range f.tables {
			if f.tables[i].n > 0 {
				groups = append(groups, f.from+i)
			}
		}
		return groups
	}
	// A counting sort keeps the order of the rows within each group.
	t := &f.tables[0]
	group := make([]uint16, 0, t.n)
	f.ends = make([]uint32, f.max)
	var scratch K
	t.live.all(func(r uint32) bool {
		g := flow.KeyGroup(f.keys.hash(f.key(0, r, &scratch)), f.max)
		group = append(group, uint16(g))
		f.ends[g]++
		return true
	})
	sum := uint32(0)
	for g, n := range f.ends {
		if n > 0 {
			groups = append(groups, g)
		}
		f.ends[g] = sum
		sum += n
	}
	f.order = make([]uint32, t.n)
	i := 0
	t.live.all(func(r uint32) bool {
		g := group[i]
		f.order[f.ends[g]] = r
		f.ends[g]++
		i++
		return true
	})
	return groups
}

func (f *frozenShards[K, S, V]) appendGroup(buf []byte, group int) (_ []byte, err error) {
	if f.max > 0 {
		from := uint32(0)
		if group > 0 {
			from = f.ends[group-1]
		}
		rows := f.order[from:f.ends[group]]
		buf = binary.LittleEndian.AppendUint32(buf, uint32(len(rows)))
		for i, r := range rows {
			if i%lanes == 0 {
				f.touch(rows[i:min(i+lanes, len(rows))])
			}
			if buf, err = f.appendEntry(buf, 0, r); err != nil {
				return buf, err
			}
		}
		return buf, nil
	}
	shard := group - f.from
	buf = binary.LittleEndian.AppendUint32(buf, uint32(f.tables[shard].n))
	f.live(shard).all(func(r uint32) bool {
		buf, err = f.appendEntry(buf, shard, r)
		return err == nil
	})
	return buf, err
}

// touch reads a byte of each row, so that all are fetched at once: rows of one key group lie anywhere.
func (f *frozenShards[K, S, V]) touch(rows []uint32) {
	t, sink := &f.tables[0], byte(0)
	for _, r := range rows {
		sink += *(*byte)(unsafe.Pointer(t.at(r)))
	}
	f.sink += sink
}

// readCount reads the number of entries in front of a body.
func readCount(body []byte) (n uint32, rest []byte, err error) {
	if len(body) < 4 {
		return 0, nil, fmt.Errorf("%w: %d bytes are too few for a count of entries", ErrDamaged, len(body))
	}
	return binary.LittleEndian.Uint32(body), body[4:], nil
}

func (s *shards[K, S, V]) Load(body []byte) error { return s.load(-1, body) }

// load adds the entries of body, which must all be of one shard when that is not -1.
func (s *shards[K, S, V]) load(shard int, body []byte) error {
	n, rest, err := readCount(body)
	if err != nil {
		return err
	}
	for i := range n {
		var k K
		var v V
		if rest, err = s.keys.Codec.Read(rest, &k); err != nil {
			return fmt.Errorf("%w: key of entry %d of %d: %w", ErrDamaged, i, n, err)
		}
		if rest, err = s.value.Read(rest, &v); err != nil {
			return fmt.Errorf("%w: value of entry %d of %d: %w", ErrDamaged, i, n, err)
		}
		hash := s.keys.hash(&k)
		if g := s.shard(hash); g < 0 || g >= len(s.tables) || shard >= 0 && g != shard {
			return fmt.Errorf("%w: entry %d of %d has a key of key group %d", ErrDamaged, i, n, s.from+g)
		}
		at, fresh := s.Upsert(hash, &k)
		if !fresh {
			return fmt.Errorf("%w: entry %d of %d has a key that was there before", ErrDamaged, i, n)
		}
		*at = v
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes behind the last of %d entries", ErrDamaged, len(rest), n)
	}
	return nil
}
