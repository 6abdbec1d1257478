package actors

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/scheduler"
)

// Heartbeats between TaskManagers and the JobManager. A TaskManager that has not heard of its JobManager for leaseTimeout
// stops its slots; a JobManager gives a TaskManager up a little later, when those are surely gone.
const (
	heartbeatInterval = time.Second
	leaseTimeout      = 20 * time.Second
	giveUpTimeout     = leaseTimeout + 10*time.Second
)

// taskManager supervises the slots of a process.
type taskManager struct {
	env        *Env
	slots      int
	jobManager *actor.PID
	id         scheduler.TaskManagerID
	held       map[slotKey]*heldActor
	heardAt    int64
	stop       chan struct{}
}

type slotKey struct {
	job  flow.JobID
	slot scheduler.SlotID
}

// heldActor is a slot actor, over all its incarnations.
type heldActor struct {
	pid         *actor.PID
	place       scheduler.Place
	incarnation atomic.Int64 // these three are read and written where the slot's actor is made as well
	job         atomic.Pointer[actor.PID]
	cause       atomic.Pointer[string] // why the last incarnation ended
	releasing   bool
}

// fail notes why an incarnation has ended.
func (h *heldActor) fail(cause string) { h.cause.Store(&cause) }

// taskManagerID names one incarnation of the TaskManager actor at pid.
func taskManagerID(pid *actor.PID, incarnation int) scheduler.TaskManagerID {
	return scheduler.TaskManagerID(fmt.Sprintf("%s.%d", pid.Id, incarnation))
}

// taskManagerPID is the actor behind a place.
func taskManagerPID(p scheduler.Place) *actor.PID {
	id := string(p.TaskManager)
	return actor.NewPID(p.Address, id[:strings.LastIndexByte(id, '.')])
}

// taskManagerProps makes a TaskManager with so many slots. Every incarnation of the actor gets the next number.
func taskManagerProps(env *Env, slots int, jobManager *actor.PID, incarnations *int) *actor.Props {
	return env.props(func() actor.Actor {
		*incarnations++
		n := *incarnations
		t := &taskManager{env: env, slots: slots, jobManager: jobManager, held: map[slotKey]*heldActor{}, stop: make(chan struct{})}
		return numbered{t, n}
	})
}

// numbered hands an incarnation its number before its first message.
type numbered struct {
	*taskManager
	incarnation int
}

// Receive implements actor.Actor.
func (n numbered) Receive(c actor.Context) {
	if n.id == "" {
		n.id = taskManagerID(c.Self(), n.incarnation)
	}
	n.taskManager.Receive(c)
}

// Receive implements actor.Actor.
func (t *taskManager) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		t.heardAt = t.env.Clock.Nanos()
		t.heartbeat(c.Self())
	case *actor.Stopping, *actor.Restarting:
		shut(t.stop)
	case *actor.Stopped:
		t.env.System.Root.Send(t.jobManager, taskManagerStopped{t.id})
	case *actor.Terminated:
		select {
		case <-t.stop: // all are being stopped
			return
		default:
		}
		t.terminated(c, m.Who)
	case async:
		m.done()
	case reportSlots:
		t.register(c.Self())
	case registered:
		t.heardAt = t.env.Clock.Nanos()
	case unknownTaskManager:
		if m.ID == t.id {
			panic(&Failure{Cause: fmt.Errorf("the JobManager has given %s up", t.id)})
		}
	case startSlot:
		t.startSlot(c, m)
	case releaseSlot:
		t.releaseSlot(c, m)
	case restartSlot:
		if h := t.held[slotKey{m.Job, m.Slot}]; h != nil && m.Place == h.place {
			h.job.Store(m.JobPID) // a recovered job is another actor
			c.Send(h.pid, m)
		}
	case Inject:
		panic(&Failure{Cause: errors.New("injected: " + m.Reason)})
	}
}

// heartbeat registers with the JobManager, again and again. When the JobManager has been silent for too long the
// TaskManager fences itself: whatever its slots did could no longer count.
func (t *taskManager) heartbeat(self *actor.PID) {
	if silent := time.Duration(t.env.Clock.Nanos() - t.heardAt); silent > leaseTimeout && len(t.held) > 0 {
		panic(&Failure{Cause: fmt.Errorf("%s has not heard of the JobManager for %v and stops its slots", t.id, silent.Round(time.Second))})
	}
	t.register(self)
	t.env.later(self, t.stop, heartbeatInterval, func() { t.heartbeat(self) })
}

func (t *taskManager) register(self *actor.PID) {
	var held []heldSlot
	for k, h := range t.held {
		held = append(held, heldSlot{k.job, scheduler.HeldSlot{Slot: k.slot, Place: h.place, Incarnation: h.incarnation.Load()}})
	}
	slices.SortFunc(held, func(a, b heldSlot) int { return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(a.Slot, b.Slot)) })
	t.env.System.Root.Send(t.jobManager, registerTaskManager{
		TaskManager: scheduler.TaskManager{ID: t.id, Address: self.Address, Slots: t.slots}, PID: self, Held: held,
	})
}

func (t *taskManager) startSlot(c actor.Context, m startSlot) {
	if m.Place.TaskManager != t.id {
		return // meant for an incarnation that is gone
	}
	key := slotKey{m.Job, m.Slot}
	if h := t.held[key]; h != nil {
		h.job.Store(m.JobPID)
		c.Send(h.pid, m)
		return
	}
	h := &heldActor{place: m.Place}
	h.job.Store(m.JobPID)
	h.fail("")
	t.spawnSlot(c, key, h)
	t.held[key] = h
}

func (t *taskManager) spawnSlot(c actor.Context, key slotKey, h *heldActor) {
	props := t.env.props(func() actor.Actor {
		h.incarnation.Store(t.env.incarnations.Add(1))
		return &slot{env: t.env, job: key.job, id: key.slot, place: h.place, incarnation: h.incarnation.Load(), jobPID: h.job.Load(), cause: *h.cause.Load()}
	})
	pid, err := c.SpawnNamed(props, slotName(key.job, key.slot))
	if err != nil {
		panic(&Failure{Cause: fmt.Errorf("spawn of slot %d of %s: %w", key.slot, key.job, err)})
	}
	h.pid = pid
}

func (t *taskManager) releaseSlot(c actor.Context, m releaseSlot) {
	h := t.held[slotKey{m.Job, m.Slot}]
	if h == nil || h.place != m.Place {
		c.Send(m.JobPID, slotStopped{scheduler.SlotStopped{Slot: m.Slot, Place: m.Place}})
		return
	}
	h.job.Store(m.JobPID)
	if !h.releasing {
		h.releasing = true
		c.Stop(h.pid)
	}
}

// terminated follows the end of a slot actor: one that was released is gone, any other is made anew and pulls.
func (t *taskManager) terminated(c actor.Context, who *actor.PID) {
	for key, h := range t.held {
		if h.pid.Id != who.Id {
			continue
		}
		if !h.releasing {
			h.fail("the slot's actor has ended")
			t.spawnSlot(c, key, h)
			return
		}
		delete(t.held, key)
		t.env.System.Root.Send(h.job.Load(), slotStopped{scheduler.SlotStopped{Slot: key.slot, Place: h.place}})
		return
	}
}

// HandleFailure implements actor.SupervisorStrategy for the slots: it reports the failure to the job and restarts the
// slot actor. What that is to run, and from which checkpoint, its new incarnation hears from the job.
func (t *taskManager) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	for key, h := range t.held {
		if h.pid.Id != child.Id {
			continue
		}
		f, ok := reason.(*slotFailure)
		if !ok {
			f = &slotFailure{cause: failureOf(reason), subtask: child.Id}
		}
		h.fail(f.cause.Error())
		if f.attempt > 0 {
			t.env.System.Root.Send(h.job.Load(), slotFailed{Slot: key.slot, Attempt: f.attempt, Cause: f.cause, Subtask: f.subtask})
		}
		if h.releasing { // a restart would bring it back to life
			sup.StopChildren(child)
			return
		}
	}
	sup.RestartChildren(child)
}
