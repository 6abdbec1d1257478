package actors

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/scheduler"
)

// recoveryWait is how long a recovering JobManager waits for its TaskManagers to say what they hold. Those that have not
// answered by then are counted as lost: they will have to register anew.
const recoveryWait = 5 * time.Second

// jobManager supervises the jobs, and shares out the slots of the TaskManagers.
type jobManager struct {
	env     *Env
	pool    *scheduler.SlotPool
	members map[scheduler.TaskManagerID]*member
	jobs    map[flow.JobID]*actor.PID
	// recovering holds the jobs to be recovered as soon as the TaskManagers in awaited have reported.
	recovering []flow.JobID
	awaited    map[string]bool
	stop       chan struct{}
}

type member struct {
	pid     *actor.PID
	address string
	heardAt int64
	held    []heldSlot
}

// jobManagerProps makes the JobManager.
func jobManagerProps(env *Env) *actor.Props {
	return env.props(func() actor.Actor {
		return &jobManager{
			env: env, pool: scheduler.NewSlotPool(scheduler.Fill), members: map[scheduler.TaskManagerID]*member{},
			jobs: map[flow.JobID]*actor.PID{}, awaited: map[string]bool{}, stop: make(chan struct{}),
		}
	})
}

func sortedIDs(ids []flow.JobID) []flow.JobID {
	slices.Sort(ids)
	return ids
}

// Receive implements actor.Actor.
func (m *jobManager) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		m.recover(c, m.env.Jobs.unfinished())
		m.watchMembers(c.Self())
	case *actor.Stopping, *actor.Restarting:
		shut(m.stop)
	case *actor.Terminated:
		m.terminated(c, msg.Who)
	case async:
		msg.done()
	case continueRecovery:
		m.awaited = map[string]bool{}
		m.recovered(c)
	case registerTaskManager:
		m.register(c, msg)
	case taskManagerStopped:
		m.lose(c, msg.ID, "it was stopped")
	case submitJob:
		m.spawn(c, msg.Job, nil)
	case StopJob:
		m.toJob(c, msg.Job, msg)
	case CancelJob:
		m.toJob(c, msg.Job, msg)
	case requestSlots:
		m.replies(c, m.pool.Request(msg.Job, msg.Wants))
	case freeSlots:
		m.replies(c, m.pool.Release(msg.Job, msg.Places))
	case jobEnded:
		if pid := m.jobs[msg.Job]; pid != nil {
			delete(m.jobs, msg.Job)
			c.Stop(pid)
		}
	case Inject:
		panic(&Failure{Cause: errors.New("injected: " + msg.Reason)})
	}
}

type continueRecovery struct{}

func (m *jobManager) toJob(c actor.Context, id flow.JobID, msg any) {
	if pid := m.jobs[id]; pid != nil {
		c.Send(pid, msg)
	}
}

// jobName is the last part of a job actor's id. Every actor of a job has a number of its own.
func jobName(id flow.JobID, n int64) string { return fmt.Sprintf("job/%s.%d", id, n) }

// spawn starts a job's actor: for the first time, or to recover it with what TaskManagers hold of it.
func (m *jobManager) spawn(c actor.Context, id flow.JobID, recovered *recovery) {
	if m.jobs[id] != nil {
		return
	}
	props := m.env.props(func() actor.Actor { return newJob(m.env, id, c.Self(), recovered) })
	pid, err := c.SpawnNamed(props, jobName(id, m.env.incarnations.Add(1)))
	if err != nil {
		panic(&Failure{Cause: fmt.Errorf("spawn of job %s: %w", id, err)})
	}
	m.jobs[id] = pid
}

// recover asks all TaskManagers what they hold; when all have answered the jobs are started again.
func (m *jobManager) recover(c actor.Context, jobs []flow.JobID) {
	if len(jobs) == 0 {
		return
	}
	m.recovering = append(m.recovering, jobs...)
	for _, pid := range m.env.Members() {
		m.awaited[pid.String()] = true
		c.Send(pid, reportSlots{})
	}
	self := c.Self()
	m.env.later(self, m.stop, recoveryWait, func() { m.env.System.Root.Send(self, continueRecovery{}) })
	m.recovered(c)
}

func (m *jobManager) recovered(c actor.Context) {
	if len(m.awaited) > 0 {
		return
	}
	jobs := m.recovering
	m.recovering = nil
	for _, id := range jobs {
		r := &recovery{}
		for _, tm := range m.sorted() {
			for _, h := range m.members[tm].held {
				if h.Job == id && m.pool.Hold(id, h.Place) {
					r.held = append(r.held, h.HeldSlot)
				}
			}
		}
		m.spawn(c, id, r)
	}
}

func (m *jobManager) sorted() []scheduler.TaskManagerID {
	ids := make([]scheduler.TaskManagerID, 0, len(m.members))
	for id := range m.members {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (m *jobManager) register(c actor.Context, r registerTaskManager) {
	id := r.TaskManager.ID
	tm := m.members[id]
	if tm == nil {
		// An older incarnation of the same actor has stopped all its slots before this one was made.
		for _, old := range m.sorted() {
			if m.members[old].pid.Equal(r.PID) {
				m.lose(c, old, "it was restarted")
			}
		}
		c.Watch(r.PID)
		tm = &member{pid: r.PID, address: r.TaskManager.Address}
		m.members[id] = tm
	}
	tm.heardAt, tm.held = m.env.Clock.Nanos(), r.Held
	c.Send(r.PID, registered{})
	m.replies(c, m.pool.Join(r.TaskManager))
	if m.awaited[r.PID.String()] {
		delete(m.awaited, r.PID.String())
		m.recovered(c)
	}
}

// watchMembers gives up TaskManagers that have been silent for too long.
func (m *jobManager) watchMembers(self *actor.PID) {
	now := m.env.Clock.Nanos()
	for _, id := range m.sorted() {
		if silent := time.Duration(now - m.members[id].heardAt); silent > giveUpTimeout {
			m.env.System.Root.Send(self, taskManagerStopped{id})
		}
	}
	m.env.later(self, m.stop, heartbeatInterval, func() { m.watchMembers(self) })
}

func (m *jobManager) lose(c actor.Context, id scheduler.TaskManagerID, cause string) {
	tm := m.members[id]
	if tm == nil {
		return
	}
	delete(m.members, id)
	for _, job := range m.pool.Lose(id) {
		m.toJob(c, job, slotEvent{scheduler.TaskManagerLost{TaskManager: id, Cause: cause}})
	}
	c.Send(tm.pid, unknownTaskManager{id})
}

func (m *jobManager) replies(c actor.Context, rs []scheduler.Reply) {
	for _, r := range rs {
		m.toJob(c, r.Job, slotEvent{r.Event})
	}
}

func (m *jobManager) terminated(c actor.Context, who *actor.PID) {
	for id, pid := range m.jobs {
		if pid.Equal(who) { // not at its own wish: that was in jobEnded
			delete(m.jobs, id)
			m.recover(c, []flow.JobID{id})
			return
		}
	}
	for _, id := range m.sorted() {
		if m.members[id].pid.Equal(who) {
			m.lose(c, id, "its actor has ended")
		}
	}
}

// HandleFailure implements actor.SupervisorStrategy for the jobs. A job whose actor has failed is stopped and recovered
// from its record and its checkpoints: what its actor held in memory is not trusted any more.
func (m *jobManager) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	m.env.Log.Error("the master of a job has failed and is recovered", "actor", child.Id, "error", failureOf(reason), "stack", failureOf(reason).Stack)
	sup.StopChildren(child)
}
