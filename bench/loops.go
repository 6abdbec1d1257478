package bench

import "github.com/weirstream/weir/flow"

// table is what somebody would write by hand: open addressing, linear probing, a power of two of slots. A slot with a
// count of 0 is free.
type table struct {
	slots []slot
	mask  uint64
}

type slot struct {
	key int64
	Total
}

func newTable(keys int64) *table {
	size := uint64(16)
	for size < 2*uint64(keys) {
		size *= 2
	}
	return &table{slots: make([]slot, size), mask: size - 1}
}

// at is the slot of key, which is new where its count is 0.
func (t *table) at(key int64) *slot {
	for i := mix(uint64(key)) & t.mask; ; i = (i + 1) & t.mask {
		s := &t.slots[i]
		if s.Count == 0 {
			s.key = key
			return s
		}
		if s.key == key {
			return s
		}
	}
}

// loopTumbling is the tumbling job for records in the order of their times.
func loopTumbling(n int64, f fill[Event], keys int64, out func(r *Result)) {
	t := newTable(keys)
	end := minute
	var v Event
	var r Result
	flush := func() {
		for i := range t.slots {
			if s := &t.slots[i]; s.Count > 0 {
				r = Result{s.key, int64(end), s.Count, s.Sum}
				out(&r)
				*s = slot{}
			}
		}
	}
	for i := range n {
		v = Event{}
		at := f(i, &v)
		for at >= end {
			flush()
			end += minute
		}
		t.at(v.Key).add(&v)
	}
	flush()
}

// loopSliding is the sliding job by definition: each record is added to every window it is in. It is there for its
// results, not for its speed.
func loopSliding(n int64, f fill[Event], slide flow.Time, out func(r *Result)) {
	type pane struct{ end, key int64 }
	panes := map[pane]*Total{}
	for i := range n {
		var v Event
		at := f(i, &v)
		for end := at - at%slide + slide; end-minute <= at; end += slide {
			p := pane{int64(end), v.Key}
			if panes[p] == nil {
				panes[p] = &Total{}
			}
			panes[p].add(&v)
		}
	}
	for p, t := range panes { // the digest is a sum: the order does not matter
		out(&Result{p.key, p.end, t.Count, t.Sum})
	}
}

// loopRunning is the running sum.
func loopRunning(n int64, f fill[Event], keys int64, out func(r *Result)) {
	t := newTable(keys)
	var v Event
	var r Result
	for i := range n {
		v = Event{}
		f(i, &v)
		s := t.at(v.Key)
		s.add(&v)
		r = Result{Key: v.Key, Count: s.Count, Sum: s.Sum}
		out(&r)
	}
}

// loopStateless is map, filter, map as a chain of bare closures: one call for each step and record, one scratch record
// for each map.
func loopStateless(n int64, out func(v *Wide)) {
	head := mapTo(priced, filterTo(kept, mapTo(taxed, out)))
	source(n, wideEvents, head)
}

func source[T any](n int64, f fill[T], next func(v *T)) {
	var v, zero T
	for i := range n {
		v = zero
		f(i, &v)
		next(&v)
	}
}

func mapTo[I, O any](f func(v *I) O, next func(v *O)) func(v *I) {
	out := new(O)
	return func(v *I) {
		*out = f(v)
		next(out)
	}
}

func filterTo[T any](keep func(v *T) bool, next func(v *T)) func(v *T) {
	return func(v *T) {
		if keep(v) {
			next(v)
		}
	}
}

// digesting makes an out of a loop, and reads what it came to.
func digesting[T any](fold func(v *T) uint64) (out func(v *T), total func() digest) {
	var d digest
	return func(v *T) { d.count++; d.sum += fold(v) }, func() digest { return d }
}
