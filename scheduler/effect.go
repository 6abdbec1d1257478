package scheduler

import (
	"fmt"

	"github.com/weirstream/weir/flow"
)

// Effect is something that the owner of a Job must do, in the order of the list.
type Effect interface {
	effect()
	fmt.Stringer
}

// AllocateSlots asks the SlotPool for places: SlotPool.Request. It replaces the request before; no Wants withdraws it.
type AllocateSlots struct{ Wants []Want }

// FreeSlots gives places back: SlotPool.Release.
type FreeSlots struct{ Places []Place }

// StartSlot tells a TaskManager to spawn a slot actor, unless it has it. Its incarnations pull.
type StartSlot struct {
	Slot  SlotID
	Place Place
}

// RestartSlot tells a slot actor to fail itself if its incarnation is not newer.
type RestartSlot struct {
	Slot        SlotID
	Place       Place
	Incarnation int64
}

// ReleaseSlot tells a TaskManager to stop a slot actor for good, and to answer SlotStopped when it is gone (or was never
// there).
type ReleaseSlot struct {
	Slot  SlotID
	Place Place
}

// Deploy answers PullDeployment.
type Deploy struct {
	Slot        SlotID
	Place       Place
	Incarnation int64
	Deployment  Deployment
}

// Deployment is what a slot is to run.
type Deployment struct {
	Region  RegionID
	Attempt flow.Attempt
	// Checkpoint is what to restore; 0 for a fresh start.
	Checkpoint flow.CheckpointID
	// Last says that Checkpoint was the job's last: restore, commit, close, and read no input.
	Last     bool
	Subtasks []flow.SubtaskID
	// Peers are all slots of the region, this one among them.
	Peers []Peer
}

// Peer says where the subtasks of a slot are.
type Peer struct {
	Slot     SlotID
	Place    Place
	Subtasks []flow.SubtaskID
}

// Go tells a slot that every slot of its region is ready: sources may begin.
type Go struct {
	Slot    SlotID
	Place   Place
	Attempt flow.Attempt
}

// CloseSlot tells a slot that the job's last checkpoint is complete: its subtasks commit it, close, and say SubtaskClosed.
type CloseSlot struct {
	Slot       SlotID
	Place      Place
	Attempt    flow.Attempt
	Checkpoint flow.CheckpointID
}

// Rewound says that the whole job (re)starts from Checkpoint: forget newer checkpoints, and make the split enumerators
// and Splits anew from its manifest. 0 is a fresh start.
type Rewound struct{ Checkpoint flow.CheckpointID }

// RegionFailed tells the checkpoint coordinator to give up what is under way and to begin nothing; it is answered by
// CheckpointsSettled{Next}. It is also the entry of the exceptions history.
type RegionFailed struct {
	Region  RegionID
	Attempt flow.Attempt // that failed
	Next    flow.Attempt // that will be deployed; Attempt again if the job is given up
	Time    flow.Time
	// Slot is where it began and At where that was; -1 for failures of the job.
	Slot  SlotID
	At    TaskManagerID
	Cause string
	// Delay until the restart, in milliseconds.
	Delay flow.Time
}

// RegionRestored says that a region is being deployed: its subtasks go on from Checkpoint. Call Splits.Rewind with its
// source subtasks.
type RegionRestored struct {
	Region     RegionID
	Attempt    flow.Attempt
	Checkpoint flow.CheckpointID
	Subtasks   []flow.SubtaskID
}

// RegionRunning says that all subtasks of a region run: the coordinator may begin checkpoints when all regions do.
type RegionRunning struct {
	Region  RegionID
	Attempt flow.Attempt
}

// TriggerCheckpoint asks the coordinator for the job's last checkpoint. It must be answered by CheckpointCompleted or
// CheckpointFailed unless a region fails first. With no storage configured the coordinator runs it without keeping it.
type TriggerCheckpoint struct{ Kind flow.BarrierKind }

// SetTimer asks for TimerFired{Timer} at At. It replaces the one before of the same Timer.
type SetTimer struct {
	Timer Timer
	At    flow.Time
}

// JobStatus says that the job's state or the reason for it has changed.
type JobStatus struct {
	State  State
	Reason string
}

func (AllocateSlots) effect()     {}
func (FreeSlots) effect()         {}
func (StartSlot) effect()         {}
func (RestartSlot) effect()       {}
func (ReleaseSlot) effect()       {}
func (Deploy) effect()            {}
func (Go) effect()                {}
func (CloseSlot) effect()         {}
func (Rewound) effect()           {}
func (RegionFailed) effect()      {}
func (RegionRestored) effect()    {}
func (RegionRunning) effect()     {}
func (TriggerCheckpoint) effect() {}
func (SetTimer) effect()          {}
func (JobStatus) effect()         {}

func (e AllocateSlots) String() string { return fmt.Sprintf("allocate %v", e.Wants) }
func (e FreeSlots) String() string     { return fmt.Sprintf("free %v", e.Places) }
func (e StartSlot) String() string     { return fmt.Sprintf("start slot %d at %v", e.Slot, e.Place) }
func (e RestartSlot) String() string {
	return fmt.Sprintf("restart slot %d at %v, incarnation %d", e.Slot, e.Place, e.Incarnation)
}
func (e ReleaseSlot) String() string { return fmt.Sprintf("release slot %d at %v", e.Slot, e.Place) }
func (e Deploy) String() string {
	d := e.Deployment
	last := ""
	if d.Last {
		last = " (last)"
	}
	return fmt.Sprintf("deploy slot %d at %v, incarnation %d: attempt %d from %v%s, subtasks %v", e.Slot, e.Place, e.Incarnation, d.Attempt, d.Checkpoint, last, d.Subtasks)
}
func (e Go) String() string {
	return fmt.Sprintf("go slot %d at %v, attempt %d", e.Slot, e.Place, e.Attempt)
}
func (e CloseSlot) String() string {
	return fmt.Sprintf("close slot %d at %v, attempt %d after %v", e.Slot, e.Place, e.Attempt, e.Checkpoint)
}
func (e Rewound) String() string { return fmt.Sprintf("whole job rewound to %v", e.Checkpoint) }
func (e RegionFailed) String() string {
	at := "the job"
	if e.Slot >= 0 {
		at = fmt.Sprintf("slot %d at %s", e.Slot, e.At)
	}
	next := "not restarted"
	if e.Next != e.Attempt {
		next = fmt.Sprintf("attempt %d in %d ms", e.Next, e.Delay)
	}
	return fmt.Sprintf("region %d failed, attempt %d, %s: %s; %s", e.Region, e.Attempt, at, e.Cause, next)
}
func (e RegionRestored) String() string {
	return fmt.Sprintf("region %d restored, attempt %d from %v", e.Region, e.Attempt, e.Checkpoint)
}
func (e RegionRunning) String() string {
	return fmt.Sprintf("region %d running, attempt %d", e.Region, e.Attempt)
}
func (e TriggerCheckpoint) String() string { return fmt.Sprintf("trigger %v checkpoint", e.Kind) }
func (e SetTimer) String() string          { return fmt.Sprintf("set %v timer to %d", e.Timer, int64(e.At)) }
func (e JobStatus) String() string {
	if e.Reason == "" {
		return "status " + e.State.String()
	}
	return fmt.Sprintf("status %v: %s", e.State, e.Reason)
}
