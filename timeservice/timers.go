package timeservice

import (
	"math"
	"slices"

	"github.com/weirstream/weir/flow"
)

// Timer is one registration: at Time, for a key and a namespace (a window, or struct{} where there is none).
type Timer[K, N comparable] struct {
	Time flow.Time
	Hash uint64 // of Key
	Key  K
	NS   N
}

const (
	// heapArity children share a cache line of 64 bytes.
	heapArity = 4
	// minTable slots are made with the first timer; the table is doubled when it is three quarters full.
	minTable = 64
	// deadSlack is how many deleted timers may lie about, over and above as many as are alive, before they are swept out.
	deadSlack = 256
	// maxTimers bounds the timers of one operator's subtask: they are numbered with 32 bits.
	maxTimers = math.MaxUint32 - 1
)

// Timers holds the timers of one kind, event time or processing time, of one keyed operator. Nothing in it points
// anywhere unless K or N do, so that the garbage collector passes it by.
//
// The registrations lie in an arena and are found by (time, key, namespace) through an open-addressing table. A heap of
// (time, place in the arena) orders them by time alone. When a time has come due its timers are taken off the heap
// together and sorted by key and namespace, once: sorting a run is several times cheaper than breaking ties in a heap, and
// equal times are the rule. A deleted timer stays where it is until it is met or swept.
type Timers[K, N comparable] struct {
	compareKey func(a, b *K) int
	compareNS  func(a, b *N) int

	nodes []node[K, N]
	free  uint32 // first free node, as the number of a node plus one; they are linked through Hash
	table []slot
	heap  []item
	// runs are the times being fired, the earliest last. There is more than one only when a firing has registered timers
	// for an earlier time.
	runs []run
	live int
	dead int // nodes that were deleted but are still in the heap or in a run
}

type node[K, N comparable] struct {
	Timer[K, N]
	state nodeState
}

type nodeState uint8

const (
	nodeFree nodeState = iota
	nodeLive
	nodeDead
)

// slot is the upper half of a mixed hash and the number of a node plus one. 0 is empty.
type slot uint64

type item struct {
	time flow.Time
	node uint32
}

// run is the timers of one time in order; those before at have been popped.
type run struct {
	time  flow.Time
	nodes []uint32
	at    int
}

// NewTimers makes an empty set of timers. Timers of equal times fire in the order of compareKey, then compareNS;
// compareNS may be nil where there is but one namespace.
func NewTimers[K, N comparable](compareKey func(a, b *K) int, compareNS func(a, b *N) int) *Timers[K, N] {
	if compareNS == nil {
		compareNS = func(*N, *N) int { return 0 }
	}
	return &Timers[K, N]{compareKey: compareKey, compareNS: compareNS}
}

// Len is the number of timers.
func (ts *Timers[K, N]) Len() int { return ts.live }

// Register adds a timer. It reports whether it was new: the same (t, key, ns) is held once (I1). hash is the key's.
func (ts *Timers[K, N]) Register(t flow.Time, hash uint64, key K, ns N) bool {
	if (ts.live+1)*4 > len(ts.table)*3 {
		ts.growTable()
	}
	tag := tagOf(t, hash)
	at, found := ts.find(tag, t, key, ns)
	if found {
		return false
	}
	n := ts.newNode()
	ts.nodes[n] = node[K, N]{Timer[K, N]{t, hash, key, ns}, nodeLive}
	ts.table[at] = slot(tag)<<32 | slot(n+1)
	ts.live++
	for i := range ts.runs {
		if ts.runs[i].time == t {
			ts.insert(&ts.runs[i], n)
			return true
		}
	}
	ts.push(item{t, n})
	return true
}

// Delete takes a timer away. It reports whether there was one.
func (ts *Timers[K, N]) Delete(t flow.Time, hash uint64, key K, ns N) bool {
	if ts.live == 0 {
		return false
	}
	at, found := ts.find(tagOf(t, hash), t, key, ns)
	if !found {
		return false
	}
	n := uint32(ts.table[at]) - 1
	ts.unlink(at)
	ts.nodes[n].state = nodeDead
	ts.live--
	ts.dead++
	if ts.dead > ts.live+deadSlack {
		ts.sweep()
	}
	return true
}

// Next is the time of the earliest timer.
func (ts *Timers[K, N]) Next() (flow.Time, bool) {
	ts.settle(flow.MaxTime)
	switch r := ts.run(); {
	case len(ts.heap) == 0 && r == nil:
		return flow.MaxTime, false
	case r == nil || len(ts.heap) > 0 && ts.heap[0].time < r.time:
		return ts.heap[0].time, true
	default:
		return r.time, true
	}
}

// PopDue removes and returns the next timer with a time ≤ now, in the order of I2. What is registered between two calls
// takes part.
func (ts *Timers[K, N]) PopDue(now flow.Time) (tm Timer[K, N], ok bool) {
	for {
		ts.settle(now)
		r := ts.run()
		if len(ts.heap) > 0 && ts.heap[0].time <= now && (r == nil || ts.heap[0].time < r.time) {
			ts.startRun()
			continue
		}
		if r == nil || r.time > now {
			return tm, false
		}
		n := r.nodes[r.at]
		r.at++
		tm = ts.nodes[n].Timer
		at, _ := ts.find(tagOf(tm.Time, tm.Hash), tm.Time, tm.Key, tm.NS)
		ts.unlink(at)
		ts.release(n)
		ts.live--
		return tm, true
	}
}

// run is the earliest run, or nil.
func (ts *Timers[K, N]) run() *run {
	if len(ts.runs) == 0 {
		return nil
	}
	return &ts.runs[len(ts.runs)-1]
}

// settle drops deleted timers and finished runs from the front, until the first of the heap (if it is not after limit) and
// the first of the earliest run are alive.
func (ts *Timers[K, N]) settle(limit flow.Time) {
	for len(ts.heap) > 0 && ts.heap[0].time <= limit && ts.nodes[ts.heap[0].node].state == nodeDead {
		n := ts.heap[0].node
		ts.pop()
		ts.release(n)
		ts.dead--
	}
	for r := ts.run(); r != nil; r = ts.run() {
		for r.at < len(r.nodes) && ts.nodes[r.nodes[r.at]].state == nodeDead {
			ts.release(r.nodes[r.at])
			ts.dead--
			r.at++
		}
		if r.at < len(r.nodes) {
			return
		}
		ts.runs = ts.runs[:len(ts.runs)-1]
	}
}

// startRun takes all timers of the earliest time off the heap and puts them in order.
func (ts *Timers[K, N]) startRun() {
	t := ts.heap[0].time
	if len(ts.runs) < cap(ts.runs) {
		ts.runs = ts.runs[:len(ts.runs)+1]
	} else {
		ts.runs = append(ts.runs, run{})
	}
	r := ts.run()
	r.time, r.nodes, r.at = t, r.nodes[:0], 0
	for len(ts.heap) > 0 && ts.heap[0].time == t {
		n := ts.heap[0].node
		ts.pop()
		if ts.nodes[n].state == nodeDead {
			ts.release(n)
			ts.dead--
			continue
		}
		r.nodes = append(r.nodes, n)
	}
	if len(r.nodes) > 1 {
		slices.SortFunc(r.nodes, ts.compare)
	}
}

// insert puts a timer that was registered while its time is being fired in its place among those still to come.
func (ts *Timers[K, N]) insert(r *run, n uint32) {
	at, _ := slices.BinarySearchFunc(r.nodes[r.at:], n, ts.compare)
	r.nodes = slices.Insert(r.nodes, r.at+at, n)
}

func (ts *Timers[K, N]) compare(a, b uint32) int {
	x, y := &ts.nodes[a], &ts.nodes[b]
	if c := ts.compareKey(&x.Key, &y.Key); c != 0 {
		return c
	}
	return ts.compareNS(&x.NS, &y.NS)
}

// The arena.

func (ts *Timers[K, N]) newNode() uint32 {
	if ts.free != 0 {
		n := ts.free - 1
		ts.free = uint32(ts.nodes[n].Hash)
		return n
	}
	if len(ts.nodes) >= maxTimers {
		panic("timeservice: more than 2^32 timers in one subtask: raise the operator's parallelism")
	}
	ts.nodes = append(ts.nodes, node[K, N]{})
	return uint32(len(ts.nodes) - 1)
}

func (ts *Timers[K, N]) release(n uint32) {
	ts.nodes[n] = node[K, N]{}
	ts.nodes[n].Hash = uint64(ts.free)
	ts.free = n + 1
}

// sweep drops all deleted timers.
func (ts *Timers[K, N]) sweep() {
	alive := func(n uint32) bool {
		if ts.nodes[n].state == nodeDead {
			ts.release(n)
			return false
		}
		return true
	}
	kept := ts.heap[:0]
	for _, it := range ts.heap {
		if alive(it.node) {
			kept = append(kept, it)
		}
	}
	ts.heap = kept
	if n := len(kept); n > 1 {
		for i := (n - 2) / heapArity; i >= 0; i-- {
			ts.down(i)
		}
	}
	for i := range ts.runs {
		r := &ts.runs[i]
		left := r.nodes[:0]
		for _, n := range r.nodes[r.at:] {
			if alive(n) {
				left = append(left, n)
			}
		}
		r.nodes, r.at = left, 0
	}
	ts.dead = 0
}

// The heap, by time alone.

func (ts *Timers[K, N]) push(it item) {
	h := append(ts.heap, it)
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / heapArity
		if h[parent].time <= it.time {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = it
	ts.heap = h
}

func (ts *Timers[K, N]) pop() {
	last := len(ts.heap) - 1
	ts.heap[0] = ts.heap[last]
	ts.heap = ts.heap[:last]
	if last > 1 {
		ts.down(0)
	}
}

func (ts *Timers[K, N]) down(i int) {
	h := ts.heap
	it := h[i]
	for {
		child := i*heapArity + 1
		if child >= len(h) {
			break
		}
		least, rest := child, h[child:min(child+heapArity, len(h))]
		first := rest[0].time
		for c := 1; c < len(rest); c++ {
			if t := rest[c].time; t < first { // a conditional move: which child is least cannot be predicted
				first, least = t, child+c
			}
		}
		if h[least].time >= it.time {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = it
}

// The table: linear probing, and deletion by moving up what follows.

// tagOf mixes time and key. The namespace has no part in it: timers of one key and time are few.
func tagOf(t flow.Time, hash uint64) uint32 {
	return uint32(flow.HashUint64(hash^uint64(t)*0x9e3779b97f4a7c15) >> 32)
}

// find returns where the timer is in the table, or the empty slot where it belongs.
func (ts *Timers[K, N]) find(tag uint32, t flow.Time, key K, ns N) (at uint32, found bool) {
	mask := uint32(len(ts.table) - 1)
	for at = tag & mask; ; at = (at + 1) & mask {
		s := ts.table[at]
		if s == 0 {
			return at, false
		}
		if uint32(s>>32) != tag {
			continue
		}
		if n := &ts.nodes[uint32(s)-1]; n.Time == t && n.Key == key && n.NS == ns {
			return at, true
		}
	}
}

func (ts *Timers[K, N]) unlink(at uint32) {
	mask := uint32(len(ts.table) - 1)
	for next := (at + 1) & mask; ts.table[next] != 0; next = (next + 1) & mask {
		home := uint32(ts.table[next]>>32) & mask
		if (next-home)&mask >= (next-at)&mask {
			ts.table[at] = ts.table[next]
			at = next
		}
	}
	ts.table[at] = 0
}

func (ts *Timers[K, N]) growTable() {
	old := ts.table
	ts.table = make([]slot, max(minTable, 2*len(old)))
	mask := uint32(len(ts.table) - 1)
	for _, s := range old {
		if s == 0 {
			continue
		}
		at := uint32(s>>32) & mask
		for ts.table[at] != 0 {
			at = (at + 1) & mask
		}
		ts.table[at] = s
	}
}
