package scheduler

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/weirstream/weir/flow"
)

// TaskManagerID names one incarnation of a TaskManager process: one that comes back has another.
type TaskManagerID string

// Place is a slot of a TaskManager.
type Place struct {
	TaskManager TaskManagerID
	Address     string // of the TaskManager
	Slot        int
}

func (p Place) String() string {
	if p.TaskManager == "" {
		return "nowhere"
	}
	return fmt.Sprintf("%s[%d]", p.TaskManager, p.Slot)
}

// TaskManager is what registers with the pool.
type TaskManager struct {
	ID      TaskManagerID
	Address string
	Slots   int
}

// Placement says how places are chosen among TaskManagers that have free slots.
type Placement uint8

const (
	// Fill uses up one TaskManager before the next. Flink's default.
	Fill Placement = iota
	// Spread levels the use of all TaskManagers: cluster.evenly-spread-out-slots.
	Spread
)

// Want is a share that needs a place. Prefer is the address of the TaskManager that it had before, if any: files of its
// state are there.
type Want struct {
	Share  Share
	Prefer string
}

func (w Want) String() string {
	if w.Prefer == "" {
		return w.Share.String()
	}
	return fmt.Sprintf("%v@%s", w.Share, w.Prefer)
}

// Grant is a place for a share.
type Grant struct {
	Share Share
	Place Place
}

func (g Grant) String() string { return fmt.Sprintf("%v→%v", g.Share, g.Place) }

// Reply is an event for a job: SlotsGranted or SlotsLacking.
type Reply struct {
	Job   flow.JobID
	Event Event
}

func (r Reply) String() string { return fmt.Sprintf("%s: %v", r.Job, r.Event) }

// SlotPool knows the slots of all TaskManagers and which job has which. A request is granted whole or not at all. Requests
// are served in the order in which they came; one that has to wait does not hold up those behind it that fit.
type SlotPool struct {
	placement Placement
	members   []*member // by ID
	requests  []request // oldest first
}

type member struct {
	TaskManager
	holder []flow.JobID // of each slot; "" is free
}

type request struct {
	job    flow.JobID
	wants  []Want
	lacked SlotsLacking // what the job was told last
}

// untold differs from every true SlotsLacking.
var untold = SlotsLacking{Free: -1}

func (m *member) free() int {
	n := 0
	for _, h := range m.holder {
		if h == "" {
			n++
		}
	}
	return n
}

// NewSlotPool makes an empty pool.
func NewSlotPool(p Placement) *SlotPool { return &SlotPool{placement: p} }

// Join adds a TaskManager and serves waiting requests with its slots. A TaskManager that is known already is left as it is.
func (p *SlotPool) Join(tm TaskManager) []Reply {
	i, known := p.find(tm.ID)
	if known {
		return nil
	}
	p.members = slices.Insert(p.members, i, &member{TaskManager: tm, holder: make([]flow.JobID, tm.Slots)})
	return p.serve()
}

// Hold notes that a job has a place already: after the JobManager was restarted. It reports false when the place does
// not exist or is another job's.
func (p *SlotPool) Hold(job flow.JobID, at Place) bool {
	i, known := p.find(at.TaskManager)
	if !known || at.Slot < 0 || at.Slot >= len(p.members[i].holder) {
		return false
	}
	h := &p.members[i].holder[at.Slot]
	if *h != "" && *h != job {
		return false
	}
	*h = job
	return true
}

// Lose removes a TaskManager and returns the jobs that had slots there, in order of their names. They must be told
// TaskManagerLost.
func (p *SlotPool) Lose(id TaskManagerID) []flow.JobID {
	i, known := p.find(id)
	if !known {
		return nil
	}
	var jobs []flow.JobID
	for _, h := range p.members[i].holder {
		if h != "" {
			jobs = append(jobs, h)
		}
	}
	p.members = slices.Delete(p.members, i, i+1)
	slices.Sort(jobs)
	return slices.Compact(jobs)
}

// Request asks for places for a job, in place of what it asked for before.
func (p *SlotPool) Request(job flow.JobID, wants []Want) []Reply {
	i := slices.IndexFunc(p.requests, func(r request) bool { return r.job == job })
	switch {
	case i >= 0 && len(wants) == 0:
		p.requests = slices.Delete(p.requests, i, i+1)
	case i >= 0:
		p.requests[i].wants = wants
		p.requests[i].lacked = untold
	case len(wants) > 0:
		p.requests = append(p.requests, request{job: job, wants: wants, lacked: untold})
	}
	return p.serve()
}

// Release gives a job's places back. Places that the job does not have are passed over.
func (p *SlotPool) Release(job flow.JobID, places []Place) []Reply {
	for _, at := range places {
		i, known := p.find(at.TaskManager)
		if known && at.Slot >= 0 && at.Slot < len(p.members[i].holder) && p.members[i].holder[at.Slot] == job {
			p.members[i].holder[at.Slot] = ""
		}
	}
	return p.serve()
}

// Held is the number of slots that a job has.
func (p *SlotPool) Held(job flow.JobID) int {
	n := 0
	for _, m := range p.members {
		for _, h := range m.holder {
			if h == job {
				n++
			}
		}
	}
	return n
}

// Count is the number of free slots, of slots, and of TaskManagers.
func (p *SlotPool) Count() (free, total, taskManagers int) {
	for _, m := range p.members {
		free += m.free()
		total += len(m.holder)
	}
	return free, total, len(p.members)
}

func (p *SlotPool) find(id TaskManagerID) (int, bool) {
	return slices.BinarySearchFunc(p.members, id, func(m *member, id TaskManagerID) int { return cmp.Compare(m.ID, id) })
}

// serve grants what can be granted and tells the others what is lacking, when that has changed.
func (p *SlotPool) serve() []Reply {
	var out []Reply
	var left []request
	for _, r := range p.requests {
		if free, _, _ := p.Count(); len(r.wants) <= free {
			out = append(out, Reply{r.job, SlotsGranted{p.grant(r)}})
			continue
		}
		left = append(left, r)
	}
	p.requests = left
	free, total, tms := p.Count()
	now := SlotsLacking{free, total, tms}
	for i := range p.requests {
		r := &p.requests[i]
		if r.lacked != now {
			r.lacked = now
			out = append(out, Reply{r.job, now})
		}
	}
	return out
}

// grant places r, for which there is room: first what goes back to where it was, then the rest.
func (p *SlotPool) grant(r request) []Grant {
	grants := make([]Grant, len(r.wants))
	var rest []int
	for i, w := range r.wants {
		k := slices.IndexFunc(p.members, func(m *member) bool { return m.Address == w.Prefer && m.free() > 0 })
		if w.Prefer == "" || k < 0 {
			rest = append(rest, i)
			continue
		}
		grants[i] = Grant{w.Share, p.members[k].take(r.job)}
	}
	for _, i := range rest {
		grants[i] = Grant{r.wants[i].Share, p.choose().take(r.job)}
	}
	return grants
}

// choose is the TaskManager that the next slot is taken from; one has a free slot.
func (p *SlotPool) choose() *member {
	var best *member
	for _, m := range p.members {
		if m.free() == 0 {
			continue
		}
		if best == nil || p.better(m, best) {
			best = m
		}
	}
	return best
}

func (p *SlotPool) better(a, b *member) bool {
	if p.placement == Fill {
		return a.free() < b.free()
	}
	// a/len(a) > b/len(b), in whole numbers
	return a.free()*len(b.holder) > b.free()*len(a.holder)
}

func (m *member) take(job flow.JobID) Place {
	i := slices.Index(m.holder, "")
	m.holder[i] = job
	return Place{TaskManager: m.ID, Address: m.Address, Slot: i}
}
