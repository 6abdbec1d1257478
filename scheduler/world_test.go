package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirstream/weir/flow"
)

// TestWorld runs jobs against TaskManagers that die, slots that fail, a master that is restarted, and a network that
// loses, repeats and reorders, and holds them to the invariants of doc.go. Then all faults end, and every job must come
// to its end and hold nothing.
func TestWorld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		for k := range uint64(10) {
			w := newWorld(t, rand.New(rand.NewPCG(seed, k)))
			for range 500 {
				w.step()
			}
			w.heal()
		}
	})
}

type world struct {
	*rapid.T
	rand    *rand.Rand // plain numbers: rapid's own favour small ones, and then little happens
	now     flow.Time
	pool    *SlotPool
	jobs    []*simJob
	tms     map[TaskManagerID]*simTM
	names   []TaskManagerID // alive, in order of joining
	joined  int
	network []letter // to jobs and to slot actors, in flight
}

// letter is a message in flight.
type letter struct {
	job  *simJob
	to   Place  // of a TaskManager; nowhere for the job
	ev   Event  // to the job
	fx   Effect // to the TaskManager
	life int    // of the job's master that it was sent by or to
}

type simTM struct {
	id           TaskManagerID
	actors       []*actor
	incarnations int64 // given out
}

// actor is a slot actor.
type actor struct {
	job         *simJob
	slot        SlotID
	place       Place
	incarnation int64
	state       string // pulling, restoring, ready, running, drained, closing
	d           Deployment
	dies        flow.Time // when its lease ends; 0 for never
}

type simJob struct {
	id        flow.JobID
	plan      *Plan
	cfg       Config
	job       *Job
	life      int
	alarms    [timers]flow.Time
	deployed  map[flow.SubtaskID]flow.Attempt // highest ever
	restoring map[RegionID]bool               // failed since they were restored
	// the coordinator
	next      flow.CheckpointID
	retained  []flow.CheckpointID
	last      flow.BarrierKind
	running   map[RegionID]bool
	pending   bool
	kind      flow.BarrierKind
	writing   bool
	unsettled flow.Attempt
}

func newWorld(t *rapid.T, r *rand.Rand) *world {
	w := &world{T: t, rand: r, now: 1, pool: NewSlotPool(Placement(r.IntN(2))), tms: map[TaskManagerID]*simTM{}}
	shapes := [][]string{
		{"vertex 2", "vertex 2", "edge 0 1 hash"},
		{"vertex 3", "vertex 3", "edge 0 1 forward"},
		{"vertex 2", "vertex 2", "vertex 1", "edge 0 1 forward"},
		{"vertex 2", "vertex 1 heavy", "vertex 2", "edge 0 1 hash"},
	}
	for i := range 1 + r.IntN(2) {
		sj := &simJob{id: flow.JobID(fmt.Sprint("job", i)), plan: NewPlan(graphOf(shapes[r.IntN(len(shapes))]...)), next: 1, deployed: map[flow.SubtaskID]flow.Attempt{}}
		sj.cfg = Config{Restart: RestartConfig{Type: FixedDelay, Attempts: 1 << 20, Delay: 50}, SlotTimeout: 1 << 40, TolerableCheckpointFailures: 1}
		w.jobs = append(w.jobs, sj)
		w.boot(sj)
		w.handle(sj, Submitted{})
	}
	return w
}

func (w *world) boot(sj *simJob) {
	job, err := NewJob(sj.id, sj.plan, sj.cfg)
	if err != nil {
		w.Fatal(err)
	}
	sj.job, sj.alarms = job, [timers]flow.Time{}
	sj.life++
	sj.running, sj.restoring = map[RegionID]bool{}, map[RegionID]bool{}
	sj.pending, sj.writing, sj.unsettled = false, false, 0
}

func (w *world) step() {
	sj := w.jobs[w.rand.IntN(len(w.jobs))]
	switch op := w.rand.IntN(100); {
	case op < 40:
		w.deliver(w.rand.IntN(max(1, len(w.network))), op < 4)
	case op < 44 && len(w.network) > 0:
		w.network = slices.Delete(w.network, 0, 1) // lost
	case op < 50 && len(w.names) < 6:
		w.join(1 + w.rand.IntN(3))
	case op < 51 && len(w.names) > 0:
		w.kill(w.names[w.rand.IntN(len(w.names))])
	case op < 75:
		if a := w.anyActor(); a != nil {
			w.act(a, w.rand.IntN(100))
		}
	case op < 85:
		w.tick(flow.Time(w.rand.IntN(600)))
	case op < 96:
		w.coordinate(sj, w.rand.IntN(8) == 0)
	case op < 97:
		w.recover(sj)
	default:
		w.order(sj)
	}
}

// order is what seldom comes from outside.
func (w *world) order(sj *simJob) {
	switch w.rand.IntN(40) {
	case 0, 1:
		w.handle(sj, StopRequested{})
	case 2:
		w.handle(sj, CancelRequested{})
	case 3, 4, 5, 6, 7, 8:
		w.handle(sj, MasterFailed{"enumerator"})
	}
}

// handle gives an event to a job at once, checks its effects and carries them out.
func (w *world) handle(sj *simJob, ev Event) {
	w.Logf("%d %s < %v", w.now, sj.id, ev)
	whole := false
	switch ev.(type) {
	case MasterFailed, CheckpointFailed, RestoreFailed, TaskManagerLost:
		whole = true
	}
	for _, fx := range sj.job.Handle(w.now, ev) {
		w.Logf("    %v", fx)
		switch fx := fx.(type) {
		case AllocateSlots:
			w.reply(w.pool.Request(sj.id, fx.Wants))
		case FreeSlots:
			w.reply(w.pool.Release(sj.id, fx.Places))
		case StartSlot:
			w.send(letter{job: sj, to: fx.Place, fx: fx})
		case RestartSlot:
			if !sj.restoring[sj.plan.Slots[fx.Slot].Region] {
				w.Fatalf("%v: region was not failed (I5)", fx)
			}
			w.send(letter{job: sj, to: fx.Place, fx: fx})
		case ReleaseSlot:
			w.send(letter{job: sj, to: fx.Place, fx: fx})
		case Deploy:
			w.send(letter{job: sj, to: fx.Place, fx: fx})
		case Go:
			w.send(letter{job: sj, to: fx.Place, fx: fx})
		case CloseSlot:
			w.send(letter{job: sj, to: fx.Place, fx: fx})
		case RegionFailed:
			if !whole && fx.Region != sj.plan.Slots[fx.Slot].Region {
				w.Fatalf("%v after %v: not its region (I5)", fx, ev)
			}
			if sj.running[fx.Region] = false; fx.Next != fx.Attempt {
				sj.restoring[fx.Region], sj.unsettled = true, fx.Next
			}
			sj.pending = sj.pending && sj.writing
		case RegionRestored:
			if sj.writing || fx.Checkpoint != sj.newest() {
				w.Fatalf("%v, but the newest checkpoint is %v, one is being written: %v (I4)", fx, sj.newest(), sj.writing)
			}
			sj.restoring[fx.Region] = false
		case RegionRunning:
			sj.running[fx.Region] = true
		case Rewound:
			sj.retained = slices.DeleteFunc(sj.retained, func(c flow.CheckpointID) bool { return c > fx.Checkpoint })
		case TriggerCheckpoint:
			sj.pending, sj.writing, sj.kind = true, false, fx.Kind
		case SetTimer:
			sj.alarms[fx.Timer] = fx.At
		}
	}
	if sj.job.State().Terminal() && w.pool.Held(sj.id) != 0 {
		w.Fatalf("%s is %v and holds %d slots (I6)", sj.id, sj.job.State(), w.pool.Held(sj.id))
	}
	if sj.unsettled != 0 && !sj.writing {
		next := sj.unsettled
		sj.unsettled = 0
		w.handle(sj, CheckpointsSettled{next})
	}
}

func (sj *simJob) newest() flow.CheckpointID {
	if len(sj.retained) == 0 {
		return 0
	}
	return sj.retained[len(sj.retained)-1]
}

func (w *world) reply(replies []Reply) {
	for _, r := range replies {
		for _, sj := range w.jobs {
			if sj.id == r.Job {
				w.handle(sj, r.Event)
			}
		}
	}
}

func (w *world) send(l letter) {
	l.life = l.job.life
	w.network = append(w.network, l)
}

// deliver hands over letter i; again leaves a copy of it in the network.
func (w *world) deliver(i int, again bool) {
	if i >= len(w.network) {
		return
	}
	l := w.network[i]
	if !again {
		w.network = slices.Delete(w.network, i, i+1)
	}
	if l.life != l.job.life {
		return // fenced by the term
	}
	if l.ev != nil {
		w.handle(l.job, l.ev)
		return
	}
	tm := w.tms[l.to.TaskManager]
	if tm == nil {
		return
	}
	w.receive(tm, l)
}

// receive is what a TaskManager and its slot actors do with what a job sends.
func (w *world) receive(tm *simTM, l letter) {
	find := func(slot SlotID) *actor {
		for _, a := range tm.actors {
			if a.job == l.job && a.slot == slot && a.place == l.to {
				return a
			}
		}
		return nil
	}
	w.Logf("%d %s < %v", w.now, tm.id, l.fx)
	switch fx := l.fx.(type) {
	case StartSlot:
		if find(fx.Slot) == nil {
			a := &actor{job: l.job, slot: fx.Slot, place: fx.Place}
			tm.restart(a)
			tm.actors = append(tm.actors, a)
		}
	case RestartSlot:
		if a := find(fx.Slot); a != nil && a.incarnation <= fx.Incarnation {
			tm.restart(a)
		}
	case ReleaseSlot:
		a := find(fx.Slot)
		tm.actors = slices.DeleteFunc(tm.actors, func(b *actor) bool { return a == b })
		w.send(letter{job: l.job, ev: SlotStopped(fx)})
	case Deploy:
		if a := find(fx.Slot); a != nil && a.state == "pulling" && a.incarnation == fx.Incarnation {
			w.deploy(a, fx.Deployment)
		}
	case Go:
		if a := find(fx.Slot); a != nil && a.state == "ready" && a.d.Attempt == fx.Attempt {
			a.state = "running"
		}
	case CloseSlot:
		if a := find(fx.Slot); a != nil && (a.state == "running" || a.state == "drained") && a.d.Attempt == fx.Attempt {
			a.state = "closing"
		}
	}
}

func (tm *simTM) restart(a *actor) {
	tm.incarnations++
	a.incarnation = tm.incarnations
	a.state, a.d = "pulling", Deployment{}
}

// deploy checks I1, I2 and I3.
func (w *world) deploy(a *actor, d Deployment) {
	for _, tm := range w.tms {
		for _, b := range tm.actors {
			if a == b || a.job != b.job || b.state == "pulling" || b.d.Region != d.Region {
				continue
			}
			if b.d.Attempt != d.Attempt || b.d.Checkpoint != d.Checkpoint || b.slot == a.slot {
				w.Fatalf("slot %d gets attempt %d from %v while slot %d runs attempt %d from %v (I1, I3)", a.slot, d.Attempt, d.Checkpoint, b.slot, b.d.Attempt, b.d.Checkpoint)
			}
		}
	}
	for _, s := range d.Subtasks {
		if d.Attempt <= a.job.deployed[s] {
			w.Fatalf("subtask %v gets attempt %d after %d (I2)", s, d.Attempt, a.job.deployed[s])
		}
		a.job.deployed[s] = d.Attempt
	}
	a.d, a.state = d, "restoring"
}

func (w *world) join(slots int) {
	w.joined++
	tm := &simTM{id: TaskManagerID(fmt.Sprint("tm", w.joined))}
	w.tms[tm.id] = tm
	w.names = append(w.names, tm.id)
	w.reply(w.pool.Join(TaskManager{tm.id, "host", slots}))
}

func (w *world) kill(id TaskManagerID) {
	delete(w.tms, id)
	w.names = slices.DeleteFunc(w.names, func(n TaskManagerID) bool { return n == id })
	for _, job := range w.pool.Lose(id) {
		for _, sj := range w.jobs {
			if sj.id == job {
				w.handle(sj, TaskManagerLost{id, "killed"})
			}
		}
	}
}

func (w *world) actors() []*actor {
	var all []*actor
	for _, id := range w.names {
		all = append(all, w.tms[id].actors...)
	}
	return all
}

func (w *world) anyActor() *actor {
	all := w.actors()
	if len(all) == 0 {
		return nil
	}
	return all[w.rand.IntN(len(all))]
}

// act lets a slot actor go on, or fail if fault is low.
func (w *world) act(a *actor, fault int) {
	to := func(ev Event) {
		if a.dies == 0 {
			w.send(letter{job: a.job, ev: ev})
		}
	}
	switch {
	case fault < 8 && a.state != "pulling":
		to(SlotFailed{a.slot, a.d.Attempt, "panic"})
		w.tms[a.place.TaskManager].restart(a)
		return
	case fault < 10 && a.state == "restoring" && len(a.job.retained) > 1:
		to(RestoreFailed{a.slot, a.d.Attempt, a.d.Checkpoint, "bad checksum"})
		w.tms[a.place.TaskManager].restart(a)
		return
	}
	switch a.state {
	case "pulling":
		to(PullDeployment{a.slot, a.place, a.incarnation, "a cause"})
	case "restoring":
		a.state = "ready"
		fallthrough
	case "ready":
		to(SlotReady{a.slot, a.d.Attempt})
	case "running":
		if fault > 90 {
			a.state = "drained"
		}
	case "drained", "closing":
		for _, s := range a.d.Subtasks {
			if a.state == "closing" {
				to(SubtaskClosed{s, a.d.Attempt})
			} else {
				to(SubtaskDrained{s, a.d.Attempt})
			}
		}
	}
}

// tick moves time on and rings what has come due.
func (w *world) tick(d flow.Time) {
	w.now += d
	for _, tm := range w.tms {
		tm.actors = slices.DeleteFunc(tm.actors, func(a *actor) bool { return a.dies != 0 && a.dies <= w.now })
	}
	for _, sj := range w.jobs {
		for timer, at := range sj.alarms {
			if at != 0 && at <= w.now {
				sj.alarms[timer] = 0
				w.handle(sj, TimerFired{Timer(timer)})
			}
		}
	}
}

// coordinate begins, writes, completes or fails a checkpoint, one thing at a time.
func (w *world) coordinate(sj *simJob, fault bool) {
	all := true
	for r := range sj.plan.Regions {
		all = all && sj.running[RegionID(r)]
	}
	switch {
	case !sj.pending && all && sj.last == flow.Periodic:
		sj.pending, sj.writing, sj.kind = true, false, flow.Periodic
	case sj.pending && !sj.writing && fault:
		sj.pending = false
		w.handle(sj, CheckpointFailed{sj.next, sj.kind, "timed out"})
	case sj.pending && !sj.writing:
		sj.writing = w.acked(sj)
	case sj.pending:
		sj.pending, sj.writing = false, false
		sj.retained = append(sj.retained, sj.next)
		if sj.retained = slices.Clone(sj.retained[max(0, len(sj.retained)-2):]); sj.kind != flow.Periodic {
			sj.last = sj.kind
		}
		sj.next++
		w.handle(sj, CheckpointCompleted{sj.newest(), sj.kind, sj.retained})
	}
}

// acked reports whether every slot actor of the job can take part in a checkpoint.
func (w *world) acked(sj *simJob) bool {
	running := 0
	for _, a := range w.actors() {
		if a.job == sj && a.dies == 0 && (a.state == "running" || a.state == "drained") {
			running++
		}
	}
	return running >= len(sj.plan.Slots)
}

// recover replaces a job's master. Slot actors whose lease it does not take over end with it, within the fence.
func (w *world) recover(sj *simJob) {
	if s := sj.job.State(); s >= Cancelling {
		return
	}
	const fence = 300
	floor := sj.job.Attempt()
	var held []HeldSlot
	var places []Place
	for _, a := range w.actors() {
		if a.job != sj {
			continue
		}
		if a.dies == 0 && w.rand.IntN(4) > 0 {
			held = append(held, HeldSlot{a.slot, a.place, a.incarnation, a.d.Attempt})
			places = append(places, a.place)
			continue
		}
		if a.dies == 0 {
			a.dies = w.now + fence
		}
	}
	w.boot(sj)
	w.reply(w.pool.Request(sj.id, nil))
	var gone []Place
	for _, id := range w.names {
		for i := range 3 {
			if p := (Place{id, "host", i}); !slices.Contains(places, p) {
				gone = append(gone, p)
			}
		}
	}
	w.reply(w.pool.Release(sj.id, gone))
	for r := range sj.plan.Regions {
		sj.restoring[RegionID(r)] = true
	}
	w.handle(sj, Recovered{sj.retained, sj.last, floor, held, fence})
}

// heal ends all faults and drives every job to its end.
func (w *world) heal() {
	for range 6 {
		w.join(3)
	}
	for range 400 {
		done := true
		for _, sj := range w.jobs {
			done = done && sj.job.State().Terminal()
			w.coordinate(sj, false)
		}
		if done && len(w.actors()) == 0 {
			return
		}
		for _, a := range w.actors() {
			w.act(a, 99)
		}
		for len(w.network) > 0 {
			w.deliver(0, false)
		}
		w.tick(100)
	}
	for _, sj := range w.jobs {
		w.Logf("%+v", sj.job.View())
	}
	w.Fatalf("no end: %d actors left", len(w.actors()))
}
