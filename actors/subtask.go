package actors

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/operators"
	"github.com/weirstream/weir/scheduler"
	"github.com/weirstream/weir/state"
)

// Limits of a subtask's turns.
const (
	// pollRecords is how many records a source emits between two looks at control messages.
	pollRecords = 1024
	// flushNanos is how long an open batch may wait while the subtask is busy, in nanoseconds.
	flushNanos = int64(2 * time.Millisecond)
	// askAgain is after how long an unanswered request to the job is repeated.
	askAgain = 500 * time.Millisecond
)

// subtask is the actor around an operators.TaskRunner. It restores in Started, and then does what its mailbox brings.
// It is never restarted itself: its slot is, and makes new ones.
type subtask struct {
	env     *Env
	id      flow.SubtaskID
	graph   *jobgraph.JobGraph
	jobID   flow.JobID
	deploy  *deploy
	job     *actor.PID
	self    *actor.PID
	slot    *actor.PID
	mailbox *Mailbox
	outbox  *Outbox
	runner  *operators.TaskRunner
	ctx     actor.Context // of the message being handled
	stats   *SubtaskStats

	stop     chan struct{} // closed when the incarnation is told to stop
	stopOnce sync.Once
	files    []checkpoint.File

	started   bool // the region runs
	closed    bool // nothing is delivered any more: Next must not ask for turns
	pollAt    flow.Time
	alarmAt   flow.Time
	dirty     bool // something was done since the last flush
	flushedAt int64
	request   int64 // number of the last request for splits
	asked     bool
	answered  int64 // newest answer taken
}

// spawnSubtask starts a subtask as a child of a slot.
func spawnSubtask(c actor.Context, in *slot, graph *jobgraph.JobGraph, id flow.SubtaskID) (*actor.PID, error) {
	env, d := in.env, in.deployed
	s := &subtask{
		env: env, id: id, graph: graph, deploy: d, jobID: in.job, job: in.jobPID, slot: c.Self(),
		stop: make(chan struct{}), pollAt: flow.MinTime, alarmAt: flow.MaxTime,
		stats: env.Stats.subtask(in.job, id, graph.Vertices[id.Vertex]),
	}
	meter := newMeter(env.Clock)
	s.mailbox = newMailbox(len(graph.Lanes(id)), s, s.interrupt, meter)
	s.stats.attach(d.Attempt, meter)
	s.outbox = newOutbox(s.mailbox.Wake, func(to *actor.PID, f *flow.Frame) { env.System.Root.Send(to, f) })
	props := actor.PropsFromProducer(func() actor.Actor { return s },
		actor.WithDispatcher(env.Dispatcher), actor.WithMailbox(func() actor.Mailbox { return s.mailbox }))
	return c.SpawnNamed(props, subtaskName(id, d.Attempt))
}

func subtaskName(id flow.SubtaskID, attempt flow.Attempt) string {
	return fmt.Sprintf("%v#%d", id, attempt)
}

// interrupt runs on the goroutine of whoever stops the subtask.
func (s *subtask) interrupt() { s.stopOnce.Do(func() { close(s.stop) }) }

// Receive implements actor.Actor.
func (s *subtask) Receive(c actor.Context) {
	s.ctx = c
	switch m := c.Message().(type) {
	case *flow.Frame:
		s.runner.Frame(m)
	case resume:
		s.runner.Resume()
	case poll:
		s.poll()
	case quiet:
		s.runner.Quiet()
		s.publish()
		return
	case async:
		m.done()
	case alarm:
		s.onAlarm(m.at)
	case *actor.Started:
		s.open(c)
	case *actor.Stopping:
		s.close()
		return
	default:
		if !s.control(m) {
			return
		}
	}
	s.after()
}

// control handles what comes from the slot and the job.
func (s *subtask) control(msg any) (handled bool) {
	switch m := msg.(type) {
	case closeSlot:
		s.runner.CheckpointCompleted(m.Checkpoint)
	case start:
		s.started = true
		if s.deploy.Last {
			s.runner.CloseAfterRestore()
		}
	case triggerCheckpoint:
		s.runner.Trigger(m.Barrier)
	case checkpointCompleted:
		s.runner.CheckpointCompleted(m.ID)
	case checkpointAborted:
		s.runner.Abort(m.ID)
	case assignSplits:
		s.assign(m)
	case wake:
		if w, ok := s.runner.Source().(interface{ Woken() }); ok {
			w.Woken()
		}
		s.pollAt = flow.MinTime
	case Inject:
		s.Fail(errors.New("injected: " + m.Reason))
	case *protocolViolation:
		s.Fail(errors.New("protocol violation: " + m.what))
	default:
		return false
	}
	return true
}

// after ends every turn.
func (s *subtask) after() {
	s.dirty = true
	if now := s.env.Clock.Nanos(); now-s.flushedAt > flushNanos {
		s.flushedAt = now
		s.runner.Flush()
		s.publish()
	}
}

// Open implements Hooks.
func (s *subtask) Open() bool { return s.runner == nil || s.outbox.Drain() }

// Next implements Hooks.
func (s *subtask) Next(pendingOnly bool) any {
	if s.runner == nil || s.closed {
		return nil
	}
	if s.runner.Pending() {
		return resume{}
	}
	if pendingOnly {
		return nil
	}
	if s.started && s.runner.Source() != nil && s.runner.Phase() == operators.Running && s.pollAt == flow.MinTime {
		return poll{}
	}
	if s.dirty {
		s.dirty = false
		return quiet{}
	}
	return nil
}

// open builds the chain and restores its state. It is the one place where a subtask waits for I/O in its own turn: it has
// nothing else to do before.
func (s *subtask) open(c actor.Context) {
	s.self = c.Self()
	restore, err := s.openRestore()
	if err != nil {
		s.Fail(err)
	}
	spec := s.spec(restore)
	runner, err := operators.NewTaskRunner(spec, s)
	if err != nil {
		s.Fail(err)
	}
	s.closeFiles()
	s.runner = runner
	s.flushedAt = s.env.Clock.Nanos()
	c.Send(s.slot, subtaskReady{s.id})
}

func (s *subtask) spec(restore *state.Restore) operators.TaskSpec {
	v := s.graph.Vertices[s.id.Vertex]
	spec := operators.TaskSpec{Steps: s.graph.StepsOf(s.id), Counters: s.stats.steps}
	for _, l := range s.graph.Lanes(s.id) {
		spec.Lanes = append(spec.Lanes, l.Input)
	}
	slots := map[flow.SubtaskID]*actor.PID{}
	for i, p := range s.deploy.Peers {
		for _, id := range p.Subtasks {
			slots[id] = s.deploy.SlotPIDs[i]
		}
	}
	for _, channels := range s.graph.Channels(s.id) {
		e := &edge{}
		for _, ch := range channels {
			to := slots[ch.To]
			pid := actor.NewPID(to.Address, to.Id+"/"+subtaskName(ch.To, s.deploy.Attempt))
			e.channels = append(e.channels, s.outbox.connect(pid, ch.Lane))
		}
		spec.Ships = append(spec.Ships, e)
	}
	spec.Context = operators.Context{
		Job: s.jobID, Attempt: s.deploy.Attempt, Vertex: v.Name, Subtask: s.id.Index, Parallelism: v.Parallelism,
		MaxParallelism: v.MaxParallelism, Groups: flow.Range(s.id.Index, v.Parallelism, v.MaxParallelism), Clock: s.env.Clock,
		Restore: restore, RestoredCheckpoint: s.deploy.Checkpoint, Run: s.deploy.Run,
		Log:  s.env.Log.With("job", s.jobID, "subtask", s.id.String(), "attempt", int64(s.deploy.Attempt)),
		Wake: func() { s.env.System.Root.Send(s.self, wake{}) },
	}
	return spec
}

// RestoreError says that a checkpoint cannot be read.
type RestoreError struct {
	Checkpoint flow.CheckpointID
	Err        error
}

func (e *RestoreError) Error() string {
	return fmt.Sprintf("restore from %v: %v", e.Checkpoint, e.Err)
}
func (e *RestoreError) Unwrap() error { return e.Err }

func (s *subtask) openRestore() (*state.Restore, error) {
	if s.deploy.Checkpoint == 0 {
		return nil, nil
	}
	r := &state.Restore{}
	for _, name := range s.deploy.Files[s.id.Vertex] {
		f, err := s.env.Store.Open(name)
		if err != nil {
			return nil, &RestoreError{s.deploy.Checkpoint, err}
		}
		s.files = append(s.files, f)
		file, err := state.OpenSnapshot(name, f, f.Size())
		if err != nil {
			return nil, &RestoreError{s.deploy.Checkpoint, err}
		}
		r.Files = append(r.Files, file)
	}
	return r, nil
}

func (s *subtask) closeFiles() {
	for _, f := range s.files {
		if err := f.Close(); err != nil {
			s.env.Log.Warn("closing a snapshot after restore", "error", err)
		}
	}
	s.files = nil
}

// close ends the incarnation. A panic here would leave a zombie behind, so there is none.
func (s *subtask) close() {
	s.interrupt()
	s.closed = true
	s.closeFiles()
	if s.runner == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			s.env.Log.Error("subtask panicked while closing", "subtask", s.id.String(), "error", failureOf(r))
		}
	}()
	if err := s.runner.Close(); err != nil {
		s.env.Log.Warn("subtask did not close cleanly", "subtask", s.id.String(), "error", err)
	}
	s.publish()
}

// publish makes the numbers of the runner visible to other goroutines.
func (s *subtask) publish() {
	in, out := s.runner.Records()
	s.stats.in.Store(in)
	s.stats.out.Store(out)
	s.stats.watermark.Store(int64(s.runner.Watermark().Time))
	s.stats.phase.Store(int32(s.runner.Phase()))
}

func (s *subtask) poll() {
	next := s.runner.Poll(pollRecords)
	s.pollAt = next
	src := s.runner.Source()
	if src.Wants() && !s.asked && s.runner.Phase() == operators.Running {
		s.request++
		s.asked = true
		s.ask(s.request)
	}
	if next != flow.MinTime && next != flow.MaxTime {
		s.WakeAt(next)
	}
}

// ask requests a split, and again until the answer is there.
func (s *subtask) ask(request int64) {
	s.env.System.Root.Send(s.job, requestSplits{Subtask: s.id, UID: s.graph.Vertices[s.id.Vertex].Steps[0].UID, Attempt: s.deploy.Attempt, Request: request})
	s.later(askAgain, func() {
		if s.answered < request && s.runner.Phase() == operators.Running {
			s.ask(request)
		}
	})
}

// later runs f on the subtask's goroutine when d has passed, unless the subtask has been stopped.
func (s *subtask) later(d time.Duration, f func()) {
	s.env.later(s.self, s.stop, d, f)
}

func (s *subtask) assign(m assignSplits) {
	if m.Request != 0 {
		if m.Request <= s.answered {
			return
		}
		s.answered, s.asked = m.Request, false
	}
	if err := s.runner.Source().Assign(m.Splits, m.NoMore); err != nil {
		s.Fail(err)
	}
	s.pollAt = flow.MinTime
}

func (s *subtask) onAlarm(at flow.Time) {
	if at == s.alarmAt {
		s.alarmAt = flow.MaxTime
	}
	if s.pollAt != flow.MinTime && s.pollAt <= s.env.Clock.Now() {
		s.pollAt = flow.MinTime
	}
	s.runner.ProcessingTime(s.env.Clock.Now())
}

// The methods below are operators.Shell.

// Fail implements operators.Task.
func (s *subtask) Fail(err error) { panic(&Failure{Cause: err}) }

// WakeAt implements operators.Task.
func (s *subtask) WakeAt(t flow.Time) {
	if t >= s.alarmAt {
		return
	}
	s.alarmAt = t
	d := time.Duration(max(0, t-s.env.Clock.Now())) * time.Millisecond
	s.env.Clock.AfterFunc(d, func() {
		select {
		case <-s.stop:
		default:
			s.env.System.Root.Send(s.self, alarm{t})
		}
	})
}

// EmitWatermark is never called: the runner answers it itself.
func (s *subtask) EmitWatermark(flow.Watermark) { panic("subtask: watermark past the runner") }

// Go implements operators.Task. The goroutine ends by itself or when stop is closed.
func (s *subtask) Go(work func(stop <-chan struct{}), done func()) {
	s.env.async(s.self, s.stop, func() { work(s.stop) }, done)
}

// Full implements operators.Task.
func (s *subtask) Full() bool { return s.outbox.waiting > 0 || s.outbox.Full() }

// Hold implements operators.Shell.
func (s *subtask) Hold(lane int) { s.mailbox.hold(lane, true) }

// Release implements operators.Shell.
func (s *subtask) Release() {
	for i := range s.mailbox.lanes {
		s.mailbox.hold(i, false)
	}
}

// Acknowledge implements operators.Shell: it uploads the snapshot on another goroutine and then reports it.
func (s *subtask) Acknowledge(b flow.Barrier, snap *state.Snapshot, positions *operators.Positions) {
	ack := checkpoint.Ack{ID: b.Checkpoint, Subtask: s.id, Attempt: s.deploy.Attempt}
	ack.Info.Records, _ = s.runner.Records()
	if positions != nil {
		ack.Info.Readers = []checkpoint.ReaderAck{readerAck(s.graph.Vertices[s.id.Vertex].Steps[0].UID, positions)}
	}
	var err error
	s.Go(func(<-chan struct{}) { ack.Info, err = s.upload(b.Checkpoint, ack.Info, snap) }, func() {
		if err != nil {
			s.Decline(b, err.Error())
			return
		}
		s.env.System.Root.Send(s.job, acknowledge{ack})
	})
}

func readerAck(uid string, p *operators.Positions) checkpoint.ReaderAck {
	r := checkpoint.ReaderAck{UID: uid}
	for _, split := range p.Splits {
		r.Splits = append(r.Splits, splitState(split))
	}
	for _, id := range p.Finished {
		r.Finished = append(r.Finished, checkpoint.SplitID(id))
	}
	return r
}

func splitState(s connectors.Split) checkpoint.SplitState {
	return checkpoint.SplitState{ID: checkpoint.SplitID(s.ID), State: s.State, Watermark: s.Watermark}
}

// Decline implements operators.Shell.
func (s *subtask) Decline(b flow.Barrier, reason string) {
	s.env.System.Root.Send(s.job, decline{checkpoint.Decline{ID: b.Checkpoint, Subtask: s.id, Attempt: s.deploy.Attempt, Reason: reason}})
}

// Drained implements operators.Shell.
func (s *subtask) Drained() {
	s.tell(func() bool { return s.runner.Phase() != operators.Drained }, subtaskDrained{scheduler.SubtaskDrained{Subtask: s.id, Attempt: s.deploy.Attempt}})
}

// Closed implements operators.Shell.
func (s *subtask) Closed() {
	s.tell(func() bool { return false }, subtaskClosed{scheduler.SubtaskClosed{Subtask: s.id, Attempt: s.deploy.Attempt}})
}

// tell sends a report to the job again and again until it is stale or the subtask is stopped: a lost one would leave the
// job waiting for ever.
func (s *subtask) tell(stale func() bool, report any) {
	if stale() {
		return
	}
	s.env.System.Root.Send(s.job, report)
	s.later(askAgain, func() { s.tell(stale, report) })
}

// upload writes a snapshot to the store. It runs on a helper goroutine.
func (s *subtask) upload(id flow.CheckpointID, info checkpoint.AckInfo, snap *state.Snapshot) (checkpoint.AckInfo, error) {
	info.File = checkpoint.StateFile(s.id, s.deploy.Attempt)
	w, err := s.env.Store.Create(checkpoint.FileName(s.deploy.Dir, id, info.File))
	if err != nil {
		return info, err
	}
	defer w.Abort()
	if info.Size, info.Sum, err = snap.WriteFile(w); err != nil {
		return info, err
	}
	return info, w.Commit()
}
