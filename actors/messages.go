package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/scheduler"
)

// The messages between actors. All that pass between a JobManager and its TaskManagers are plain data: names, numbers and
// bytes. docs/ACTORS.md has the table of who sends what to whom. Those that belong to an attempt carry it, and later
// attempts ignore them. Requests and reports are repeated by the asker until they are answered or stale.

// TaskManager → JobManager.
type (
	// registerTaskManager says that a TaskManager has slots to give. It is its heartbeat as well, repeated every
	// heartbeatInterval. Slots that it has already are listed, so that a new JobManager can take them over.
	registerTaskManager struct {
		TaskManager scheduler.TaskManager
		PID         *actor.PID
		Held        []heldSlot
	}
	// taskManagerStopped says that all slots of a TaskManager are stopped for good.
	taskManagerStopped struct{ ID scheduler.TaskManagerID }
)

type heldSlot struct {
	Job flow.JobID
	scheduler.HeldSlot
}

// JobManager → TaskManager.
type (
	// registered is the heartbeat's answer.
	registered struct{}
	// reportSlots asks for a registration at once.
	reportSlots struct{}
	// unknownTaskManager says that the JobManager gave the TaskManager up: it must stop its slots and start anew.
	unknownTaskManager struct{ ID scheduler.TaskManagerID }
)

// Job → TaskManager.
type (
	startSlot struct {
		Job    flow.JobID
		JobPID *actor.PID
		Slot   scheduler.SlotID
		Place  scheduler.Place
	}
	releaseSlot struct {
		Job    flow.JobID
		JobPID *actor.PID
		Slot   scheduler.SlotID
		Place  scheduler.Place
	}
	restartSlot struct {
		Job         flow.JobID
		JobPID      *actor.PID
		Slot        scheduler.SlotID
		Place       scheduler.Place
		Incarnation int64
	}
)

// Slot or TaskManager → job.
type (
	pullDeployment struct{ scheduler.PullDeployment }
	slotReady      struct{ scheduler.SlotReady }
	slotFailed     struct {
		Slot    scheduler.SlotID
		Attempt flow.Attempt
		Cause   *Failure
		Subtask string // the actor that failed first
	}
	slotStopped struct{ scheduler.SlotStopped }
)

// Job → slot.
type (
	deploy struct {
		Incarnation int64
		Run         string
		Dir         string // of the job in the checkpoint store
		scheduler.Deployment
		// SlotPIDs are those of the region's slots, in the order of Peers.
		SlotPIDs []*actor.PID
		// Files has the names of the snapshots to read in the store, by vertex.
		Files map[flow.VertexID][]string
	}
	// start says that all slots of the region are ready.
	start struct{ Attempt flow.Attempt }
	// triggerCheckpoint goes to source subtasks.
	triggerCheckpoint struct {
		Attempt flow.Attempt
		Barrier flow.Barrier
	}
	// closeSlot says that the job's last checkpoint is complete. Repeated until the subtasks are closed.
	closeSlot struct {
		Attempt    flow.Attempt
		Checkpoint flow.CheckpointID
	}
	checkpointCompleted struct {
		Attempt flow.Attempt
		ID      flow.CheckpointID
	}
	checkpointAborted struct {
		Attempt flow.Attempt
		ID      flow.CheckpointID
	}
	// assignSplits answers requestSplits, or deals splits out unasked (Request 0).
	assignSplits struct {
		Attempt flow.Attempt
		Subtask flow.SubtaskID
		Request int64
		Splits  []connectors.Split
		NoMore  bool
	}
)

// Subtask → slot: it is restored and takes frames.
type subtaskReady struct{ Subtask flow.SubtaskID }

// Subtask → job.
type (
	acknowledge    struct{ checkpoint.Ack }
	decline        struct{ checkpoint.Decline }
	subtaskDrained struct{ scheduler.SubtaskDrained }
	subtaskClosed  struct{ scheduler.SubtaskClosed }
	requestSplits  struct {
		Subtask flow.SubtaskID
		UID     string
		Attempt flow.Attempt
		Request int64
	}
)

// Job → JobManager, and back.
type (
	requestSlots struct {
		Job   flow.JobID
		Wants []scheduler.Want
	}
	freeSlots struct {
		Job    flow.JobID
		Places []scheduler.Place
	}
	// slotEvent is a scheduler event that the JobManager has for a job.
	slotEvent struct{ Event scheduler.Event }
	jobEnded  struct{ Job flow.JobID }
)

// Whoever runs jobs → JobManager.
type (
	submitJob struct{ Job flow.JobID }
	// StopJob asks to end a job with a checkpoint to go on from; CancelJob asks to end it at once.
	StopJob   struct{ Job flow.JobID }
	CancelJob struct{ Job flow.JobID }
)

// What a subtask's mailbox and helper goroutines tell the subtask itself.
type (
	resume struct{}               // go on with what is pending
	poll   struct{}               // let the source emit
	quiet  struct{}               // nothing to do: flush
	wake   struct{}               // the source's reader has something
	alarm  struct{ at flow.Time } // processing time has come
	async  struct{ done func() }  // work on another goroutine is done
)

// Inject makes an actor fail on its own goroutine, as a fault of its own would: for chaos tests and `actors kill`.
type Inject struct{ Reason string }
