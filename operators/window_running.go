package operators

import (
	"slices"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/state"
)

// running is the aggregate of each key over a run of slices, kept up to date as slices enter at the young end and leave at
// the old one. enter, leave and scan stop when pause says so and are called again then, to go on where they were; nothing
// else is called in between.
type running[K comparable, T, A any] interface {
	// enter takes in s, which is younger than all slices that are in.
	enter(s *slice[K, A], pause func() bool) (done bool)
	// oldest is the oldest slice that is in, or nil.
	oldest() *slice[K, A]
	// leave takes out the oldest slice.
	leave(pause func() bool) (done bool)
	// scan visits every key that is in any slice, with its aggregate over all of them.
	scan(pause func() bool, visit func(k *K, acc *A)) (done bool)
	// late takes in a record that was added to s after s had entered. fresh: its key was not in s before.
	late(s *slice[K, A], fresh bool, hash uint64, k *K, v *T)
	// insert takes in an empty slice between the others.
	insert(s *slice[K, A])
}

func newRunning[K comparable, T, A any](agg *Aggregate[T, A], key codec.Key[K]) running[K, T, A] {
	// The tables of a running aggregate are made anew from the slices after a restore: they are never written, and need no
	// codec.
	if agg.Retract != nil {
		return &subtracting[K, T, A]{agg: agg, sums: state.NewTable[K, counted[A]](key, nil)}
	}
	return &stacked[K, T, A]{agg: agg, key: key, front: state.NewTable[K, A](key, nil), back: state.NewTable[K, A](key, nil)}
}

// sliceQueue is the slices that are in, the oldest first, and how far in one of their tables the call in hand is.
type sliceQueue[K comparable, A any] struct {
	slices []*slice[K, A]
	pos    int
}

func (q *sliceQueue[K, A]) oldest() *slice[K, A] {
	if len(q.slices) == 0 {
		return nil
	}
	return q.slices[0]
}

func (q *sliceQueue[K, A]) push(s *slice[K, A]) {
	s.in = true
	q.slices = append(q.slices, s)
}

func (q *sliceQueue[K, A]) pop() {
	q.slices[0].in = false
	q.slices = slices.Delete(q.slices, 0, 1)
}

// put puts s in its place by time, and returns that.
func (q *sliceQueue[K, A]) put(s *slice[K, A]) int {
	i, _ := slices.BinarySearchFunc(q.slices, s, func(a, b *slice[K, A]) int { return compareWindows(a.Window, b.Window) })
	q.slices = slices.Insert(q.slices, i, s)
	s.in = true
	return i
}

// each visits the rest of a table, until pause.
func each[K comparable, V any](t state.Table[K, V], pos *int, pause func() bool, visit func(hash uint64, k *K, v *V)) (done bool) {
	*pos, done = t.Read(*pos, firingBudget, func(hash uint64, k *K, v *V) bool {
		visit(hash, k, v)
		return !pause()
	})
	if done {
		*pos = 0
	}
	return done
}

// lookup finds the keys of one table in another, many at once because that is several times as fast.
type lookup[K comparable, A, V any] struct {
	keys   []K
	hashes []uint64
	from   []*A // the values of the one table
	to     []*V // and of the other
	gone   []int
}

// lookupRows is how many keys are looked up at once.
const lookupRows = 256

// each calls visit for every entry of t, until pause. The key is made in into if it is not there (fresh), and deleted
// there if visit does not keep it.
func (l *lookup[K, A, V]) each(t state.Table[K, A], pos *int, into state.Table[K, V], pause func() bool, visit func(i int, fresh bool) (keep bool)) (done bool) {
	gather := func(hash uint64, k *K, v *A) bool {
		l.keys, l.hashes, l.from = append(l.keys, *k), append(l.hashes, hash), append(l.from, v)
		return true
	}
	for stop := false; !stop; {
		l.keys, l.hashes, l.from, l.gone = l.keys[:0], l.hashes[:0], l.from[:0], l.gone[:0]
		*pos, done = t.Read(*pos, lookupRows, gather)
		l.to = grown(l.to, len(l.keys))
		made := into.UpsertBatch(l.hashes, l.keys, l.to)
		for i := range l.keys {
			fresh := len(made) > 0 && int(made[0]) == i
			if fresh {
				made = made[1:]
			}
			if !visit(i, fresh) {
				l.gone = append(l.gone, i)
			}
		}
		for _, i := range l.gone {
			into.Delete(l.hashes[i], &l.keys[i])
		}
		if done {
			*pos = 0
			return true
		}
		for range lookupRows {
			stop = pause() || stop
		}
	}
	return false
}

// subtracting is for aggregates that can Retract: one sum for each key, to which entering slices are added and from
// which leaving ones are taken away. A key is dropped with the last slice that has it.
type subtracting[K comparable, T, A any] struct {
	sliceQueue[K, A]
	agg    *Aggregate[T, A]
	sums   state.Table[K, counted[A]]
	lookup lookup[K, A, counted[A]]
}

// counted is an accumulator and the number of slices that went into it.
type counted[A any] struct {
	acc A
	n   int32
}

func (r *subtracting[K, T, A]) enter(s *slice[K, A], pause func() bool) bool {
	l := &r.lookup
	done := l.each(s.table, &r.pos, r.sums, pause, func(i int, fresh bool) (keep bool) {
		c := l.to[i]
		if fresh {
			c.acc = r.agg.fresh()
		}
		c.n++
		r.agg.Merge(&c.acc, l.from[i])
		return true
	})
	if done {
		r.push(s)
	}
	return done
}

func (r *subtracting[K, T, A]) leave(pause func() bool) bool {
	l := &r.lookup
	done := l.each(r.slices[0].table, &r.pos, r.sums, pause, func(i int, _ bool) (keep bool) {
		c := l.to[i]
		if c.n--; c.n == 0 {
			return false
		}
		r.agg.Retract(&c.acc, l.from[i])
		return true
	})
	if done {
		r.pop()
	}
	return done
}

func (r *subtracting[K, T, A]) scan(pause func() bool, visit func(k *K, acc *A)) bool {
	return each(r.sums, &r.pos, pause, func(_ uint64, k *K, c *counted[A]) { visit(k, &c.acc) })
}

func (r *subtracting[K, T, A]) late(_ *slice[K, A], fresh bool, hash uint64, k *K, v *T) {
	c, none := r.sums.Upsert(hash, k)
	if none {
		c.acc = r.agg.fresh()
	}
	if fresh {
		c.n++
	}
	r.agg.Add(&c.acc, v)
}

func (r *subtracting[K, T, A]) insert(s *slice[K, A]) { r.put(s) }

// stacked is for aggregates that cannot take back: two stacks. Slices enter the back, one table that they are merged
// into. When the oldest has to leave and the front is empty, all of the back is moved to the front, the youngest slice
// first: the front is one table too, but each slice notes what it changes there (undo), so that slices leave in the
// opposite order, the oldest first, by being undone. An aggregate over all is the front's merged with the back's. So each
// slice is merged twice, whatever the number of slices.
type stacked[K comparable, T, A any] struct {
	sliceQueue[K, A]
	agg         *Aggregate[T, A]
	key         codec.Key[K]
	front, back state.Table[K, A]
	fronts      int  // how many of the slices, the oldest, are in the front
	flip        int  // slices[flip] is the next to be moved to the front, while that is under way; otherwise 0
	backs       bool // scan has come to the back
	scratch     A
	free        []state.Table[K, undone[A]]
	lookup      lookup[K, A, A]
	undone      lookup[K, undone[A], A]
}

// undone is what the front had for a key before a slice: nothing, or an accumulator.
type undone[A any] struct {
	acc A
	had bool
}

// keptUndos bounds the empty undo tables that are kept.
const keptUndos = 64

func (r *stacked[K, T, A]) enter(s *slice[K, A], pause func() bool) bool {
	l := &r.lookup
	done := l.each(s.table, &r.pos, r.back, pause, func(i int, fresh bool) (keep bool) {
		if fresh {
			*l.to[i] = r.agg.fresh()
		}
		r.agg.Merge(l.to[i], l.from[i])
		return true
	})
	if done {
		r.push(s)
	}
	return done
}

func (r *stacked[K, T, A]) leave(pause func() bool) bool {
	s := r.slices[0]
	if r.fronts == 0 {
		if !r.turn(pause) {
			return false
		}
		r.pop() // it was left out
		return true
	}
	l := &r.undone
	done := l.each(s.undo, &r.pos, r.front, pause, func(i int, _ bool) (keep bool) {
		*l.to[i] = l.from[i].acc
		return l.from[i].had
	})
	if done {
		r.recycle(s)
		r.fronts--
		r.pop()
	}
	return done
}

// turn moves all slices from the back to the front, but for the oldest, which is about to leave.
func (r *stacked[K, T, A]) turn(pause func() bool) bool {
	if r.flip == 0 {
		r.flip = len(r.slices) - 1
	}
	for ; r.flip > 0; r.flip-- {
		s := r.slices[r.flip]
		if s.undo == nil {
			s.undo = r.undoTable()
		}
		done := r.lookup.each(s.table, &r.pos, r.front, pause, func(i int, fresh bool) (keep bool) {
			r.lay(s, i, fresh)
			return true
		})
		if !done {
			return false
		}
	}
	r.fronts = len(r.slices) - 1
	// The oldest is popped next: fronts counts those behind it.
	r.back.Reset()
	return true
}

// lay puts the key i of the lookup, which is one of s, on top of what the front has of it.
func (r *stacked[K, T, A]) lay(s *slice[K, A], i int, fresh bool) {
	l := &r.lookup
	u, _ := s.undo.Upsert(l.hashes[i], &l.keys[i])
	u.had, u.acc = !fresh, *l.to[i]
	r.scratch = r.agg.fresh()
	r.agg.Merge(&r.scratch, l.from[i])
	if u.had {
		r.agg.Merge(&r.scratch, &u.acc)
	}
	*l.to[i] = r.scratch
}

func (r *stacked[K, T, A]) scan(pause func() bool, visit func(k *K, acc *A)) bool {
	if !r.backs {
		done := each(r.front, &r.pos, pause, func(hash uint64, k *K, f *A) {
			b := r.back.Get(hash, k)
			if b == nil {
				visit(k, f)
				return
			}
			r.scratch = r.agg.fresh()
			r.agg.Merge(&r.scratch, f)
			r.agg.Merge(&r.scratch, b)
			visit(k, &r.scratch)
		})
		if !done {
			return false
		}
		r.backs = true
	}
	done := each(r.back, &r.pos, pause, func(hash uint64, k *K, b *A) {
		if r.front.Get(hash, k) == nil {
			visit(k, b)
		}
	})
	r.backs = !done
	return done
}

func (r *stacked[K, T, A]) late(s *slice[K, A], fresh bool, hash uint64, k *K, v *T) {
	j := slices.Index(r.slices, s)
	if j >= r.fronts {
		r.addTo(r.back, hash, k, v)
		return
	}
	// All that was laid on top of s, and what they will uncover, has to have the record too.
	for _, o := range r.slices[:j] {
		if o.undo.Get(hash, k) == nil {
			continue
		}
		u, _ := o.undo.Upsert(hash, k)
		if !u.had {
			u.acc, u.had = r.agg.fresh(), true
		}
		r.agg.Add(&u.acc, v)
	}
	if fresh {
		u, _ := s.undo.Upsert(hash, k)
		u.acc = r.agg.fresh()
		for _, o := range r.slices[j+1 : r.fronts] {
			if a := o.table.Get(hash, k); a != nil {
				r.agg.Merge(&u.acc, a)
				u.had = true
			}
		}
	}
	r.addTo(r.front, hash, k, v)
}

func (r *stacked[K, T, A]) addTo(t state.Table[K, A], hash uint64, k *K, v *T) {
	a, fresh := t.Upsert(hash, k)
	if fresh {
		*a = r.agg.fresh()
	}
	r.agg.Add(a, v)
}

func (r *stacked[K, T, A]) insert(s *slice[K, A]) {
	if r.put(s) < r.fronts {
		r.fronts++
		s.undo = r.undoTable()
	}
}

func (r *stacked[K, T, A]) undoTable() state.Table[K, undone[A]] {
	if n := len(r.free); n > 0 {
		t := r.free[n-1]
		r.free = r.free[:n-1]
		return t
	}
	return state.NewTable[K, undone[A]](r.key, nil)
}

func (r *stacked[K, T, A]) recycle(s *slice[K, A]) {
	s.undo.Reset()
	if len(r.free) < keptUndos {
		r.free = append(r.free, s.undo)
	}
	s.undo = nil
}
