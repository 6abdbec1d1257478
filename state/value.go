package state

import "github.com/weirstream/weir/flow"

// Value is one T per key.
type Value[T any] struct{ v *values[T] }

// NewValue declares a Value.
func NewValue[T any](r Registry, name string, opts ...Option) Value[T] {
	return Value[T]{newValues[T](r, name, "value", opts)}
}

// Get returns the value of the key at hand, or a zero T. What it refers to (a slice, a map) must not be changed: use
// Update.
func (h Value[T]) Get(s Scoped) T {
	if v := h.v.read(h.v.b.scope(s)); v != nil {
		return *v
	}
	return *new(T)
}

// Lookup is Get that tells a zero value from none.
func (h Value[T]) Lookup(s Scoped) (T, bool) {
	if v := h.v.read(h.v.b.scope(s)); v != nil {
		return *v, true
	}
	return *new(T), false
}

// Set sets the value of the key at hand. What v refers to must not be changed afterwards.
func (h Value[T]) Set(s Scoped, v T) {
	at, _ := h.v.write(h.v.b.scope(s))
	*at = v
}

// Update has f change the value of the key at hand in place; a fresh one is zero. f must not keep the pointer, nor use
// this state.
func (h Value[T]) Update(s Scoped, f func(v *T)) {
	at, _ := h.v.write(h.v.b.scope(s))
	f(at)
}

// Clear removes the value of the key at hand.
func (h Value[T]) Clear(s Scoped) { h.v.clear(h.v.b.scope(s)) }

// values is a state of one T per key: what Value, Reducing and Aggregating are made of.
type values[T any] struct {
	b      *Backend
	id     string
	kind   string
	codec  flow.Codec[T]
	life   lifetime
	cols   []column[T]
	stamps []stamps // of the same rows; nil without a lifetime
	cursor cursor
}

func newValues[T any](r Registry, name, kind string, opts []Option) *values[T] {
	b, o := r.StateBackend(), apply(opts)
	c, err := codecFor[T](o)
	v := &values[T]{b: b, id: name, kind: kind, codec: c, life: o.life, cols: newColumns(b, c), stamps: newStamps(b, o.life)}
	b.declare(v, err)
	return v
}

func newStamps(b *Backend, life lifetime) []stamps {
	if !life.on() {
		return nil
	}
	s := make([]stamps, b.groups.Len())
	for i := range s {
		s[i] = stamps{newBlocks[flow.Time](b.held, nil), life}
	}
	return s
}

// read is the value at hand, or nil.
func (v *values[T]) read(s *Scope) *T {
	at := v.cols[s.shard].get(s.find())
	if at == nil || v.stamps == nil {
		return at
	}
	if v.expire(s) {
		return nil
	}
	if v.life.onRead {
		v.stamps[s.shard].mark(s.row, s.time())
	}
	return at
}

// expire removes the value at hand, which exists, if its time is over.
func (v *values[T]) expire(s *Scope) bool {
	if !v.life.expired(*v.stamps[s.shard].at(s.row), s.time()) {
		return false
	}
	v.cols[s.shard].drop(s.row)
	s.disuse()
	return true
}

// write is the value at hand, to be written; zero when fresh.
func (v *values[T]) write(s *Scope) (at *T, fresh bool) {
	c := &v.cols[s.shard]
	if v.stamps != nil && c.has.has(s.find()) {
		v.expire(s)
	}
	at, fresh = c.put(s.make())
	if fresh {
		v.b.keys.use(s.shard, s.row)
	}
	if v.stamps != nil {
		v.stamps[s.shard].mark(s.row, s.time())
	}
	return at, fresh
}

func (v *values[T]) clear(s *Scope) {
	if c := &v.cols[s.shard]; c.has.has(s.find()) {
		c.drop(s.row)
		s.disuse()
	}
}

func (v *values[T]) name() string   { return v.id }
func (v *values[T]) format() string { return v.kind + "1(" + v.codec.Fingerprint() + ")" }
func (v *values[T]) expires() bool  { return v.life.on() }

func (v *values[T]) bytes() (n int64) {
	for i := range v.cols {
		n += v.cols[i].bytes()
	}
	for i := range v.stamps {
		n += v.stamps[i].bytes()
	}
	return n
}

func (v *values[T]) load(shard int, r uint32, f flags, buf []byte, now flow.Time) (rest []byte, alive bool, err error) {
	at, buf, err := f.readStamp(buf, now)
	if err != nil {
		return buf, false, err
	}
	var x T
	if rest, err = v.codec.Read(buf, &x); err != nil || v.life.on() && v.life.expired(at, now) {
		return rest, false, err
	}
	p, fresh := v.cols[shard].put(r)
	if !fresh {
		return rest, false, errTwice
	}
	*p = x
	v.b.keys.use(shard, r)
	if v.stamps != nil {
		v.stamps[shard].mark(r, at)
	}
	return rest, true, nil
}

func (v *values[T]) sweep(now flow.Time, budget int) {
	live := func(shard int) bitset { return v.cols[shard].has }
	v.cursor.advance(len(v.cols), budget, live, func(shard int, r uint32) {
		if v.life.expired(*v.stamps[shard].at(r), now) {
			v.cols[shard].drop(r)
			v.b.keys.disuse(shard, r)
		}
	})
}

type frozenValues[T any] struct {
	cols   []frozenColumn[T]
	stamps []frozenBlocks[flow.Time]
	codec  flow.Codec[T]
	life   lifetime
	now    flow.Time
}

func (v *values[T]) freeze(now flow.Time) frozenState {
	f := &frozenValues[T]{cols: make([]frozenColumn[T], len(v.cols)), stamps: freezeStamps(v.stamps), codec: v.codec, life: v.life, now: now}
	for i := range v.cols {
		f.cols[i] = v.cols[i].freeze()
	}
	return f
}

func freezeStamps(s []stamps) []frozenBlocks[flow.Time] {
	f := make([]frozenBlocks[flow.Time], len(s))
	for i := range s {
		f[i] = s[i].freeze()
	}
	return f
}

func (f *frozenValues[T]) flags() flags { return f.life.flags() }

func (f *frozenValues[T]) each(shard int, visit func(r uint32) bool) {
	f.cols[shard].has.all(func(r uint32) bool {
		if f.life.on() && f.life.expired(*f.stamps[shard].at(r), f.now) {
			return true
		}
		return visit(r)
	})
}

func (f *frozenValues[T]) appendPayload(buf []byte, shard int, r uint32) ([]byte, error) {
	if f.life.on() {
		buf = appendStamp(buf, *f.stamps[shard].at(r))
	}
	return f.codec.Append(buf, f.cols[shard].at(r))
}
