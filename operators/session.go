package operators

import (
	"fmt"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

// The part of paneWindow that is about sessions: windows that grow and merge.
//
// The sessions of a key never touch each other, so a record's window w touches a run of neighbours in the key's list, and
// the cover of all of them touches no other.

func (p *paneWindow[K, T, A, O]) badGap(gap flow.Time) {
	p.ctx.Fail(fmt.Errorf("%s: a session gap of %d ms: the gap of a record must be above 0", p.ctx.Name, gap))
}

// session finds the session that a record with window w belongs to, growing and merging what w touches. It is 0 when the
// record is late: w touches nothing that is alive, and was forgotten itself.
func (p *paneWindow[K, T, A, O]) session(head *int32, key *K, hash uint64, w Window) int32 {
	before, i := int32(0), *head
	for i != 0 && p.panes.at(i).win.End < w.Start {
		before, i = i, p.panes.at(i).next
	}
	if i == 0 || p.panes.at(i).win.Start > w.End {
		if p.isLate(w) {
			return 0
		}
		if before == 0 {
			return p.insert(head, key, hash, w)
		}
		return p.insert(&p.panes.own(before).next, key, hash, w)
	}
	if old := p.panes.at(i).win; old.Cover(w) != old {
		p.grow(p.panes.own(i), w)
	}
	return i
}

// grow makes e cover w and all sessions behind e that this touches.
func (p *paneWindow[K, T, A, O]) grow(e *pane[K, A], w Window) {
	win := e.win.Cover(w)
	p.merged = p.merged[:0]
	p.retire(e)
	rearm := e.flags&panePassed != 0
	for e.next != 0 && p.panes.at(e.next).win.Start <= win.End {
		i := e.next
		o := p.panes.own(i)
		win = win.Cover(o.win)
		p.retire(o)
		if o.flags&paneHas != 0 {
			if e.flags&paneHas == 0 {
				e.acc = p.spec.Aggregate.fresh()
				e.flags |= paneHas
			}
			p.spec.Aggregate.Merge(&e.acc, &o.acc)
		}
		e.firings = max(e.firings, o.firings)
		e.next = o.next
		p.panes.release(i)
	}
	e.win = win
	if e.win.MaxTimestamp() > p.now() {
		e.flags &^= panePassed
	}
	switch {
	case p.trigger != nil:
		e.state = TriggerState{}
		p.trigger.OnMerge(win, p.merged, p.context(e))
		p.timersOf(p.event).Register(p.cleanup(win), e.hash, e.key, win)
	case rearm:
		p.arm(e)
	}
}

// retire gives up the timers of a window that goes into another. Timers of the default trigger stay: the one that comes
// due first finds the session grown and moves on to its end.
func (p *paneWindow[K, T, A, O]) retire(e *pane[K, A]) {
	if p.trigger == nil {
		return
	}
	p.merged = append(p.merged, e.state)
	p.trigger.OnClear(e.win, p.context(e))
	p.timersOf(p.event).Delete(p.cleanup(e.win), e.hash, e.key, e.win)
}

// dueSession handles a timer of a session with the default trigger. The session may have grown since the timer was
// registered, but it has all of the window the timer was for.
func (p *paneWindow[K, T, A, O]) dueSession(t timeservice.Timer[K, Window]) {
	i := p.find(&t.Key, t.Hash, func(w Window) bool { return w.Start <= t.NS.Start && t.NS.End <= w.End })
	if i == 0 {
		return
	}
	e := p.panes.own(i)
	if e.flags&panePassed == 0 && e.win.MaxTimestamp() <= t.Time {
		p.fire(e, false, t.Time)
	}
	if e.flags&panePassed != 0 && p.cleanup(e.win) <= t.Time {
		p.remove(&t.Key, t.Hash, i)
		return
	}
	p.arm(e)
}
