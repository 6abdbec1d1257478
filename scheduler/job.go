package scheduler

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/weirstream/weir/flow"
)

const (
	// RepeatInterval is how long a request to a TaskManager may go unanswered before it is sent again, in milliseconds: a
	// few network round trips and a short stop.
	RepeatInterval flow.Time = 1000
	// CheckpointRetry is the pause before a final or stop checkpoint is asked for again, in milliseconds.
	CheckpointRetry flow.Time = 1000
	// DefaultSlotTimeout is slot.request.timeout in milliseconds: long enough for a machine to be started.
	DefaultSlotTimeout flow.Time = 5 * 60 * 1000
)

// Config is how a job wants to be run.
type Config struct {
	// Restart says what happens after a failure: restart-strategy.*.
	Restart RestartConfig
	// Rand gives numbers in [0,1) for the jitter of restarts.
	Rand func() float64
	// SlotTimeout is how long the job waits for slots before it fails: slot.request.timeout, in milliseconds. 0 is
	// DefaultSlotTimeout.
	SlotTimeout flow.Time
	// TolerableCheckpointFailures is how many checkpoints may fail in a row before the job restarts:
	// execution.checkpointing.tolerable-failed-checkpoints.
	TolerableCheckpointFailures int
}

// Job is the state machine of one job. It is not safe for concurrent use.
type Job struct {
	id      flow.JobID
	cfg     Config
	restart RestartStrategy

	state    State
	reason   string       // why a region restarts, or why the job has failed
	attempt  flow.Attempt // the highest given out (I2)
	regions  []*region
	slots    []*slot
	shares   []*share
	slotOf   map[flow.SubtaskID]*slot
	retained []flow.CheckpointID
	// last is the kind of the newest checkpoint when it was the job's last; Periodic before.
	last flow.BarrierKind
	// rewind says that the next deployment takes all regions and makes the enumerators anew.
	rewind bool
	// asked says that the Final or Stop checkpoint was asked for; askAt is when it may be asked for (again).
	asked             bool
	askAt             flow.Time
	failedCheckpoints int // in a row
	wanted            []Want
	lacking           SlotsLacking
	slotsBy           flow.Time // when the wait for wanted ends
	alarms            [timers]flow.Time
	reported          JobStatus
	now               flow.Time
	out               []Effect
}

// share is one place and the slots in it.
type share struct {
	Share
	slots []*slot
	place Place  // TaskManager is "" when there is none
	had   string // the address of the place before: a new TaskManager there has its files
}

// slot is one slot actor as the master knows it.
type slot struct {
	Slot
	share       *share
	region      *region
	state       slotState
	incarnation int64 // the newest that has pulled
}

// region is a set of slots that are stopped and deployed together.
type region struct {
	id         RegionID
	slots      []*slot
	subtasks   []flow.SubtaskID
	state      regionState
	attempt    flow.Attempt // deployed, or to be deployed next
	settled    flow.Attempt // I4: for which no older checkpoint is open
	checkpoint flow.CheckpointID
	last       bool // Deployment.Last
	notBefore  flow.Time
	failures   int
	drained    map[flow.SubtaskID]bool
	closed     map[flow.SubtaskID]bool
}

// NewJob makes a job that waits for Submitted or Recovered.
func NewJob(id flow.JobID, p *Plan, cfg Config) (*Job, error) {
	strategy, err := cfg.Restart.Strategy(cfg.Rand)
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", id, err)
	}
	if cfg.SlotTimeout < 0 || cfg.TolerableCheckpointFailures < 0 {
		return nil, fmt.Errorf("job %s: slot.request.timeout and execution.checkpointing.tolerable-failed-checkpoints must not be negative", id)
	}
	if cfg.SlotTimeout == 0 {
		cfg.SlotTimeout = DefaultSlotTimeout
	}
	j := &Job{id: id, cfg: cfg, restart: strategy, slotOf: map[flow.SubtaskID]*slot{}}
	for i := range p.Regions {
		j.regions = append(j.regions, &region{id: RegionID(i), drained: map[flow.SubtaskID]bool{}, closed: map[flow.SubtaskID]bool{}})
	}
	for _, sh := range p.Shares() {
		j.shares = append(j.shares, &share{Share: sh})
	}
	for _, ps := range p.Slots {
		s := &slot{Slot: ps, region: j.regions[ps.Region]}
		s.share = j.share(ps.Share)
		s.share.slots = append(s.share.slots, s)
		s.region.slots = append(s.region.slots, s)
		s.region.subtasks = append(s.region.subtasks, ps.Subtasks...)
		for _, t := range ps.Subtasks {
			j.slotOf[t] = s
		}
		j.slots = append(j.slots, s)
	}
	return j, nil
}

// State is where the job stands.
func (j *Job) State() State { return j.state }

// Attempt is the highest attempt given out: what a successor must pass in Recovered.AttemptFloor.
func (j *Job) Attempt() flow.Attempt { return j.attempt }

// Handle takes one event at the processing time now and returns what is to be done, in order.
func (j *Job) Handle(now flow.Time, ev Event) []Effect {
	j.now, j.out = now, nil
	switch ev := ev.(type) {
	case Submitted:
		j.onSubmitted(ev)
	case Recovered:
		j.onRecovered(ev)
	case SlotsGranted:
		j.onSlotsGranted(ev)
	case SlotsLacking:
		j.lacking = ev
	case TaskManagerLost:
		j.onTaskManagerLost(ev)
	case PullDeployment:
		j.onPullDeployment(ev)
	case SlotReady:
		j.onSlotReady(ev)
	case SlotFailed:
		j.onSlotFailed(ev)
	case RestoreFailed:
		j.onRestoreFailed(ev)
	case SlotStopped:
		j.onSlotStopped(ev)
	case SubtaskDrained:
		j.onSubtaskDrained(ev)
	case SubtaskClosed:
		j.onSubtaskClosed(ev)
	case CheckpointCompleted:
		j.onCheckpointCompleted(ev)
	case CheckpointFailed:
		j.onCheckpointFailed(ev)
	case CheckpointsSettled:
		j.onCheckpointsSettled(ev)
	case MasterFailed:
		j.onMasterFailed(ev)
	case StopRequested:
		j.onStopRequested()
	case CancelRequested:
		j.onCancelRequested()
	case TimerFired:
		j.onTimerFired(ev)
	default:
		panic(fmt.Sprintf("scheduler: job %s: unknown event %T", j.id, ev))
	}
	j.advance()
	return j.out
}

func (j *Job) do(e Effect) { j.out = append(j.out, e) }

// mustBe panics when the owner of the job has called it out of turn. Messages from elsewhere may come in any state: their
// handlers pass over what does not fit.
func (j *Job) mustBe(s State, ev Event) {
	if j.state != s {
		panic(fmt.Sprintf("scheduler: job %s: %v in state %v, expected in %v", j.id, ev, j.state, s))
	}
}

func (j *Job) onSubmitted(ev Submitted) {
	j.mustBe(Created, ev)
	j.retained = slices.Clone(ev.Retained)
	j.start()
}

func (j *Job) onRecovered(ev Recovered) {
	j.mustBe(Created, ev)
	j.retained, j.attempt = slices.Clone(ev.Retained), ev.AttemptFloor
	j.start()
	if j.last = ev.Last; j.last != flow.Periodic {
		j.state = Committing
	}
	for _, r := range j.regions {
		r.failures, r.notBefore = 1, j.now.Add(ev.Fence) // it has run before: this is a restart
	}
	ran := map[RegionID]int{}
	held := slices.Clone(ev.Held)
	// Of two actors of one slot the one that runs an attempt is kept: the other can be let go without waiting (I1).
	slices.SortStableFunc(held, func(a, b HeldSlot) int { return cmp.Compare(b.Attempt, a.Attempt) })
	for _, h := range held {
		if s := j.hold(h); s != nil && h.Attempt != 0 {
			if ran[s.Region]++; ran[s.Region] == len(s.region.slots) {
				s.region.notBefore = j.now
			}
		}
	}
	for _, sh := range j.shares {
		j.startSlots(sh)
	}
}

// start gives every region its first attempt under this master.
func (j *Job) start() {
	j.state, j.rewind = WaitingForSlots, true
	for _, r := range j.regions {
		j.attempt++
		r.state, r.attempt, r.settled = regionRestoring, j.attempt, j.attempt
	}
}

// hold takes over a slot actor of the master before; nil if it cannot be used.
func (j *Job) hold(h HeldSlot) *slot {
	s := j.slot(h.Slot)
	if s == nil || s.state != slotAbsent || (s.share.place != Place{} && s.share.place != h.Place) {
		j.do(ReleaseSlot{h.Slot, h.Place})
		return nil
	}
	s.share.place, s.share.had = h.Place, h.Place.Address
	s.state, s.incarnation = slotStopping, h.Incarnation
	j.do(RestartSlot{s.ID, h.Place, h.Incarnation})
	return s
}

func (j *Job) onSlotsGranted(ev SlotsGranted) {
	var surplus []Place
	for _, g := range ev.Grants {
		sh := j.share(g.Share)
		if sh == nil || sh.place != (Place{}) || !j.needs(sh) {
			surplus = append(surplus, g.Place)
			continue
		}
		sh.place, sh.had = g.Place, g.Place.Address
		j.startSlots(sh)
	}
	j.wanted = nil // advance asks again for what is still missing
	if len(surplus) > 0 {
		j.do(FreeSlots{surplus})
	}
}

// startSlots spawns the slot actors of a share that has a place.
func (j *Job) startSlots(sh *share) {
	if sh.place == (Place{}) {
		return
	}
	for _, s := range sh.slots {
		if s.state == slotAbsent && s.region.state != regionClosed {
			s.state, s.incarnation = slotStarting, 0
			j.do(StartSlot{s.ID, sh.place})
		}
	}
}

func (j *Job) onTaskManagerLost(ev TaskManagerLost) {
	var failed []*region
	var first *slot
	for _, sh := range j.shares {
		if sh.place.TaskManager != ev.TaskManager {
			continue
		}
		sh.place = Place{}
		for _, s := range sh.slots {
			if s.state.deployed() && !slices.Contains(failed, s.region) {
				failed = append(failed, s.region)
				if first == nil {
					first = s
				}
			}
			s.state = slotAbsent
		}
	}
	if len(failed) > 0 && j.state.live() {
		slices.SortFunc(failed, func(a, b *region) int { return int(a.id - b.id) })
		j.fail(failed, failure{slot: first.ID, at: ev.TaskManager, cause: fmt.Sprintf("TaskManager %s is lost: %s", ev.TaskManager, ev.Cause)})
	}
}

func (j *Job) onPullDeployment(ev PullDeployment) {
	s := j.slot(ev.Slot)
	if s == nil || s.share.place != ev.Place || s.state == slotAbsent || s.state == slotReleasing {
		j.do(ReleaseSlot{ev.Slot, ev.Place})
		return
	}
	if ev.Incarnation < s.incarnation {
		return // overtaken by a newer one
	}
	fresh := ev.Incarnation > s.incarnation
	switch {
	case s.state == slotStopping && !fresh:
		return // asked before it was told to restart: a newer incarnation will
	case s.state == slotDeployed && !fresh:
		j.do(s.deploy())
		return
	case s.state.deployed() && !fresh:
		return // the answer has come meanwhile
	case s.state.deployed():
		cause := ev.Cause
		if cause == "" {
			cause = "the slot restarted without a report"
		}
		s.state, s.incarnation = slotWaiting, ev.Incarnation
		j.fail([]*region{s.region}, failure{slot: s.ID, at: ev.Place.TaskManager, cause: cause})
		return
	}
	s.state, s.incarnation = slotWaiting, ev.Incarnation
}

func (j *Job) onSlotReady(ev SlotReady) {
	s := j.slot(ev.Slot)
	if s == nil || s.region.attempt != ev.Attempt {
		return
	}
	switch s.state {
	case slotDeployed:
		s.state = slotReady
		j.tryGo(s.region)
	case slotRunning:
		j.do(Go{s.ID, s.share.place, ev.Attempt}) // the first was lost
	}
}

func (j *Job) onSlotFailed(ev SlotFailed) {
	s := j.slot(ev.Slot)
	if s == nil || s.region.attempt != ev.Attempt || !s.state.deployed() {
		return
	}
	s.state = slotStopping
	j.fail([]*region{s.region}, failure{slot: s.ID, at: s.share.place.TaskManager, cause: ev.Cause})
}

// onRestoreFailed takes the whole job back to the checkpoint before the damaged one (I4). The restart strategy is not
// asked: there are only so many checkpoints.
func (j *Job) onRestoreFailed(ev RestoreFailed) {
	s := j.slot(ev.Slot)
	if s == nil || s.region.attempt != ev.Attempt || !s.state.deployed() {
		return
	}
	s.state = slotStopping
	cause := fmt.Sprintf("%v is damaged: %s", ev.Checkpoint, ev.Cause)
	j.retained = slices.DeleteFunc(j.retained, func(c flow.CheckpointID) bool { return c >= ev.Checkpoint })
	switch {
	case j.last != flow.Periodic:
		j.giveUp(cause + "; it was the last one and parts of the job may have committed it already: restore the file, then start the job from it")
	case len(j.retained) == 0:
		j.giveUp(cause + "; there is no older checkpoint: restore the file or start from a savepoint")
	default:
		j.rewind = true
		f := failure{slot: s.ID, at: s.share.place.TaskManager, cause: fmt.Sprintf("%s; going back to %v", cause, j.newest())}
		j.restartRegions(j.regions, f, 0)
	}
}

func (j *Job) onSlotStopped(ev SlotStopped) {
	s := j.slot(ev.Slot)
	if s != nil && s.state == slotReleasing && s.share.place == ev.Place {
		s.state = slotAbsent
	}
}

func (j *Job) onSubtaskDrained(ev SubtaskDrained) {
	if r := j.running(ev.Subtask, ev.Attempt); r != nil {
		r.drained[ev.Subtask] = true
	}
}

func (j *Job) onSubtaskClosed(ev SubtaskClosed) {
	if r := j.running(ev.Subtask, ev.Attempt); r != nil && j.state == Committing {
		r.closed[ev.Subtask] = true
	}
}

func (j *Job) onCheckpointCompleted(ev CheckpointCompleted) {
	if !j.state.live() {
		return
	}
	j.retained, j.failedCheckpoints = slices.Clone(ev.Retained), 0
	if ev.Kind != flow.Periodic && j.state != Committing {
		j.last, j.state, j.asked = ev.Kind, Committing, false
		for _, s := range j.slots {
			j.closeSlot(s)
		}
	}
}

func (j *Job) onCheckpointFailed(ev CheckpointFailed) {
	if !j.state.live() || j.state == Committing {
		return
	}
	if ev.Kind != flow.Periodic {
		if !j.asked {
			return // given up since
		}
		j.asked, j.askAt = false, j.now.Add(CheckpointRetry)
	}
	j.failedCheckpoints++
	if j.failedCheckpoints <= j.cfg.TolerableCheckpointFailures {
		return
	}
	cause := fmt.Sprintf("%v (%v) failed: %s; %d failed in a row, and execution.checkpointing.tolerable-failed-checkpoints is %d",
		ev.ID, ev.Kind, ev.Cause, j.failedCheckpoints, j.cfg.TolerableCheckpointFailures)
	j.failedCheckpoints = 0
	if j.state == Stopping {
		// The sources have ended at the barrier: going on takes a restart, and whoever asked may ask again.
		j.state, cause = Restarting, "not stopped: "+cause
	}
	j.failAll(cause)
}

func (j *Job) onCheckpointsSettled(ev CheckpointsSettled) {
	for _, r := range j.regions {
		if r.attempt <= ev.Attempt {
			r.settled = r.attempt
		}
	}
}

func (j *Job) onMasterFailed(ev MasterFailed) {
	if !j.state.live() || j.state == Committing {
		return // in Committing all splits are read
	}
	j.rewind = true
	j.failAll(ev.Cause)
}

func (j *Job) onStopRequested() {
	if !j.state.live() || j.state == Stopping || j.state == Draining || j.state == Committing {
		return // over already, or about to end anyway
	}
	j.state, j.asked, j.askAt = Stopping, false, j.now
}

func (j *Job) onCancelRequested() {
	if j.state >= Cancelling {
		return
	}
	j.state = Cancelling
	j.releaseAll()
}

func (j *Job) onTimerFired(ev TimerFired) {
	if ev.Timer >= timers {
		return
	}
	j.alarms[ev.Timer] = 0
	if ev.Timer == RepeatTimer {
		j.repeat()
	}
}

func (j *Job) slot(id SlotID) *slot {
	if id < 0 || int(id) >= len(j.slots) {
		return nil
	}
	return j.slots[id]
}

func (j *Job) share(s Share) *share {
	for _, sh := range j.shares {
		if sh.Share == s {
			return sh
		}
	}
	return nil
}

// running is the region of a subtask if attempt is live there.
func (j *Job) running(t flow.SubtaskID, attempt flow.Attempt) *region {
	s := j.slotOf[t]
	if s == nil || s.region.attempt != attempt || s.region.state != regionRunning {
		return nil
	}
	return s.region
}

// newest is the checkpoint to restore; 0 for none.
func (j *Job) newest() flow.CheckpointID {
	if len(j.retained) == 0 {
		return 0
	}
	return j.retained[len(j.retained)-1]
}
