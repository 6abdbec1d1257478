package operators

import (
	"sort"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
)

// sliceWindow is the window operator for tumbling and sliding windows with the default trigger.
//
// Windows that overlap share what they have in common: time is cut into slices at every edge of a window (grid), a record
// is added to the one slice that its time lies in, and a window is the merge of its slices. A slice is one table for all
// keys of the subtask, so a window's end is one event and not one timer per key, and what is over is reset as a whole and
// used again for a slice to come.
//
// A window of one slice (tumbling) fires by a scan of its table. A window of many keeps a running aggregate over the
// slices that are in the window next to fire; when a window fires, the slices that are new to it enter, and behind it those
// leave that are not in the next (window_running.go says how). So a record costs one update, however many windows it is in, and
// a slice costs its number of keys, twice.
//
// Late records. A record goes to its slice as long as any window that has the slice is remembered. If windows that have
// it have fired, they fire again at once for the record's key, merged anew from the slices; and if the slice is in the
// running aggregate, the record is added there too.
type sliceWindow[K comparable, T, A, O any] struct {
	windowCore[K, T, A, O]
	grid grid
	// live are the slices that some remembered window has, by time. cur is the one the last record went to.
	live []*slice[K, A]
	cur  *slice[K, A]
	free []state.Table[K, A]
	// passed: all windows with a MaxTimestamp up to here have fired. next is the MaxTimestamp of the first to fire of the
	// others, flow.MaxTime when there is none.
	passed, next flow.Time

	run      running[K, T, A] // nil when a window is one slice
	underway struct {         // the firing that is under way
		step fireStep
		win  Window
		pos  int // in the table being scanned, when a window is one slice
	}
	// What run has is the slices from covered.Start to covered.End. One that comes to be between those has a window still
	// to fire: the first window that begins at covered.Start or after has a slice there already.
	covered Window
	scratch A
	key     K // of a record that goes alone

	// Scratch of one batch.
	keys   []K
	hashes []uint64
	accs   []*A
	chain  []int32 // for each record, the next of the same slice
	picked []int32
	used   []*slice[K, A]
}

// slice is the accumulators of all keys over one span of time.
type slice[K comparable, A any] struct {
	Window
	table state.Table[K, A]
	// first and last are the MaxTimestamps of the first and the last window that have the slice.
	first, last flow.Time
	plain       bool // no window that has it has fired: records need only be added
	in          bool // is in the running aggregate
	undo        state.Table[K, undone[A]]
	head, tail  int32 // the records of the batch in hand that belong to it
}

// fireStep is how far the firing of a window has come.
type fireStep uint8

const (
	fireIdle     fireStep = iota
	fireMakeRoom          // slices before the window leave the running aggregate
	fireEnter             // slices of the window enter it
	fireEmit              // results are emitted
	fireLeave             // slices that are not in the next window leave
)

// keptTables is how many empty tables are kept for slices to come. In the steady state one comes for one that goes.
const keptTables = 4

// Open implements Operator.
func (p *sliceWindow[K, T, A, O]) Open(ctx *Context) error {
	if err := p.open(ctx); err != nil {
		return err
	}
	switch a := p.spec.Assigner.(type) {
	case Tumbling:
		p.grid = a.grid()
	case Sliding:
		p.grid = a.grid()
	}
	if p.grid.size > p.grid.slide {
		p.run = newRunning(&p.spec.Aggregate, p.spec.KeyType)
	}
	p.covered = Window{flow.MinTime, flow.MinTime}
	p.passed, p.next = flow.MinTime, flow.MaxTime
	p.in.Record, p.in.Batch = p.record, p.batch
	if err := p.restore(); err != nil {
		return err
	}
	if p.event {
		p.passed = p.watermark
	}
	p.settle()
	p.wakeNext()
	return nil
}

// batch adds records, those of one slice together.
func (p *sliceWindow[K, T, A, O]) batch(r *flow.Records[T], from, to int) {
	values, times := r.Values[from:to], r.Times[from:to]
	if !p.event {
		if s := p.sliceNow(); s != nil {
			p.addAll(s, values)
		}
		p.wakeNext()
		return
	}
	if len(times) == 0 {
		return
	}
	s := p.cur
	if t := times[0]; s == nil || !s.Contains(t) {
		s = p.search(t)
		if s == nil && t != flow.MinTime {
			s = p.newSlice(t)
		}
	}
	n := 0
	if s != nil {
		start, end := s.Start, s.End
		for n < len(times) && start <= times[n] && times[n] < end {
			n++
		}
		p.cur = s
	}
	if n == len(times) {
		p.addAll(s, values)
	} else {
		p.addMixed(values, times)
	}
	p.endTurn()
}

// addAll adds records that are all of slice s.
func (p *sliceWindow[K, T, A, O]) addAll(s *slice[K, A], values []T) {
	if !s.plain {
		for i := range values {
			p.addOne(s, &values[i])
		}
		return
	}
	n := len(values)
	p.keys = grown(p.keys, n)
	key, keys := p.spec.Key, p.keys
	for i := range values {
		keys[i] = key(&values[i])
	}
	accs, add := p.upsert(s, keys), p.spec.Aggregate.Add
	for i := range values {
		add(accs[i], &values[i])
	}
}

// upsert finds the accumulators of keys in s.
func (p *sliceWindow[K, T, A, O]) upsert(s *slice[K, A], keys []K) []*A {
	n := len(keys)
	p.hashes, p.accs = grown(p.hashes, n), grown(p.accs, n)
	p.spec.KeyType.HashAll(keys, p.hashes)
	fresh := s.table.UpsertBatch(p.hashes, keys, p.accs)
	if create := p.spec.Aggregate.Create; create != nil {
		for _, i := range fresh {
			*p.accs[i] = create()
		}
	}
	return p.accs
}

// addMixed adds records of several slices: first it strings together those of each slice, then adds them slice by slice.
func (p *sliceWindow[K, T, A, O]) addMixed(values []T, times []flow.Time) {
	p.chain = grown(p.chain, len(values))
	p.used = p.used[:0]
	s := p.cur
	for i, t := range times {
		if s == nil || t < s.Start || t >= s.End {
			if s = p.find(&values[i], t); s == nil {
				continue
			}
		}
		if !s.plain {
			p.addOne(s, &values[i])
			continue
		}
		p.chain[i] = -1
		if s.head < 0 {
			s.head = int32(i)
			p.used = append(p.used, s)
		} else {
			p.chain[s.tail] = int32(i)
		}
		s.tail = int32(i)
	}
	p.cur = s
	for _, s := range p.used {
		p.keys, p.picked = p.keys[:0], p.picked[:0]
		for i := s.head; i >= 0; i = p.chain[i] {
			p.keys = append(p.keys, p.spec.Key(&values[i]))
			p.picked = append(p.picked, i)
		}
		s.head = -1
		accs, add := p.upsert(s, p.keys), p.spec.Aggregate.Add
		for n, i := range p.picked {
			add(accs[n], &values[i])
		}
	}
}

// record adds one record, when the operator is not the head of its chain.
func (p *sliceWindow[K, T, A, O]) record(v *T, t flow.Time) {
	s := p.cur
	if !p.event {
		s = p.sliceNow()
	} else if s == nil || t < s.Start || t >= s.End {
		s = p.find(v, t)
		p.cur = s
	}
	if s != nil {
		p.addOne(s, v)
	}
	p.endTurn()
	p.wakeNext()
}

// addOne adds one record to s and to everything that has s already.
func (p *sliceWindow[K, T, A, O]) addOne(s *slice[K, A], v *T) {
	p.key = p.spec.Key(v)
	key := &p.key
	hash := p.spec.KeyType.Hash(key)
	acc, fresh := s.table.Upsert(hash, key)
	if fresh {
		*acc = p.spec.Aggregate.fresh()
	}
	p.spec.Aggregate.Add(acc, v)
	if s.plain {
		return
	}
	if s.in {
		p.run.late(s, fresh, hash, key, v)
	}
	if p.late > 0 {
		p.fireAgain(s, fresh, hash, key)
	}
}

// fireAgain fires for one key those windows of s that have fired and are remembered. fresh: the key is new in s.
func (p *sliceWindow[K, T, A, O]) fireAgain(s *slice[K, A], fresh bool, hash uint64, key *K) {
	at := s.first
	if forgotten := p.watermark.Add(-p.late); at <= forgotten {
		at = p.grid.skip(at, forgotten)
	}
	for ; at <= min(p.watermark, s.last); at += p.grid.slide {
		w := Window{at + 1 - p.grid.size, at + 1}
		known := !fresh
		acc := &p.scratch
		if p.run == nil {
			acc = s.table.Get(hash, key)
		} else {
			*acc = p.spec.Aggregate.fresh()
			for i := p.indexOf(w.Start); i < len(p.live) && p.live[i].End <= w.End; i++ {
				if a := p.live[i].table.Get(hash, key); a != nil {
					p.spec.Aggregate.Merge(acc, a)
					known = known || p.live[i] != s
				}
			}
		}
		n := 0
		if known {
			n = 1
		}
		p.emit(key, w, acc, Pane{Late, n})
	}
}

// indexOf is the place in live of the first slice that begins at t or after.
func (p *sliceWindow[K, T, A, O]) indexOf(t flow.Time) int {
	return sort.Search(len(p.live), func(i int) bool { return p.live[i].Start >= t })
}

// search is the live slice that has t, or nil.
func (p *sliceWindow[K, T, A, O]) search(t flow.Time) *slice[K, A] {
	lo, hi := 0, len(p.live)
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); p.live[m].Start <= t {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo > 0 && t < p.live[lo-1].End {
		return p.live[lo-1]
	}
	return nil
}

// find is the slice for a record at event time t. It is nil when the record is in no window that is remembered, or in none
// at all; that has been dealt with then.
func (p *sliceWindow[K, T, A, O]) find(v *T, t flow.Time) *slice[K, A] {
	if t == flow.MinTime {
		p.timeless()
		return nil
	}
	if s := p.search(t); s != nil {
		return s
	}
	if s := p.newSlice(t); s != nil {
		return s
	}
	// Behind the watermark it is late; before it, it lies in a gap between windows.
	if t.Add(p.late) <= p.watermark {
		p.tooLate(v, t)
	}
	return nil
}

// sliceNow is the slice for records over processing time. A window that has fired takes nothing any more, even though
// the clock may stand at its last millisecond still.
func (p *sliceWindow[K, T, A, O]) sliceNow() *slice[K, A] {
	t := max(p.tick(), p.passed+1)
	if s := p.cur; s != nil && s.Contains(t) {
		return s
	}
	s := p.search(t)
	if s == nil {
		s = p.newSlice(t)
	}
	p.cur = s
	return s
}

// newSlice makes the slice that has t, unless it is in no window that is remembered.
func (p *sliceWindow[K, T, A, O]) newSlice(t flow.Time) *slice[K, A] {
	w := p.grid.slice(t)
	if s := p.search(w.Start); s != nil {
		return s // t was beyond where windows are told apart
	}
	first, last, ok := p.grid.windowsOf(w)
	if !ok || last.MaxTimestamp().Add(p.late) <= p.now() {
		return nil
	}
	s := p.enlist(w, first, last)
	if p.covered.Start <= w.Start && w.End <= p.covered.End {
		p.run.insert(s)
	}
	p.plan()
	return s
}

// enlist puts a new slice among the live ones.
func (p *sliceWindow[K, T, A, O]) enlist(w, first, last Window) *slice[K, A] {
	s := &slice[K, A]{Window: w, first: first.MaxTimestamp(), last: last.MaxTimestamp(), head: -1}
	s.plain = s.first > p.now()
	if n := len(p.free); n > 0 {
		s.table, p.free = p.free[n-1], p.free[:n-1]
	} else {
		s.table = state.NewTable(p.spec.KeyType, p.spec.Aggregate.Codec)
	}
	i := p.indexOf(w.Start)
	p.live = append(p.live, nil)
	copy(p.live[i+1:], p.live[i:])
	p.live[i] = s
	return s
}

// now is where the time stands that the windows go by.
func (p *sliceWindow[K, T, A, O]) now() flow.Time {
	if p.event {
		return p.watermark
	}
	return p.passed
}

// plan finds the next window to fire: the first one behind passed that has a slice.
func (p *sliceWindow[K, T, A, O]) plan() {
	p.next = flow.MaxTime
	for _, s := range p.live {
		if s.last > p.passed {
			p.next = s.first
			if s.first <= p.passed {
				p.next = p.grid.skip(s.first, p.passed)
			}
			break
		}
	}
}

// wakeNext asks to be called when the next window over processing time ends.
func (p *sliceWindow[K, T, A, O]) wakeNext() {
	if !p.event && p.next != flow.MaxTime {
		p.wake(p.next)
	}
}

// Watermark implements Operator.
func (p *sliceWindow[K, T, A, O]) Watermark(w flow.Watermark) bool {
	p.watermark = max(p.watermark, w.Time)
	return !p.event || p.advance(p.watermark)
}

// ProcessingTime implements Operator.
func (p *sliceWindow[K, T, A, O]) ProcessingTime(now flow.Time) bool {
	p.clock, p.wakeAt = max(p.clock, now), flow.MaxTime
	if p.event || !p.advance(p.clock) {
		return p.event
	}
	p.wakeNext()
	return true
}

// Finish implements Operator. Open windows over processing time fire now.
func (p *sliceWindow[K, T, A, O]) Finish() bool {
	return p.event || p.advance(flow.MaxTime)
}

// advance fires what ends at or before to, for one turn.
func (p *sliceWindow[K, T, A, O]) advance(to flow.Time) (done bool) {
	if p.underway.step == fireIdle && p.next > to && (len(p.live) == 0 || p.live[0].last.Add(p.late) > to) {
		p.passed = max(p.passed, to)
		return true
	}
	p.startTurn()
	defer p.endTurn()
	for p.underway.step != fireIdle || p.next <= to {
		if p.underway.step == fireIdle {
			if p.next == flow.MaxTime {
				break
			}
			p.underway.step, p.underway.win = fireMakeRoom, Window{p.next + 1 - p.grid.size, p.next + 1}
		}
		if !p.fire() {
			return false
		}
		p.passed = p.underway.win.MaxTimestamp()
		p.settle()
	}
	p.passed = max(p.passed, to)
	p.settle()
	return true
}

// settle forgets slices that no remembered window has, and plans what is next.
func (p *sliceWindow[K, T, A, O]) settle() {
	dead := 0
	for _, s := range p.live {
		if s.last.Add(p.late) > p.passed {
			break
		}
		s.table.Reset()
		if len(p.free) < keptTables {
			p.free = append(p.free, s.table)
		}
		dead++
	}
	if dead > 0 {
		n := copy(p.live, p.live[dead:])
		clear(p.live[n:])
		p.live = p.live[:n]
	}
	for _, s := range p.live {
		s.plain = s.first > p.passed
	}
	p.cur = nil
	p.plan()
}

// fire goes on with the window in hand. It reports whether that is done.
func (p *sliceWindow[K, T, A, O]) fire() (done bool) {
	if p.run == nil {
		return p.fireOne()
	}
	f := &p.underway
	switch f.step {
	case fireMakeRoom:
		if !p.leave(f.win.Start) {
			return false
		}
		f.step = fireEnter
		fallthrough
	case fireEnter:
		if !p.enter() {
			return false
		}
		f.step = fireEmit
		fallthrough
	case fireEmit:
		if !p.run.scan(p.pause, func(k *K, acc *A) { p.emit(k, f.win, acc, Pane{Timing: OnTime}) }) {
			return false
		}
		f.step = fireLeave
		fallthrough
	case fireLeave:
		if !p.leave(f.win.Start + p.grid.slide) {
			return false
		}
		f.step = fireIdle
	}
	return true
}

// leave takes slices before start out of the running aggregate.
func (p *sliceWindow[K, T, A, O]) leave(start flow.Time) bool {
	for s := p.run.oldest(); s != nil && s.Start < start; s = p.run.oldest() {
		if !p.run.leave(p.pause) {
			return false
		}
	}
	p.covered.Start = start
	return true
}

// enter takes the slices of the window in hand into the running aggregate, the earliest first.
func (p *sliceWindow[K, T, A, O]) enter() bool {
	w := p.underway.win
	for i := p.indexOf(max(p.covered.End, w.Start)); i < len(p.live) && p.live[i].End <= w.End; i++ {
		s := p.live[i]
		if !p.run.enter(s, p.pause) {
			return false
		}
		p.covered.End = s.End
	}
	return true
}

// fireOne fires a window that is one slice.
func (p *sliceWindow[K, T, A, O]) fireOne() bool {
	f := &p.underway
	s := p.search(f.win.Start)
	var done bool
	f.pos, done = s.table.Read(f.pos, firingBudget, func(_ uint64, k *K, acc *A) bool {
		p.emit(k, f.win, acc, Pane{Timing: OnTime})
		return !p.pause()
	})
	if !done {
		return false
	}
	f.step, f.pos = fireIdle, 0
	return true
}
