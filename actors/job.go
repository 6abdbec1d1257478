package actors

import (
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/scheduler"
)

// job is the master of one job: the shell around scheduler.Job, checkpoint.Coordinator and scheduler.Splits, which decide.
// It passes them what it hears and carries out what they want. job_effects.go, job_checkpoints.go and job_sources.go have
// its parts.
type job struct {
	env        *Env
	id         flow.JobID
	jobManager *actor.PID
	recovered  *recovery // nil for a first start
	self       *actor.PID
	stop       chan struct{}

	spec    JobSpec
	graph   *jobgraph.JobGraph
	dir     string // in the checkpoint store
	machine *scheduler.Job
	coord   *checkpoint.Coordinator
	sources map[string]*sourceMaster

	// queue holds events for the two state machines: handling one makes more, and they are handled in turn.
	queue    []any
	handling bool

	plans     *scheduler.Plan
	slots     map[scheduler.SlotID]scheduler.Place // where each slot was deployed
	attempts  map[flow.SubtaskID]flow.Attempt
	running   map[scheduler.RegionID]bool
	settleFor flow.Attempt // RegionFailed.Next that waits for the coordinator
	manifests map[flow.CheckpointID]manifestAt
	restored  flow.CheckpointID // the coordinator starts from it
	tick      flow.Time
	timers    map[scheduler.Timer]flow.Time
}

// recovery is what a job's new master is told of what the old one left behind.
type recovery struct{ held []scheduler.HeldSlot }

// manifestAt is a completed checkpoint and the directory that holds it.
type manifestAt struct {
	dir string
	*checkpoint.Manifest
}

func newJob(env *Env, id flow.JobID, jobManager *actor.PID, r *recovery) *job {
	return &job{
		env: env, id: id, jobManager: jobManager, recovered: r, stop: make(chan struct{}),
		sources: map[string]*sourceMaster{}, slots: map[scheduler.SlotID]scheduler.Place{},
		attempts: map[flow.SubtaskID]flow.Attempt{}, running: map[scheduler.RegionID]bool{},
		manifests: map[flow.CheckpointID]manifestAt{}, timers: map[scheduler.Timer]flow.Time{},
	}
}

// Receive implements actor.Actor.
func (j *job) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		j.self = c.Self()
		if err := j.start(); err != nil {
			j.giveUp(err)
		}
	case *actor.Stopping, *actor.Restarting:
		shut(j.stop)
		j.closeSources()
	case async:
		m.done()
	case slotEvent:
		j.post(m.Event)
	case pullDeployment:
		j.post(m.PullDeployment)
	case slotReady:
		j.post(m.SlotReady)
	case slotStopped:
		j.post(m.SlotStopped)
	case slotFailed:
		j.slotFailed(m)
	case acknowledge:
		j.post(m.Ack)
	case decline:
		j.post(m.Decline)
	case subtaskDrained:
		j.post(m.SubtaskDrained)
	case subtaskClosed:
		j.post(m.SubtaskClosed)
	case requestSplits:
		j.requestSplits(m)
	case StopJob:
		j.post(scheduler.StopRequested{})
	case CancelJob:
		j.post(scheduler.CancelRequested{})
	case Inject:
		panic(&Failure{Cause: errors.New("injected: " + m.Reason)})
	}
}

// start makes the state machines, from the job's record and what the store has.
func (j *job) start() error {
	record, ok := j.env.Jobs.get(j.id)
	if !ok {
		return fmt.Errorf("no job %s", j.id)
	}
	j.spec, j.graph = record.spec, record.spec.Graph
	var err error
	if j.dir, err = checkpoint.JobDir(j.graph.Name); err != nil {
		return err
	}
	cfg := scheduler.Config{Restart: j.spec.Restart, Rand: j.spec.Rand, TolerableCheckpointFailures: j.spec.Checkpointing.Tolerable}
	if j.machine, err = scheduler.NewJob(j.id, scheduler.NewPlan(j.graph), cfg); err != nil {
		return err
	}
	if j.coord, err = checkpoint.New(j.spec.Checkpointing, checkpoint.Job{Name: j.graph.Name, Run: j.spec.Run, Term: 1}); err != nil {
		return err
	}
	if f := j.spec.Restore; f != nil {
		j.manifests[f.Manifest.ID] = manifestAt{f.Dir, f.Manifest}
	}
	retained, err := j.ownCheckpoints()
	if err != nil {
		return err
	}
	j.env.Jobs.update(j.id, func(r *jobRecord) { r.started = true })
	if j.recovered == nil {
		j.post(scheduler.Submitted{Retained: retained})
		return nil
	}
	last := flow.Periodic
	if n := len(retained); n > 0 {
		last = j.manifests[retained[n-1]].Kind
		if last != flow.Periodic && j.manifests[retained[n-1]].Run != j.spec.Run {
			last = flow.Periodic // the job was restored from it: it was another run's last
		}
	}
	j.post(scheduler.Recovered{Retained: retained, Last: last, AttemptFloor: record.status.Attempt, Held: j.recovered.held})
	return nil
}

// ownCheckpoints lists the checkpoints to restore from, oldest first: those of this run, and the one it was started from.
func (j *job) ownCheckpoints() ([]flow.CheckpointID, error) {
	ids, err := checkpoint.Latest(j.env.Store, j.dir)
	if err != nil {
		return nil, err
	}
	var own []flow.CheckpointID
	if f := j.spec.Restore; f != nil {
		own = append(own, f.Manifest.ID)
	}
	for i := len(ids) - 1; i >= 0; i-- {
		if _, known := j.manifests[ids[i]]; known {
			continue
		}
		m, err := checkpoint.Load(j.env.Store, j.dir, ids[i])
		switch {
		case errors.Is(err, checkpoint.ErrDamaged):
			j.event(CheckpointDamaged, err.Error(), "")
		case err != nil:
			return nil, err
		case m.Run == j.spec.Run:
			j.manifests[m.ID] = manifestAt{j.dir, m}
			own = append(own, m.ID)
		}
	}
	return own, nil
}

// giveUp ends a job that cannot even be started.
func (j *job) giveUp(err error) {
	j.status(scheduler.Failed, err.Error())
	j.env.System.Root.Send(j.jobManager, jobEnded{j.id})
}

// post hands an event to its state machine, after those that came before.
func (j *job) post(ev any) {
	if j.machine == nil {
		return
	}
	j.queue = append(j.queue, ev)
	if j.handling {
		return
	}
	j.handling = true
	for len(j.queue) > 0 {
		ev := j.queue[0]
		j.queue = j.queue[1:]
		j.handle(ev)
	}
	j.handling = false
}

func (j *job) handle(ev any) {
	now := j.env.Clock.Now()
	switch ev := ev.(type) {
	case scheduler.Event:
		for _, fx := range j.machine.Handle(now, ev) {
			j.do(fx)
		}
		j.env.Jobs.update(j.id, func(r *jobRecord) { r.status.Attempt = max(r.status.Attempt, j.machine.Attempt()) })
	case suspend:
		if j.coord.State() == checkpoint.Running {
			j.handle(checkpoint.Suspend{Reason: ev.cause})
		}
		j.settle()
	case checkpoint.Event:
		if j.coord.State() == checkpoint.Created {
			if _, first := ev.(checkpoint.Start); !first {
				return // nothing was ever triggered: it is of the master before
			}
		}
		for _, fx := range j.coord.Handle(now, ev) {
			j.doCheckpoint(fx)
		}
	}
}

func (j *job) slotFailed(m slotFailed) {
	var damaged *RestoreError
	if errors.As(m.Cause, &damaged) {
		j.event(CheckpointDamaged, m.Cause.Error(), "")
		j.post(scheduler.RestoreFailed{Slot: m.Slot, Attempt: m.Attempt, Checkpoint: damaged.Checkpoint, Cause: m.Cause.Error()})
		return
	}
	if !errors.Is(m.Cause, errRestart) {
		j.env.Log.Warn("a subtask has failed", "job", j.id, "actor", m.Subtask, "attempt", int64(m.Attempt), "cause", m.Cause.Error(), "stack", m.Cause.Stack)
	}
	j.post(scheduler.SlotFailed{Slot: m.Slot, Attempt: m.Attempt, Cause: m.Cause.Error()})
}

func (j *job) event(kind EventKind, text, stack string) {
	if j.env.Events != nil {
		j.env.Events(Event{Kind: kind, Time: j.env.Clock.Now(), Job: j.id, Text: text, Stack: stack})
	}
}

func (j *job) status(s scheduler.State, reason string) {
	j.env.Jobs.update(j.id, func(r *jobRecord) { r.status.State, r.status.Reason = s, reason })
	text := s.String()
	if reason != "" {
		text += ": " + reason
	}
	j.event(JobChanged, text, "")
}

// after runs f on the job's goroutine when processing time has come to at.
func (j *job) after(at flow.Time, f func()) {
	d := time.Duration(max(0, at-j.env.Clock.Now())) * time.Millisecond
	j.env.later(j.self, j.stop, d, f)
}
