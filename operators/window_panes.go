package operators

import (
	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
	"github.com/weirstream/weir/timeservice"
)

// paneWindow is the window operator for sessions and for every trigger that is not the default: each window of each key
// has a pane of its own, with its accumulator and what the trigger remembers. A key's panes are a list sorted by
// time; a table finds the list by the key.
//
// Panes end by a cleanup timer at MaxTimestamp + allowed lateness, at which the trigger is called too, as is the way of
// Flink. Sessions with the default trigger (trigger == nil) do without: they have one timer each, which is moved on when
// it comes due and the session has grown, so that a record which only extends its session touches no timer.
type paneWindow[K comparable, T, A, O any] struct {
	windowCore[K, T, A, O]
	trigger Trigger[T]
	grid    grid                  // of Tumbling and Sliding
	gap     func(v *T) flow.Time  // of sessions, otherwise nil
	heads   state.Table[K, int32] // the first pane of each key
	panes   paneSlab[K, A]
	// Timers over event time and processing time, by window.
	eventTimers, clockTimers *timeservice.Timers[K, Window]

	// The window in hand, for the timers its trigger asks for.
	inHand  *pane[K, A]
	trigCtx TriggerContext

	windows []Window       // scratch of one record
	merged  []TriggerState // scratch of one merge
	key     K              // of a record that goes alone
	// Scratch of one batch.
	keys   []K
	hashes []uint64
	lists  []*int32
	empty  []int // records whose key is new and got no pane
}

// pane is one window of one key.
type pane[K comparable, A any] struct {
	key     K
	hash    uint64
	win     Window
	acc     A
	state   TriggerState
	firings int32
	next    int32 // of the same key, later; of the free list
	flags   paneFlags
}

type paneFlags uint8

const (
	paneLive   paneFlags = 1 << iota // not in the free list
	paneHas                          // acc has something
	panePassed                       // fired at its end; for sessions of the default trigger: not to fire again without a record
)

// Open implements Operator.
func (p *paneWindow[K, T, A, O]) Open(ctx *Context) error {
	if err := p.open(ctx); err != nil {
		return err
	}
	p.trigger = p.spec.Trigger
	switch a := p.spec.Assigner.(type) {
	case Tumbling:
		p.grid = a.grid()
	case Sliding:
		p.grid = a.grid()
	case Session:
		p.gap = func(*T) flow.Time { return a.Gap }
	case SessionBy[T]:
		p.gap = a.Gap
	}
	p.heads = state.NewTable(p.spec.KeyType, codec.MustFor[int32]())
	byWindow := func(a, b *Window) int { return compareWindows(*a, *b) }
	p.eventTimers = timeservice.NewTimers(p.spec.KeyType.Compare, byWindow)
	p.clockTimers = timeservice.NewTimers(p.spec.KeyType.Compare, byWindow)
	p.trigCtx = TriggerContext{ByEvent: p.event, timers: p}
	p.in.Record, p.in.Batch = p.record, p.batch
	if err := p.restore(); err != nil {
		return err
	}
	p.wakeNext()
	return nil
}

// cleanup is when w is forgotten.
func (p *paneWindow[K, T, A, O]) cleanup(w Window) flow.Time { return w.MaxTimestamp().Add(p.late) }

// now is where the time stands that the windows go by.
func (p *paneWindow[K, T, A, O]) now() flow.Time {
	if p.event {
		return p.watermark
	}
	return p.clock
}

// isLate reports whether w was forgotten already. Windows over processing time never are.
func (p *paneWindow[K, T, A, O]) isLate(w Window) bool { return p.event && p.cleanup(w) <= p.watermark }

// record takes one record, when the operator is not the head of its chain.
func (p *paneWindow[K, T, A, O]) record(v *T, t flow.Time) {
	p.tick()
	p.key = p.spec.Key(v)
	hash := p.spec.KeyType.Hash(&p.key)
	head, _ := p.heads.Upsert(hash, &p.key)
	p.take(head, &p.key, hash, v, t)
	if *head == 0 {
		p.heads.Delete(hash, &p.key)
	}
	p.endRecords()
}

// batch takes many: the keys are looked up together.
func (p *paneWindow[K, T, A, O]) batch(r *flow.Records[T], from, to int) {
	p.tick()
	values, times := r.Values[from:to], r.Times[from:to]
	p.keys = p.keys[:0]
	for i := range values {
		p.keys = append(p.keys, p.spec.Key(&values[i]))
	}
	n := len(values)
	p.hashes, p.lists = grown(p.hashes, n), grown(p.lists, n)
	p.spec.KeyType.HashAll(p.keys, p.hashes)
	p.heads.UpsertBatch(p.hashes, p.keys, p.lists)
	p.empty = p.empty[:0]
	for i := range values {
		p.take(p.lists[i], &p.keys[i], p.hashes[i], &values[i], times[i])
		if *p.lists[i] == 0 {
			p.empty = append(p.empty, i)
		}
	}
	for _, i := range p.empty {
		// A later record of the batch may have brought the key to life.
		if head := p.heads.Get(p.hashes[i], &p.keys[i]); head != nil && *head == 0 {
			p.heads.Delete(p.hashes[i], &p.keys[i])
		}
	}
	p.endRecords()
}

// grown is s with length n.
func grown[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}

func (p *paneWindow[K, T, A, O]) endRecords() {
	p.endTurn()
	p.wakeNext()
}

// take adds one record to all its windows. head is where the key's list begins.
func (p *paneWindow[K, T, A, O]) take(head *int32, key *K, hash uint64, v *T, t flow.Time) {
	at := t
	if !p.event {
		at = p.clock
	} else if t == flow.MinTime {
		p.timeless()
		return
	}
	switch {
	case p.gap != nil:
		gap := p.gap(v)
		if gap <= 0 {
			p.badGap(gap)
			return
		}
		i := p.session(head, key, hash, Window{at, at.Add(gap)})
		if i == 0 {
			p.tooLate(v, t)
			return
		}
		p.add(i, v, t)
	case p.grid.size == 0: // Global
		p.add(p.pane(head, key, hash, Window{flow.MinTime, flow.MaxTime}), v, t)
	default:
		p.windows = p.grid.assign(at, p.windows[:0])
		taken := false
		for _, w := range p.windows {
			if !p.isLate(w) {
				taken = true
				p.add(p.pane(head, key, hash, w), v, t)
			}
		}
		if !taken && p.event && t.Add(p.late) <= p.watermark {
			p.tooLate(v, t)
		}
	}
}

// pane finds or makes the pane of w.
func (p *paneWindow[K, T, A, O]) pane(head *int32, key *K, hash uint64, w Window) int32 {
	link := head
	for *link != 0 {
		e := p.panes.at(*link)
		switch c := compareWindows(e.win, w); {
		case c == 0:
			return *link
		case c > 0:
			return p.insert(link, key, hash, w)
		}
		if e.next == 0 || compareWindows(p.panes.at(e.next).win, w) > 0 {
			return p.insert(&p.panes.own(*link).next, key, hash, w)
		}
		link = &e.next
	}
	return p.insert(link, key, hash, w)
}

// insert makes a pane at link.
func (p *paneWindow[K, T, A, O]) insert(link *int32, key *K, hash uint64, w Window) int32 {
	i := p.panes.take()
	e := p.panes.own(i)
	*e = pane[K, A]{key: *key, hash: hash, win: w, next: *link, flags: paneLive}
	*link = i
	if p.trigger == nil {
		p.arm(e)
	} else if at := p.cleanup(w); at < flow.MaxTime-1 {
		p.timersOf(p.event).Register(at, hash, *key, w)
	}
	return i
}

func (p *paneWindow[K, T, A, O]) timersOf(event bool) *timeservice.Timers[K, Window] {
	if event {
		return p.eventTimers
	}
	return p.clockTimers
}

// arm registers when a session of the default trigger has to be looked at next: at its end or, once that is past, when it
// is to be forgotten.
func (p *paneWindow[K, T, A, O]) arm(e *pane[K, A]) {
	at := e.win.MaxTimestamp()
	if e.flags&panePassed != 0 {
		at = p.cleanup(e.win)
	}
	p.timersOf(p.event).Register(at, e.hash, e.key, e.win)
}

// add puts a record into pane i and asks the trigger.
func (p *paneWindow[K, T, A, O]) add(i int32, v *T, t flow.Time) {
	e := p.panes.own(i)
	if e.flags&paneHas == 0 {
		e.acc = p.spec.Aggregate.fresh()
		e.flags |= paneHas
	}
	p.spec.Aggregate.Add(&e.acc, v)
	if p.trigger != nil {
		p.act(e, p.trigger.OnRecord(v, t, e.win, p.context(e)), true, p.now())
		return
	}
	if p.event && e.win.MaxTimestamp() <= p.watermark {
		p.fire(e, true, p.watermark) // its timer goes on to the cleanup by itself
	}
}

// context makes e the window in hand.
func (p *paneWindow[K, T, A, O]) context(e *pane[K, A]) *TriggerContext {
	p.inHand = e
	p.trigCtx.State, p.trigCtx.Watermark, p.trigCtx.Now = &e.state, p.watermark, p.clock
	return &p.trigCtx
}

// registerTimer implements triggerTimers.
func (p *paneWindow[K, T, A, O]) registerTimer(event bool, t flow.Time) {
	p.timersOf(event).Register(t, p.inHand.hash, p.inHand.key, p.inHand.win)
}

// deleteTimer implements triggerTimers. The cleanup timer is not the trigger's to delete.
func (p *paneWindow[K, T, A, O]) deleteTimer(event bool, t flow.Time) {
	if event == p.event && t == p.cleanup(p.inHand.win) {
		return
	}
	p.timersOf(event).Delete(t, p.inHand.hash, p.inHand.key, p.inHand.win)
}

// act does what a trigger has decided, because of a record or a timer at the time at.
func (p *paneWindow[K, T, A, O]) act(e *pane[K, A], a Action, byRecord bool, at flow.Time) {
	if a&Fire != 0 && e.flags&paneHas != 0 {
		p.fire(e, byRecord, at)
	}
	if a&Purge != 0 {
		var none A
		e.acc = none
		e.flags &^= paneHas
	}
}

// fire emits the result of a pane, because of a record or a timer at the time at.
func (p *paneWindow[K, T, A, O]) fire(e *pane[K, A], byRecord bool, at flow.Time) {
	timing := Early
	if e.win.MaxTimestamp() <= at {
		timing = Late
		if !byRecord && (p.trigger == nil || e.flags&panePassed == 0) {
			timing = OnTime
		}
		e.flags |= panePassed
	}
	n := int(e.firings)
	e.firings++
	p.emit(&e.key, e.win, &e.acc, Pane{timing, n})
}

// remove takes the pane at link out of its key's list.
func (p *paneWindow[K, T, A, O]) remove(key *K, hash uint64, i int32) {
	next := p.panes.at(i).next
	head, _ := p.heads.Upsert(hash, key)
	if *head == i {
		*head = next
	} else {
		before := *head
		for p.panes.at(before).next != i {
			before = p.panes.at(before).next
		}
		p.panes.own(before).next = next
	}
	p.panes.release(i)
	if *head == 0 {
		p.heads.Delete(hash, key)
	}
}

// Watermark implements Operator.
func (p *paneWindow[K, T, A, O]) Watermark(w flow.Watermark) bool {
	p.watermark = max(p.watermark, w.Time)
	if next, ok := p.eventTimers.Next(); !ok || next > p.watermark {
		return true
	}
	if p.trigger != nil {
		p.tick()
	}
	return p.popDue(true, p.watermark)
}

// ProcessingTime implements Operator.
func (p *paneWindow[K, T, A, O]) ProcessingTime(now flow.Time) bool {
	p.clock = max(p.clock, now)
	p.wakeAt = flow.MaxTime
	return p.popDue(false, p.clock)
}

// Finish implements Operator. Open windows over processing time fire now; those with a trigger of their own do not, as
// their time never comes.
func (p *paneWindow[K, T, A, O]) Finish() bool {
	if p.event || p.trigger != nil {
		return true
	}
	p.clock = flow.MaxTime
	return p.popDue(false, p.clock)
}

// popDue fires what is due, for one turn.
func (p *paneWindow[K, T, A, O]) popDue(event bool, now flow.Time) (done bool) {
	p.startTurn()
	timers := p.timersOf(event)
	done = true
	for {
		t, ok := timers.PopDue(now)
		if !ok {
			break
		}
		if p.trigger == nil {
			p.dueSession(t)
		} else {
			p.dueTrigger(event, t)
		}
		if p.pause() {
			next, ok := timers.Next()
			done = !ok || next > now
			break
		}
	}
	p.endTurn()
	if done {
		p.wakeNext()
	}
	return done
}

// wakeNext asks to be called for the next timer over processing time.
func (p *paneWindow[K, T, A, O]) wakeNext() {
	if next, ok := p.clockTimers.Next(); ok {
		p.wake(next)
	}
}

// dueTrigger handles a timer of a window with a trigger.
func (p *paneWindow[K, T, A, O]) dueTrigger(event bool, t timeservice.Timer[K, Window]) {
	i := p.find(&t.Key, t.Hash, func(w Window) bool { return w == t.NS })
	if i == 0 {
		return // the window is no more
	}
	e := p.panes.own(i)
	c := p.context(e)
	var a Action
	if event {
		a = p.trigger.OnEventTime(t.Time, e.win, c)
	} else {
		a = p.trigger.OnProcessingTime(t.Time, e.win, c)
	}
	at := t.Time
	if event != p.event {
		at = p.now()
	}
	p.act(e, a, false, at)
	if event == p.event && t.Time == p.cleanup(e.win) {
		p.trigger.OnClear(e.win, p.context(e))
		p.remove(&t.Key, t.Hash, i)
	}
}

// find is the pane of a key whose window is wanted, or 0.
func (p *paneWindow[K, T, A, O]) find(key *K, hash uint64, want func(w Window) bool) int32 {
	head := p.heads.Get(hash, key)
	if head == nil {
		return 0
	}
	for i := *head; i != 0; {
		e := p.panes.at(i)
		if want(e.win) {
			return i
		}
		i = e.next
	}
	return 0
}

// paneSlab keeps panes in blocks, numbered from 1. Blocks are copied when they are first written to after a freeze.
type paneSlab[K comparable, A any] struct {
	blocks []*paneBlock[K, A]
	shared []bool // a frozen copy of the slab may hold the block
	free   int32  // first of the free panes
	end    int32  // panes ≥ end were never handed out
}

const (
	paneBlockBits = 7
	paneBlockLen  = 1 << paneBlockBits
)

type paneBlock[K comparable, A any] [paneBlockLen]pane[K, A]

// at is pane i, to be read.
func (s *paneSlab[K, A]) at(i int32) *pane[K, A] {
	return &s.blocks[i>>paneBlockBits][i&(paneBlockLen-1)]
}

// own is pane i, to be written.
func (s *paneSlab[K, A]) own(i int32) *pane[K, A] {
	b := i >> paneBlockBits
	if s.shared[b] {
		fresh := *s.blocks[b]
		s.blocks[b], s.shared[b] = &fresh, false
	}
	return &s.blocks[b][i&(paneBlockLen-1)]
}

// take hands out a pane.
func (s *paneSlab[K, A]) take() int32 {
	if i := s.free; i != 0 {
		s.free = s.at(i).next
		return i
	}
	if s.end == 0 {
		s.end = 1 // 0 is no pane
	}
	i := s.end
	if int(i>>paneBlockBits) == len(s.blocks) {
		s.blocks = append(s.blocks, new(paneBlock[K, A]))
		s.shared = append(s.shared, false)
	}
	s.end++
	return i
}

// release takes pane i back.
func (s *paneSlab[K, A]) release(i int32) {
	*s.own(i) = pane[K, A]{next: s.free}
	s.free = i
}

// freeze returns the slab as it is now, to be read by another goroutine. Accumulators that share memory with their copies
// are not protected by it.
func (s *paneSlab[K, A]) freeze() *paneSlab[K, A] {
	f := &paneSlab[K, A]{blocks: append([]*paneBlock[K, A](nil), s.blocks...), end: s.end}
	for i := range s.shared {
		s.shared[i] = true
	}
	return f
}

// each visits all live panes in the order of their numbers.
func (s *paneSlab[K, A]) each(visit func(i int32, e *pane[K, A])) {
	for i := int32(1); i < s.end; i++ {
		if e := s.at(i); e.flags&paneLive != 0 {
			visit(i, e)
		}
	}
}
