package scheduler

import (
	"fmt"

	"github.com/weirstream/weir/flow"
)

// Event is something that has happened and that a Job is told of.
type Event interface {
	event()
	fmt.Stringer
}

// Submitted starts a job for the first time.
type Submitted struct {
	// Retained are the checkpoints to start from, oldest first; usually none, or one savepoint.
	Retained []flow.CheckpointID
}

// Recovered starts a job that has run before under a master that is gone.
type Recovered struct {
	// Retained are the completed checkpoints, oldest first.
	Retained []flow.CheckpointID
	// Last says that the newest of them was the job's last: Final or Stop. Periodic otherwise.
	Last flow.BarrierKind
	// AttemptFloor is at least the highest attempt that was ever deployed.
	AttemptFloor flow.Attempt
	// Held are the slot actors that are known to exist. They are restarted and keep their places.
	Held []HeldSlot
	// Fence is how long a slot actor that is not in Held may live on without a master, in milliseconds: TaskManagers that
	// lose their lease stop their slots. A region waits for it unless all its slots are held and run an attempt, which
	// shows that no older one is live elsewhere.
	Fence flow.Time
}

// HeldSlot is a slot actor that outlived its master. Attempt is what it runs, 0 for nothing.
type HeldSlot struct {
	Slot        SlotID
	Place       Place
	Incarnation int64
	Attempt     flow.Attempt
}

// SlotsGranted hands over places that were asked for by AllocateSlots.
type SlotsGranted struct{ Grants []Grant }

// SlotsLacking says that the request for slots has to wait.
type SlotsLacking struct{ Free, Total, TaskManagers int }

// TaskManagerLost says that all slots of a TaskManager are stopped, or will be before anything that they do can count.
type TaskManagerLost struct {
	TaskManager TaskManagerID
	Cause       string
}

// PullDeployment is a new incarnation of a slot actor asking what to run. Its older incarnations are fully stopped. It is
// repeated until a Deploy for this incarnation has come.
type PullDeployment struct {
	Slot        SlotID
	Place       Place
	Incarnation int64
	// Cause is why the incarnation before ended, if it failed: SlotFailed may have been lost.
	Cause string
}

// SlotReady says that all subtasks of a slot were restored. It is repeated until Go has come.
type SlotReady struct {
	Slot    SlotID
	Attempt flow.Attempt
}

// SlotFailed is the first failure of an attempt in a slot. The TaskManager restarts the slot actor by itself.
type SlotFailed struct {
	Slot    SlotID
	Attempt flow.Attempt
	Cause   string
}

// RestoreFailed is a SlotFailed because a checkpoint is damaged.
type RestoreFailed struct {
	Slot       SlotID
	Attempt    flow.Attempt
	Checkpoint flow.CheckpointID
	Cause      string
}

// SlotStopped answers ReleaseSlot: the slot actor does not exist at that place (any more).
type SlotStopped struct {
	Slot  SlotID
	Place Place
}

// SubtaskDrained says that a subtask has come to the end of its input. It lives on and takes part in checkpoints. It is
// repeated until the subtask is told of its last checkpoint.
type SubtaskDrained struct {
	Subtask flow.SubtaskID
	Attempt flow.Attempt
}

// SubtaskClosed says that all that a subtask had to commit for the last checkpoint was committed. It is repeated until
// the slot is released.
type SubtaskClosed struct {
	Subtask flow.SubtaskID
	Attempt flow.Attempt
}

// CheckpointCompleted says that a checkpoint has its manifest.
type CheckpointCompleted struct {
	ID   flow.CheckpointID
	Kind flow.BarrierKind
	// Retained are all checkpoints that can be restored from, oldest first, ID among them.
	Retained []flow.CheckpointID
}

// CheckpointFailed says that a checkpoint was declined, has expired or could not be written. Checkpoints that were given
// up because a region failed are not reported.
type CheckpointFailed struct {
	ID    flow.CheckpointID
	Kind  flow.BarrierKind
	Cause string
}

// CheckpointsSettled answers RegionFailed: no checkpoint begun before that failure can complete any more, and those that
// have completed were reported. It comes at once unless a manifest is just being written.
type CheckpointsSettled struct{ Attempt flow.Attempt }

// MasterFailed says that something of the whole job has failed beside the master: a split enumerator. All regions restart.
type MasterFailed struct{ Cause string }

// StopRequested asks to end the job with a checkpoint to go on from later.
type StopRequested struct{}

// CancelRequested asks to end the job at once.
type CancelRequested struct{}

// Timer names what a SetTimer is for. A job has one alarm of each.
type Timer uint8

const (
	// SlotTimer ends the wait for slots.
	SlotTimer Timer = iota
	// RestartTimer ends the delay before a restart.
	RestartTimer
	// RepeatTimer repeats requests that were not answered.
	RepeatTimer
	// CheckpointTimer asks again for a final or stop checkpoint that has failed.
	CheckpointTimer
	timers
)

func (t Timer) String() string {
	return [...]string{"slot", "restart", "repeat", "checkpoint"}[t]
}

// TimerFired says that the time of a SetTimer has come. It may come early, late or more than once.
type TimerFired struct{ Timer Timer }

func (Submitted) event()           {}
func (Recovered) event()           {}
func (SlotsGranted) event()        {}
func (SlotsLacking) event()        {}
func (TaskManagerLost) event()     {}
func (PullDeployment) event()      {}
func (SlotReady) event()           {}
func (SlotFailed) event()          {}
func (RestoreFailed) event()       {}
func (SlotStopped) event()         {}
func (SubtaskDrained) event()      {}
func (SubtaskClosed) event()       {}
func (CheckpointCompleted) event() {}
func (CheckpointFailed) event()    {}
func (CheckpointsSettled) event()  {}
func (MasterFailed) event()        {}
func (StopRequested) event()       {}
func (CancelRequested) event()     {}
func (TimerFired) event()          {}

func (e Submitted) String() string { return fmt.Sprintf("submitted, checkpoints %v", e.Retained) }
func (e Recovered) String() string {
	return fmt.Sprintf("recovered, checkpoints %v, attempts above %d, %d slots held", e.Retained, e.AttemptFloor, len(e.Held))
}
func (e SlotsGranted) String() string { return fmt.Sprintf("slots granted %v", e.Grants) }
func (e SlotsLacking) String() string {
	return fmt.Sprintf("slots lacking: %d of %d free on %d TaskManagers", e.Free, e.Total, e.TaskManagers)
}
func (e TaskManagerLost) String() string {
	return fmt.Sprintf("TaskManager %s lost: %s", e.TaskManager, e.Cause)
}
func (e PullDeployment) String() string {
	return fmt.Sprintf("slot %d at %v pulls, incarnation %d", e.Slot, e.Place, e.Incarnation)
}
func (e SlotReady) String() string {
	return fmt.Sprintf("slot %d ready, attempt %d", e.Slot, e.Attempt)
}
func (e SlotFailed) String() string {
	return fmt.Sprintf("slot %d failed, attempt %d: %s", e.Slot, e.Attempt, e.Cause)
}
func (e RestoreFailed) String() string {
	return fmt.Sprintf("slot %d could not restore %v, attempt %d: %s", e.Slot, e.Checkpoint, e.Attempt, e.Cause)
}
func (e SlotStopped) String() string { return fmt.Sprintf("slot %d at %v stopped", e.Slot, e.Place) }
func (e SubtaskDrained) String() string {
	return fmt.Sprintf("subtask %v drained, attempt %d", e.Subtask, e.Attempt)
}
func (e SubtaskClosed) String() string {
	return fmt.Sprintf("subtask %v closed, attempt %d", e.Subtask, e.Attempt)
}
func (e CheckpointCompleted) String() string {
	return fmt.Sprintf("%v (%v) completed, retained %v", e.ID, e.Kind, e.Retained)
}
func (e CheckpointFailed) String() string {
	return fmt.Sprintf("%v (%v) failed: %s", e.ID, e.Kind, e.Cause)
}
func (e CheckpointsSettled) String() string {
	return fmt.Sprintf("checkpoints settled for attempt %d", e.Attempt)
}
func (e MasterFailed) String() string  { return "master failed: " + e.Cause }
func (StopRequested) String() string   { return "stop requested" }
func (CancelRequested) String() string { return "cancel requested" }
func (e TimerFired) String() string    { return e.Timer.String() + " timer fired" }
