package checkpoint

import "github.com/weirstream/weir/flow"

// Event is a fact that the coordinator is told: one of the types below. Nothing else reaches it.
type Event interface{ event() }

// Start says that all subtasks of the job run. It comes once, before all others.
type Start struct {
	Plan Plan
	// NextID is the first id to use. It must lie above every id that the store has ever seen of this job (NextID).
	NextID flow.CheckpointID
	// Restored is the checkpoint that the job was restored from; 0 for a fresh start.
	Restored flow.CheckpointID
	// Owned are the completed checkpoints in the store that the job may delete when it has newer ones: its own, but not
	// those that belong to the user. Those above Restored are of a past that was given up, and go first.
	Owned []Completed
}

// Tick says that the time of the last ScheduleTick has come. One too many does no harm.
type Tick struct{}

// Trigger asks for a checkpoint. Once is answered by one Answer; a repetition with the same Requester is ignored while the
// first waits. An empty Requester wants no answer.
//
// A request waits for the checkpoint that is under way (it is not aborted: it may be nearly done, and its work is then
// not lost), but for none of Interval and MinPause. One checkpoint serves all requests that wait; Stop and Final join one
// of these kinds that is under way already.
type Trigger struct {
	Kind      flow.BarrierKind
	Requester string
}

// Ack says that a subtask's part is durable in the store.
type Ack struct {
	ID      flow.CheckpointID
	Subtask flow.SubtaskID
	Attempt flow.Attempt
	Info    AckInfo
}

// AckInfo is a subtask's part of a checkpoint.
type AckInfo struct {
	// File is the name within the checkpoint's directory (StateFile); empty for a subtask that has nothing to keep.
	File string
	// Size in bytes and Sum, the CRC-32C, of the whole file.
	Size int64
	Sum  uint32
	// Records is the number of records the subtask had taken so far; for people.
	Records int64
	// Readers are the source readers of the subtask.
	Readers []ReaderAck
}

// ReaderAck says how far one source operator of a subtask has read.
type ReaderAck struct {
	UID string // of the source operator
	// Splits are being read, with their positions at the barrier.
	Splits []SplitState
	// Finished were read to their end before the barrier, and their records are in this checkpoint or an earlier one. A
	// split may be left out of it once the enumerator side does not list it as pending any more.
	Finished []SplitID
}

// Decline says that a subtask cannot take part.
type Decline struct {
	ID      flow.CheckpointID
	Subtask flow.SubtaskID
	Attempt flow.Attempt
	Reason  string
}

// EnumeratorsSaved answers SendTrigger for the enumerators of Plan.Sources: they were snapshotted before the barriers
// were sent. A split that may be with a reader or not yet, is listed as pending: what a reader acknowledges wins.
type EnumeratorsSaved struct {
	ID      flow.CheckpointID
	Sources []EnumeratorState
	Err     error
}

// EnumeratorState is what one source's enumerator keeps.
type EnumeratorState struct {
	UID     string
	State   []byte
	Pending []SplitState
}

// ManifestWritten says that the manifest was created: the checkpoint is complete (I2).
type ManifestWritten struct{ ID flow.CheckpointID }

// ManifestFailed says that it was not, or perhaps not. An Err that is ErrExists says that somebody else created one (I6);
// after any other error it is not known, and the checkpoint counts as neither until its files were deleted.
type ManifestFailed struct {
	ID  flow.CheckpointID
	Err error
}

// Abort gives up the pending checkpoint without blame; the job runs on.
type Abort struct{ Reason string }

// Suspend says that a region failed or that the job is being redeployed: the pending checkpoint is given up without
// blame, and none is started before Resume. A requested Stop is kept for then; other requests fail.
type Suspend struct{ Reason string }

// Resume says that all subtasks run again, as Plan says. It must not come before the coordinator is settled (Restore).
// A job whose Stop or Final checkpoint became complete while it was suspended has reached its end: close it instead.
type Resume struct{ Plan Plan }

// FilesDeleted answers Delete.
type FilesDeleted struct {
	ID  flow.CheckpointID
	Err error
}

// Close says that the job's run is over here. Nothing is started any more.
type Close struct{ How End }

// End is how a job's run came to its end.
type End uint8

const (
	// Cancelled by a person.
	Cancelled End = iota + 1
	// Finished after its last checkpoint, or with no input left.
	Finished
	// Failed for good.
	Failed
	// Moved to another JobManager: what is in the store is left alone.
	Moved
)

func (Start) event()            {}
func (Tick) event()             {}
func (Trigger) event()          {}
func (Ack) event()              {}
func (Decline) event()          {}
func (EnumeratorsSaved) event() {}
func (ManifestWritten) event()  {}
func (ManifestFailed) event()   {}
func (Abort) event()            {}
func (Suspend) event()          {}
func (Resume) event()           {}
func (FilesDeleted) event()     {}
func (Close) event()            {}
