package scheduler

import "fmt"

// State is where a job is in its life.
type State uint8

const (
	// Created has not been submitted.
	Created State = iota
	// WaitingForSlots lacks places for some of its subtasks.
	WaitingForSlots
	// Deploying has all places and waits until all subtasks of all regions are restored, for the first time.
	Deploying
	// Running runs in all regions.
	Running
	// Restarting has at least one region that failed and does not run again yet. Other regions go on.
	Restarting
	// Draining has come to the end of all input and waits for its final checkpoint.
	Draining
	// Stopping was told to stop and waits for its stop checkpoint.
	Stopping
	// Committing has its last checkpoint; its subtasks commit and close, and their slots are released.
	Committing
	// Cancelling was cancelled and waits until all slots are stopped.
	Cancelling
	// Failing was given up and waits until all slots are stopped.
	Failing
	// Finished read all its input and committed all its output.
	Finished
	// Stopped can be started again from its last checkpoint.
	Stopped
	// Cancelled was ended by a user.
	Cancelled
	// Failed was ended by a failure that its restart strategy did not allow to retry.
	Failed
)

var stateNames = [...]string{"CREATED", "WAITING_FOR_SLOTS", "DEPLOYING", "RUNNING", "RESTARTING", "DRAINING", "STOPPING",
	"COMMITTING", "CANCELLING", "FAILING", "FINISHED", "STOPPED", "CANCELLED", "FAILED"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Terminal reports whether nothing will happen to the job any more.
func (s State) Terminal() bool { return s >= Finished }

// live reports whether subtasks are to run.
func (s State) live() bool { return s > Created && s < Cancelling }

// slotState is where a slot actor is in its life, as far as the master knows.
type slotState uint8

const (
	slotAbsent    slotState = iota // no actor exists
	slotStarting                   // StartSlot was sent and nothing was heard
	slotStopping                   // an incarnation is to end, or has failed: a newer one will pull
	slotWaiting                    // the incarnation has pulled and got no answer yet
	slotDeployed                   // the incarnation was given a deployment
	slotReady                      // its subtasks are restored
	slotRunning                    // it was told to go
	slotReleasing                  // ReleaseSlot was sent and not answered
)

var slotStateNames = [...]string{"absent", "starting", "stopping", "waiting", "deployed", "ready", "running", "releasing"}

func (s slotState) String() string { return slotStateNames[s] }

// deployed reports whether an attempt may be live in the slot.
func (s slotState) deployed() bool { return s >= slotDeployed && s <= slotRunning }

// regionState is where a region is in its life.
type regionState uint8

const (
	regionIdle      regionState = iota // before the job was submitted, or after it was ended
	regionRestoring                    // the old attempt is being stopped, slots are awaited
	regionDeploying                    // the attempt was deployed and is restoring its state
	regionRunning
	regionClosed // all subtasks are closed after the last checkpoint
)

var regionStateNames = [...]string{"idle", "restoring", "deploying", "running", "closed"}

func (s regionState) String() string { return regionStateNames[s] }
