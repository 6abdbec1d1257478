package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

var errTwice = errors.New("it is there twice")

// List is a list of T per key. Elements are kept one by one in rows, each knowing the next: appending costs the same
// whatever the length.
type List[T any] struct{ l *lists[T] }

// NewList declares a List.
func NewList[T any](r Registry, name string, opts ...Option) List[T] {
	b, o := r.StateBackend(), apply(opts)
	c, err := codecFor[T](o)
	l := &lists[T]{
		b: b, id: name, codec: c, life: o.life, heads: newColumns[listHead](b, nil),
		elems: make([]pool[listElem[T]], b.groups.Len()), stamps: newStamps(b, o.life),
	}
	for i := range l.elems {
		p := &l.elems[i]
		var clone func(r uint32, e *listElem[T])
		if !codec.Shareable[T]() {
			clone = func(r uint32, e *listElem[T]) {
				if p.live.has(r) {
					deepCopy(c, &e.val)
				}
			}
		}
		p.blocks, p.noPtr = newBlocks(b.held, clone), codec.PointerFree[T]()
	}
	b.declare(l, err)
	return List[T]{l}
}

// Append adds elements behind those of the key at hand. What they refer to must not be changed afterwards.
func (h List[T]) Append(s Scoped, elems ...T) {
	sc := h.l.b.scope(s)
	for i := range elems {
		h.l.append(sc, elems[i])
	}
}

// All goes through the list of the key at hand as it is when the loop begins. What elements refer to must not be
// changed. The loop ends early when its body clears or sets the list.
func (h List[T]) All(s Scoped) iter.Seq[T] {
	return func(yield func(T) bool) { h.l.all(h.l.b.scope(s), yield) }
}

// Len is the number of elements of the key at hand.
func (h List[T]) Len(s Scoped) int {
	sc := h.l.b.scope(s)
	h.l.trim(sc)
	if head := h.l.head(sc); head != nil {
		return int(head.n)
	}
	return 0
}

// Set replaces the list of the key at hand by elems.
func (h List[T]) Set(s Scoped, elems []T) {
	h.Clear(s)
	h.Append(s, elems...)
}

// Clear removes all elements of the key at hand.
func (h List[T]) Clear(s Scoped) {
	sc := h.l.b.scope(s)
	if head := h.l.head(sc); head != nil {
		h.l.version++
		if h.l.drop(sc.shard, sc.row, head.n) {
			sc.row = none
		}
	}
}

// listHead is what the directory's row has of a list: never an empty one.
type listHead struct{ first, last, n uint32 }

type listElem[T any] struct {
	val  T
	next uint32
}

type lists[T any] struct {
	b       *Backend
	id      string
	codec   flow.Codec[T]
	life    lifetime
	heads   []column[listHead]
	elems   []pool[listElem[T]]
	stamps  []stamps // of elements, never going down within a list
	cursor  cursor
	version int // goes up when elements are removed that a loop may stand on
}

func (l *lists[T]) head(s *Scope) *listHead { return l.heads[s.shard].get(s.find()) }

func (l *lists[T]) append(s *Scope, v T) {
	var now flow.Time
	if l.stamps != nil {
		now = s.time()
	}
	l.push(s.shard, s.make(), v, now)
}

// push adds v to the list of row r.
func (l *lists[T]) push(shard int, r uint32, v T, stamp flow.Time) {
	p := &l.elems[shard]
	at, e := p.take()
	e.val = v
	head, fresh := l.heads[shard].put(r)
	if fresh {
		l.b.keys.use(shard, r)
		head.first = at
	} else {
		p.write(head.last).next = at
	}
	if l.stamps != nil {
		st := &l.stamps[shard]
		if !fresh {
			stamp = max(stamp, *st.at(head.last))
		}
		st.mark(at, stamp)
	}
	head.last = at
	head.n++
}

// drop removes the first n elements of the list of row r and reports whether that freed r.
func (l *lists[T]) drop(shard int, r, n uint32) bool {
	head, _ := l.heads[shard].put(r)
	p := &l.elems[shard]
	for ; n > 0; n-- {
		next := p.at(head.first).next
		p.release(head.first)
		head.first = next
		head.n--
	}
	if head.n > 0 {
		return false
	}
	l.heads[shard].drop(r)
	return l.b.keys.disuse(shard, r)
}

// expired is how many elements of a list have expired: the first ones.
func (l *lists[T]) expired(shard int, head *listHead, now flow.Time) (n uint32) {
	for at := head.first; n < head.n && l.life.expired(*l.stamps[shard].at(at), now); n++ {
		at = l.elems[shard].at(at).next
	}
	return n
}

// trim removes what has expired of the list at hand.
func (l *lists[T]) trim(s *Scope) {
	if l.stamps == nil {
		return
	}
	if head := l.head(s); head != nil {
		if n := l.expired(s.shard, head, s.time()); n > 0 && l.drop(s.shard, s.row, n) {
			s.row = none
		}
	}
}

func (l *lists[T]) all(s *Scope, yield func(T) bool) {
	l.trim(s)
	head := l.head(s)
	if head == nil {
		return
	}
	p, version := &l.elems[s.shard], l.version
	at := head.first
	for n := head.n; n > 0; n-- {
		e := p.at(at)
		next := e.next
		if l.life.onRead {
			l.stamps[s.shard].mark(at, max(s.time(), *l.stamps[s.shard].at(head.last)))
		}
		if !yield(e.val) || l.version != version {
			return
		}
		at = next
	}
}

func (l *lists[T]) name() string   { return l.id }
func (l *lists[T]) format() string { return "list1(" + l.codec.Fingerprint() + ")" }
func (l *lists[T]) expires() bool  { return l.life.on() }

func (l *lists[T]) bytes() (n int64) {
	for i := range l.heads {
		n += l.heads[i].bytes() + l.elems[i].bytes()
	}
	for i := range l.stamps {
		n += l.stamps[i].bytes()
	}
	return n
}

func (l *lists[T]) load(shard int, r uint32, f flags, buf []byte, now flow.Time) (rest []byte, alive bool, err error) {
	n, rest, err := readLength(buf)
	if err != nil {
		return rest, false, err
	}
	if l.heads[shard].has.has(r) {
		return rest, false, errTwice
	}
	for i := range n {
		var at flow.Time
		var v T
		if at, rest, err = f.readStamp(rest, now); err != nil {
			return rest, alive, err
		}
		if rest, err = l.codec.Read(rest, &v); err != nil {
			return rest, alive, fmt.Errorf("element %d of %d: %w", i, n, err)
		}
		if !l.life.on() || !l.life.expired(at, now) {
			l.push(shard, r, v, at)
			alive = true
		}
	}
	return rest, alive, nil
}

// readLength reads the number of elements in front of buf.
func readLength(buf []byte) (n uint64, rest []byte, err error) {
	n, size := binary.Uvarint(buf)
	if size <= 0 || n > math.MaxUint32 {
		return 0, buf, fmt.Errorf("%w: %d elements in %d bytes", ErrDamaged, n, len(buf))
	}
	return n, buf[size:], nil
}

func (l *lists[T]) sweep(now flow.Time, budget int) {
	live := func(shard int) bitset { return l.heads[shard].has }
	l.cursor.advance(len(l.heads), budget, live, func(shard int, r uint32) {
		if n := l.expired(shard, l.heads[shard].get(r), now); n > 0 {
			l.drop(shard, r, n)
		}
	})
}

type frozenLists[T any] struct {
	heads  []frozenColumn[listHead]
	elems  []frozenBlocks[listElem[T]]
	stamps []frozenBlocks[flow.Time]
	codec  flow.Codec[T]
	life   lifetime
	now    flow.Time
}

func (l *lists[T]) freeze(now flow.Time) frozenState {
	f := &frozenLists[T]{
		heads: make([]frozenColumn[listHead], len(l.heads)), elems: make([]frozenBlocks[listElem[T]], len(l.elems)),
		stamps: freezeStamps(l.stamps), codec: l.codec, life: l.life, now: now,
	}
	for i := range l.heads {
		f.heads[i], f.elems[i] = l.heads[i].freeze(), l.elems[i].freeze()
	}
	return f
}

func (f *frozenLists[T]) flags() flags { return f.life.flags() }

// dead reports whether an element has expired.
func (f *frozenLists[T]) dead(shard int, at uint32) bool {
	return f.life.on() && f.life.expired(*f.stamps[shard].at(at), f.now)
}

func (f *frozenLists[T]) each(shard int, visit func(r uint32) bool) {
	f.heads[shard].has.all(func(r uint32) bool {
		return f.dead(shard, f.heads[shard].at(r).last) || visit(r)
	})
}

func (f *frozenLists[T]) appendPayload(buf []byte, shard int, r uint32) (_ []byte, err error) {
	head := *f.heads[shard].at(r)
	for f.dead(shard, head.first) {
		head.first = f.elems[shard].at(head.first).next
		head.n--
	}
	buf = binary.AppendUvarint(buf, uint64(head.n))
	for at, n := head.first, head.n; n > 0; n-- {
		if f.life.on() {
			buf = appendStamp(buf, *f.stamps[shard].at(at))
		}
		e := f.elems[shard].at(at)
		if buf, err = f.codec.Append(buf, &e.val); err != nil {
			return buf, err
		}
		at = e.next
	}
	return buf, nil
}
