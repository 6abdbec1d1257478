package actors

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/scheduler"
)

// slot runs the subtasks of one deployment: it is the unit of restart. It is itself the supervisor of its subtasks: the
// first failure is escalated once, the rest of the attempt's failures are ignored, and the TaskManager's restart of the
// slot stops all subtasks, waits for them, and makes a new incarnation, which asks the job what to run.
type slot struct {
	env         *Env
	job         flow.JobID
	id          scheduler.SlotID
	place       scheduler.Place
	incarnation int64
	jobPID      *actor.PID
	cause       string // why the incarnation before ended

	deployed *deploy
	subtasks map[flow.SubtaskID]*actor.PID
	ready    map[flow.SubtaskID]bool
	running  bool
	failed   bool
	stop     chan struct{}
}

// slotName is the last part of a slot actor's id.
func slotName(job flow.JobID, id scheduler.SlotID) string { return fmt.Sprintf("slot/%s.%d", job, id) }

// Receive implements actor.Actor.
func (s *slot) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		s.stop = make(chan struct{})
		s.pull(c.Self())
	case *actor.Stopping, *actor.Restarting:
		shut(s.stop)
		s.failed = true // what its subtasks have to say does not count any more
	case async:
		m.done()
	case deploy:
		s.deploy(c, m)
	case subtaskReady:
		s.subtaskReady(c, m.Subtask)
	case start:
		if s.is(m.Attempt) && !s.running {
			s.running = true
			s.forward(c, m)
		}
	case triggerCheckpoint:
		if s.is(m.Attempt) && s.running {
			s.toSources(c, m)
		}
	case closeSlot:
		if s.is(m.Attempt) {
			s.forward(c, m)
		}
	case checkpointCompleted:
		if s.is(m.Attempt) {
			s.forward(c, m)
		}
	case checkpointAborted:
		if s.is(m.Attempt) {
			s.forward(c, m)
		}
	case assignSplits:
		if s.is(m.Attempt) && s.subtasks[m.Subtask] != nil {
			c.Send(s.subtasks[m.Subtask], m)
		}
	case restartSlot:
		s.jobPID = m.JobPID
		if m.Incarnation >= s.incarnation {
			panic(&Failure{Cause: errRestart})
		}
	case startSlot:
		other := !m.JobPID.Equal(s.jobPID)
		s.jobPID = m.JobPID
		if other && s.deployed != nil { // a new master that does not know of this attempt: it must not outlive the old one
			panic(&Failure{Cause: errRestart})
		}
	case *actor.Terminated:
		select {
		case <-s.stop: // at the slot's own wish
		default:
			panic(&Failure{Cause: fmt.Errorf("subtask %s has ended", m.Who.Id)})
		}
	case Inject:
		panic(&Failure{Cause: fmt.Errorf("injected: %s", m.Reason)})
	}
}

// errRestart fails a slot that the job wants restarted for another slot's failure.
var errRestart = fmt.Errorf("restarted with its region")

func (s *slot) is(a flow.Attempt) bool { return s.deployed != nil && s.deployed.Attempt == a }

// pull asks for a deployment, and again until there is one.
func (s *slot) pull(self *actor.PID) {
	if s.deployed != nil {
		return
	}
	s.env.System.Root.Send(s.jobPID, pullDeployment{scheduler.PullDeployment{Slot: s.id, Place: s.place, Incarnation: s.incarnation, Cause: s.cause}})
	s.env.later(self, s.stop, askAgain, func() { s.pull(self) })
}

func (s *slot) deploy(c actor.Context, d deploy) {
	if s.deployed != nil || d.Incarnation != s.incarnation {
		return
	}
	s.deployed = &d
	s.subtasks, s.ready = map[flow.SubtaskID]*actor.PID{}, map[flow.SubtaskID]bool{}
	graph, err := s.env.Jobs.Graph(s.job)
	if err != nil {
		panic(&Failure{Cause: err})
	}
	for _, id := range d.Subtasks {
		pid, err := spawnSubtask(c, s, graph, id)
		if err != nil {
			panic(&Failure{Cause: fmt.Errorf("spawn of subtask %v: %w", id, err)})
		}
		s.subtasks[id] = pid
	}
}

func (s *slot) subtaskReady(c actor.Context, id flow.SubtaskID) {
	if s.ready == nil {
		return
	}
	s.ready[id] = true
	if len(s.ready) == len(s.deployed.Subtasks) {
		s.reportReady(c.Self())
	}
}

// reportReady tells the job that all subtasks are restored, and again until they are started.
func (s *slot) reportReady(self *actor.PID) {
	if s.running {
		return
	}
	s.env.System.Root.Send(s.jobPID, slotReady{scheduler.SlotReady{Slot: s.id, Attempt: s.deployed.Attempt}})
	s.env.later(self, s.stop, askAgain, func() { s.reportReady(self) })
}

func (s *slot) forward(c actor.Context, m any) {
	for _, id := range s.deployed.Subtasks {
		c.Send(s.subtasks[id], m)
	}
}

func (s *slot) toSources(c actor.Context, m any) {
	graph, err := s.env.Jobs.Graph(s.job)
	if err != nil {
		panic(&Failure{Cause: err})
	}
	for _, id := range s.deployed.Subtasks {
		if graph.Vertices[id.Vertex].Source != nil {
			c.Send(s.subtasks[id], m)
		}
	}
}

// slotFailure is what a slot escalates to its TaskManager.
type slotFailure struct {
	attempt flow.Attempt
	cause   *Failure
	subtask string
}

// HandleFailure implements actor.SupervisorStrategy for the slot's subtasks.
func (s *slot) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, msg any) {
	if s.failed {
		return
	}
	s.failed = true
	f := &slotFailure{cause: failureOf(reason), subtask: child.Id}
	if s.deployed != nil {
		f.attempt = s.deployed.Attempt
	}
	sup.EscalateFailure(f, msg)
}
