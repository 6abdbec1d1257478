package operators

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
)

// Shell is what surrounds a TaskRunner: the actor, or a test. The runner makes all calls from within the calls that it gets.
type Shell interface {
	Task
	// Hold stops taking frames from a lane until Release.
	Hold(lane int)
	// Release lets all held lanes go on.
	Release()
	// Acknowledge takes the snapshot of a checkpoint, to be uploaded and reported. positions is nil but for sources.
	Acknowledge(b flow.Barrier, s *state.Snapshot, positions *Positions)
	// Decline reports that this subtask will not take part in a checkpoint.
	Decline(b flow.Barrier, reason string)
	// Drained reports that the end of input has been dealt with.
	Drained()
	// Closed reports that the last checkpoint's work is done, and nothing is left to do.
	Closed()
}

// Phase is the life of a TaskRunner.
type Phase uint8

const (
	// Created: not opened yet.
	Created Phase = iota
	// Running: open, takes input.
	Running
	// Finishing: the input has ended, and the operators are being told.
	Finishing
	// Drained: all that the input led to has been sent. Takes part in checkpoints.
	Drained
	// Stopped: has passed the barrier of a Stop checkpoint: sources emit nothing any more.
	Stopped
	// Closed: nothing more will happen.
	Closed
)

var phaseNames = [...]string{"CREATED", "RUNNING", "FINISHING", "DRAINED", "STOPPED", "CLOSED"}

func (p Phase) String() string { return phaseNames[p] }

// stepsPerTurn bounds how many pieces of work (parts of a batch between watermarks, budgeted firings) one turn does
// before the mailbox looks at control messages again.
const stepsPerTurn = 256

// taskWatermark is the section in which a subtask keeps where event time stood.
const (
	taskWatermark       = "task.watermark"
	taskWatermarkFormat = "int64"
)

// TaskSpec says what a TaskRunner is made of.
type TaskSpec struct {
	Steps []Step
	// Lanes has for each input lane the head's input it feeds. Empty for sources.
	Lanes []int
	// Ships has a Shipper for each output edge.
	Ships []Shipper
	// Context is copied for each operator; the runner fills in UID, Name, Counters and RestoredWatermark.
	Context Context
	// Counters has one for each step.
	Counters []*Counters
}

// TaskRunner is one subtask without its actor: gate, chain, and the order in which things happen. Everything that a
// subtask does with a record, a watermark, a barrier or the end of its input begins here.
type TaskRunner struct {
	chain  *Chain
	gate   *Gate
	shell  Shell
	source SourceHead // nil but for sources
	ports  []InputPort
	lanes  []int
	uid    string

	phase     Phase
	watermark flow.Watermark

	// What is under way. Nothing new is taken while there is any.
	frame      *flow.Frame // being consumed
	pos, mark  int         // how far in the frame's batch
	advancing  bool        // watermark is being offered to the head
	alarmed    bool        // processing time has come to alarm
	alarm      flow.Time
	finishStep int
	trigger    flow.Barrier // for sources: barrier to be sent next
	triggered  bool
	sent       flow.CheckpointID // newest checkpoint triggered here

	last      flow.Barrier      // newest Stop or Final barrier passed
	completed flow.CheckpointID // newest checkpoint known to be complete
	restored  flow.CheckpointID
	in        int64
}

// NewTaskRunner makes and opens a subtask's operators.
func NewTaskRunner(spec TaskSpec, shell Shell) (*TaskRunner, error) {
	chain, err := NewChain(spec.Steps, spec.Ships)
	if err != nil {
		return nil, err
	}
	t := &TaskRunner{chain: chain, shell: shell, lanes: spec.Lanes, ports: chain.Inputs(), uid: spec.Steps[0].UID, restored: spec.Context.RestoredCheckpoint}
	t.source, _ = chain.Head().(SourceHead)
	from, err := restoredWatermark(spec.Context.Restore, t.uid)
	if err != nil {
		return nil, err
	}
	t.watermark = flow.Watermark{Time: from}
	t.gate = NewGate(len(spec.Lanes), from)
	i := len(spec.Steps)
	err = chain.Open(func(s Step) *Context {
		i--
		ctx := spec.Context
		ctx.UID, ctx.Name, ctx.Task, ctx.RestoredWatermark = s.UID, s.Name, t.operatorTask(), from
		ctx.Counters = spec.Counters[i]
		return &ctx
	})
	if err != nil {
		return nil, errors.Join(err, chain.Close())
	}
	t.phase = Running
	return t, nil
}

// restoredWatermark is the smallest watermark of the old subtasks: what all of them had passed.
func restoredWatermark(r *state.Restore, uid string) (flow.Time, error) {
	from, some := flow.MaxTime, false
	err := r.All(uid, taskWatermark, taskWatermarkFormat, func(b []byte) error {
		if len(b) != 8 {
			return fmt.Errorf("%w: %d bytes for a watermark", state.ErrDamaged, len(b))
		}
		from, some = min(from, flow.Time(binary.LittleEndian.Uint64(b))), true
		return nil
	})
	if !some {
		from = flow.MinTime
	}
	return from, err
}

// operatorTask is the Task that operators see: the shell's, but for watermarks, which go down this chain, and Go, after
// which the runner may have come to its end.
func (t *TaskRunner) operatorTask() Task { return &operatorTask{t.shell, t} }

type operatorTask struct {
	Task
	t *TaskRunner
}

func (o *operatorTask) EmitWatermark(w flow.Watermark) {
	w.Time = max(w.Time, o.t.watermark.Time)
	o.t.watermark = w
	o.t.chain.Pass(w)
}

func (o *operatorTask) Go(work func(stop <-chan struct{}), done func()) {
	o.Task.Go(work, func() {
		done()
		o.t.closeIfDone()
	})
}

// Phase is where in its life the runner is.
func (t *TaskRunner) Phase() Phase { return t.phase }

// Watermark is where event time stands.
func (t *TaskRunner) Watermark() flow.Watermark { return t.watermark }

// Records are the numbers of records taken from channels (for sources: 0) and sent to channels.
func (t *TaskRunner) Records() (in, out int64) { return t.in, t.chain.RecordsOut() }

// Source is the head if this is a source's subtask, otherwise nil.
func (t *TaskRunner) Source() SourceHead { return t.source }

// Pending reports whether something is under way that has to go on, by Resume, before a frame is taken.
func (t *TaskRunner) Pending() bool {
	return t.frame != nil || t.advancing || t.alarmed || t.triggered || t.phase == Finishing
}

// Frame takes one frame from a lane. Nothing may be pending.
func (t *TaskRunner) Frame(f *flow.Frame) {
	t.frame, t.pos, t.mark = f, 0, 0
	t.Resume()
}

// Resume goes on with what is under way, for one turn or until the outputs are full.
func (t *TaskRunner) Resume() {
	for range stepsPerTurn {
		if !t.step() {
			return
		}
	}
}

// step does one piece of work. false: there is none, or the outputs are full.
func (t *TaskRunner) step() bool {
	switch {
	case t.advancing:
		return t.advance()
	case t.alarmed:
		if !t.chain.ProcessingTime(t.alarm) {
			return !t.shell.Full()
		}
		t.alarmed = false
		return true
	case t.frame != nil:
		return t.consume()
	case t.phase == Finishing:
		return t.finish()
	case t.triggered:
		t.triggered = false
		t.snapshot(t.trigger)
		return true
	}
	return false
}

// consume handles the current frame up to its next watermark, or to its end.
func (t *TaskRunner) consume() bool {
	f := t.frame
	switch e := f.Element.(type) {
	case flow.Batch:
		if t.pos == 0 && t.mark == 0 {
			t.gate.Active(f.Lane)
			t.in += int64(e.Len())
		}
		marks := e.Watermarks()
		to := e.Len()
		if t.mark < len(marks) {
			to = marks[t.mark].At
		}
		if to > t.pos {
			t.ports[t.lanes[f.Lane]].Consume(e, t.pos, to)
			t.pos = to
		}
		if t.mark < len(marks) {
			w := marks[t.mark].Time
			t.mark++
			t.laneWatermark(f.Lane, flow.Watermark{Time: w})
			return true
		}
	case flow.Watermark:
		t.laneWatermark(f.Lane, e)
	case flow.Barrier:
		t.barrier(f.Lane, e)
	case flow.EndOfInput:
		if t.gate.End(f.Lane) {
			t.end()
		}
	default:
		panic(fmt.Sprintf("task: element of type %T", e))
	}
	t.frame = nil
	f.Origin.Recycle(f)
	return true
}

func (t *TaskRunner) laneWatermark(lane int, w flow.Watermark) {
	merged, changed := t.gate.Advance(lane, w)
	if !changed {
		return
	}
	t.watermark, t.advancing = merged, true
}

func (t *TaskRunner) advance() bool {
	if !t.chain.HeadWatermark(t.watermark) {
		return !t.shell.Full()
	}
	t.advancing = false
	if !t.chain.Owned() || t.watermark.Time == flow.MaxTime {
		t.chain.Pass(t.watermark)
	}
	return true
}

// end begins the end: event time is over, then the operators finish one after the other.
func (t *TaskRunner) end() {
	t.phase, t.finishStep = Finishing, 0
	t.watermark, t.advancing = flow.Watermark{Time: flow.MaxTime}, true
}

func (t *TaskRunner) finish() bool {
	if t.finishStep < t.chain.Len() {
		if !t.chain.FinishStep(t.finishStep) {
			return !t.shell.Full()
		}
		t.finishStep++
		return true
	}
	t.chain.Broadcast(flow.EndOfInput{})
	t.phase = Drained
	t.shell.Drained()
	return true
}

func (t *TaskRunner) barrier(lane int, b flow.Barrier) {
	switch how, old := t.gate.Barrier(lane, b); how {
	case Hold:
		t.shell.Hold(lane)
	case Aligned:
		t.snapshot(b)
		t.shell.Release()
	case Superseded:
		t.shell.Decline(old, fmt.Sprintf("%v overtook it during alignment", b))
		t.shell.Release()
		t.barrier(lane, b)
	case Ignored:
	}
}

// snapshot passes the barrier on and takes the state as of now: the synchronous part of a checkpoint.
func (t *TaskRunner) snapshot(b flow.Barrier) {
	t.chain.Broadcast(b)
	s := &state.Snapshot{}
	s.AddBytes(state.Section{Operator: t.uid, Name: taskWatermark, Kind: state.Task, Format: taskWatermarkFormat},
		binary.LittleEndian.AppendUint64(nil, uint64(t.watermark.Time)))
	if err := t.chain.Snapshot(s, b); err != nil {
		t.shell.Fail(fmt.Errorf("checkpoint %d: %w", b.Checkpoint, err))
	}
	var positions *Positions
	if t.source != nil {
		p := t.source.Positions(b.Checkpoint)
		positions = &p
	}
	if b.Kind != flow.Periodic {
		t.last = b
		if t.phase == Running {
			t.phase = Stopped
		}
	}
	t.shell.Acknowledge(b, s, positions)
}

// Trigger starts a checkpoint at a source's subtask: its barrier follows what is under way.
func (t *TaskRunner) Trigger(b flow.Barrier) {
	if t.source == nil {
		panic(fmt.Sprintf("task: %v triggered at a subtask that has inputs", b))
	}
	if b.Checkpoint <= t.sent {
		return // repeated
	}
	t.sent = b.Checkpoint
	if t.triggered {
		t.shell.Decline(t.trigger, fmt.Sprintf("%v overtook it", b))
	}
	t.trigger, t.triggered = b, true
	t.Resume()
}

// Abort says that checkpoint id will not be completed.
func (t *TaskRunner) Abort(id flow.CheckpointID) {
	if t.gate.Abort(id) {
		t.shell.Release()
	}
}

// CheckpointCompleted says that checkpoint id is complete for good.
func (t *TaskRunner) CheckpointCompleted(id flow.CheckpointID) {
	t.completed = max(t.completed, id)
	t.chain.CheckpointCompleted(id)
	t.closeIfDone()
}

// CloseAfterRestore says that the checkpoint restored from was the job's last: what it holds is committed, and nothing is
// read any more.
func (t *TaskRunner) CloseAfterRestore() {
	t.phase = Stopped
	t.last = flow.Barrier{Checkpoint: t.restored, Kind: flow.Stop}
	t.completed = t.restored
	t.closeIfDone()
}

// closeIfDone closes the runner when its Stop or Final checkpoint is complete and all is committed.
func (t *TaskRunner) closeIfDone() {
	if t.phase == Closed || t.last.Checkpoint == 0 || t.completed < t.last.Checkpoint || !t.chain.Committed() {
		return
	}
	t.phase = Closed
	t.shell.Closed()
}

// ProcessingTime says that processing time has come to now.
func (t *TaskRunner) ProcessingTime(now flow.Time) {
	if t.phase >= Finishing {
		t.chain.Retry(now)
		return
	}
	t.alarm, t.alarmed = now, true
	t.Resume()
}

// Poll lets a source emit up to max records. It reports when to poll again: flow.MinTime for at once, flow.MaxTime for
// when it is woken.
func (t *TaskRunner) Poll(max int) (next flow.Time) {
	if t.phase != Running || t.Pending() {
		return flow.MaxTime
	}
	next, ended := t.source.Poll(max)
	if ended {
		t.end()
		t.Resume()
	}
	return next
}

// Flush ships all open batches. It is called when the subtask has nothing else to do, and from time to time when it has.
func (t *TaskRunner) Flush() { t.chain.Flush() }

// Quiet is Flush for a subtask that has run out of input: writers let go of what they hold as well.
func (t *TaskRunner) Quiet() {
	t.chain.Flush()
	t.chain.FlushWriters()
}

// Close closes the operators.
func (t *TaskRunner) Close() error { return t.chain.Close() }
