package checkpoint

import (
	"fmt"

	"github.com/weirstream/weir/flow"
)

// Effect is something that the coordinator wants done: one of the types below. Effects are carried out in their order;
// those that have an answer get it as an Event later.
type Effect interface {
	effect()
	String() string
}

// SendTrigger asks to snapshot the enumerators (answer: EnumeratorsSaved, unless the plan has no sources), then to send
// barriers through the sources, and to repeat that to subtasks which do not answer. Answers: Ack or Decline of each
// subtask.
type SendTrigger struct {
	ID   flow.CheckpointID
	Kind flow.BarrierKind
}

// WriteManifest asks to create the manifest (the function CreateManifest). It must be answered, whatever happens, by
// ManifestWritten or ManifestFailed: until then it is not known which checkpoint is the last.
type WriteManifest struct{ Manifest *Manifest }

// NotifyComplete tells all subtasks that a checkpoint is complete, so that sinks commit. It may get lost: completing an id
// completes all before it.
type NotifyComplete struct {
	ID   flow.CheckpointID
	Kind flow.BarrierKind
}

// NotifyAborted tells all subtasks to forget a checkpoint. Sources that saw a Stop barrier stay silent all the same: Stop
// is tried again, or the job restarts.
type NotifyAborted struct {
	ID     flow.CheckpointID
	Kind   flow.BarrierKind
	Reason string
}

// Delete asks to remove all files of a checkpoint (the function Remove). Answer: FilesDeleted.
type Delete struct {
	ID  flow.CheckpointID
	Why string
}

// ScheduleTick asks for a Tick at the time At. It replaces the one before.
type ScheduleTick struct{ At flow.Time }

// Answer is the one reply to a Trigger: Err is empty when checkpoint ID is complete.
type Answer struct {
	Requester string
	ID        flow.CheckpointID
	Err       string
}

// FailJob asks to fail the job, as a failing region would: too many checkpoints failed in a row, a Stop did, or another
// JobManager has taken over. The coordinator is suspended from here on.
type FailJob struct{ Reason string }

// Settled says, while suspended or closed, that no manifest is in doubt any more: the job is to be restored from Restore
// (0: a fresh start).
type Settled struct{ Restore flow.CheckpointID }

// Report is the story of one checkpoint, for log, metrics and web.
type Report struct{ Stats Stats }

// Stats says how one checkpoint went.
type Stats struct {
	ID             flow.CheckpointID
	Kind           flow.BarrierKind
	Started, Ended flow.Time
	// Acked of Subtasks subtasks, with Bytes of state in all.
	Acked, Subtasks int
	Bytes           int64
	Completed       bool
	// Reason why it was aborted.
	Reason string
	// Failures in a row, this one included.
	Failures int
}

func (s Stats) String() string {
	how := "completed"
	if !s.Completed {
		how = "aborted (" + s.Reason + ")"
	}
	return fmt.Sprintf("%v %v %s after %d ms: %d of %d subtasks, %d bytes, failures in a row %d",
		s.ID, s.Kind, how, s.Ended-s.Started, s.Acked, s.Subtasks, s.Bytes, s.Failures)
}

func (SendTrigger) effect()    {}
func (WriteManifest) effect()  {}
func (NotifyComplete) effect() {}
func (NotifyAborted) effect()  {}
func (Delete) effect()         {}
func (ScheduleTick) effect()   {}
func (Answer) effect()         {}
func (FailJob) effect()        {}
func (Settled) effect()        {}
func (Report) effect()         {}

func (e SendTrigger) String() string { return fmt.Sprintf("send trigger %v %v", e.ID, e.Kind) }
func (e WriteManifest) String() string {
	return fmt.Sprintf("write manifest %v %v, %d vertices", e.Manifest.ID, e.Manifest.Kind, len(e.Manifest.Vertices))
}
func (e NotifyComplete) String() string { return fmt.Sprintf("notify complete %v %v", e.ID, e.Kind) }
func (e NotifyAborted) String() string {
	return fmt.Sprintf("notify aborted %v %v: %s", e.ID, e.Kind, e.Reason)
}
func (e Delete) String() string       { return fmt.Sprintf("delete %v: %s", e.ID, e.Why) }
func (e ScheduleTick) String() string { return fmt.Sprintf("schedule tick at %d", int64(e.At)) }
func (e Answer) String() string {
	if e.Err != "" {
		return fmt.Sprintf("answer %s: %s", e.Requester, e.Err)
	}
	return fmt.Sprintf("answer %s: %v", e.Requester, e.ID)
}
func (e FailJob) String() string { return "fail job: " + e.Reason }
func (e Settled) String() string {
	if e.Restore == 0 {
		return "settled, restore from nothing"
	}
	return fmt.Sprintf("settled, restore from %v", e.Restore)
}
func (e Report) String() string { return "report " + e.Stats.String() }
