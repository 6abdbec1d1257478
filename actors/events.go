package actors

import (
	"fmt"

	"github.com/weirstream/weir/flow"
)

// EventKind says what an Event is about.
type EventKind uint8

const (
	// JobChanged: the state of a job has changed.
	JobChanged EventKind = iota
	// RegionFailed: a region has failed and will be restored, or the job fails.
	RegionFailed
	// RegionRunning: all subtasks of a region run.
	RegionRunning
	// CheckpointEnded: a checkpoint was completed or has failed.
	CheckpointEnded
	// CheckpointDamaged: a checkpoint could not be read.
	CheckpointDamaged
)

// Event is something that people want to know of: log, live view and tests read these.
type Event struct {
	Kind   EventKind
	Time   flow.Time
	Job    flow.JobID
	Region int
	Text   string
	// Stack is that of a panic.
	Stack string
}

func (e Event) String() string { return fmt.Sprintf("%s: %s", e.Job, e.Text) }
