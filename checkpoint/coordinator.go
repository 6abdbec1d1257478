package checkpoint

import (
	"fmt"
	"slices"

	"github.com/weirstream/weir/flow"
)

// State is what a coordinator is doing.
type State uint8

const (
	// Created waits for Start.
	Created State = iota
	// Running takes checkpoints.
	Running
	// Suspended waits for Resume: the job is being restarted.
	Suspended
	// Stopping has completed a Stop or Final checkpoint and takes no more, unless the job restarts.
	Stopping
	// Closed is over.
	Closed
)

func (s State) String() string {
	return [...]string{"created", "running", "suspended", "stopping", "closed"}[s]
}

// Counters count what has happened so far.
type Counters struct {
	// Completed, Aborted (without blame) and Failed checkpoints.
	Completed, Aborted, Failed int64
	// Ignored acknowledgements and declines: of a checkpoint that is not pending any more, of one never triggered, of
	// another attempt, of a subtask that does not exist, or repeated.
	Late, Unknown, OldAttempt, UnknownSubtask, Duplicate int64
	// Stray are answers to effects that nobody waits for, and repeated requests.
	Stray int64
}

// Coordinator decides when checkpoints of one job start, complete, fail and are deleted. It is a pure state machine:
// facts go into Handle, effects come out. It is not safe for concurrent use.
type Coordinator struct {
	cfg   Config
	job   Job
	state State
	end   End // once Closed
	plan  *Plan

	now        flow.Time
	nextID     flow.CheckpointID
	nextAt     flow.Time // start of the next periodic checkpoint, but for the pause
	pauseUntil flow.Time
	tickAt     flow.Time // of the last ScheduleTick; flow.MaxTime for none
	pending    *pending
	requests   []request
	failures   int // in a row

	restore   flow.CheckpointID   // last one completed on the way to here
	retained  []Completed         // ascending
	abandoned []flow.CheckpointID // completed on a way that was given up; deleted with the next completion
	deleting  []deletion
	counters  Counters

	fx []Effect
}

// deletion is a Delete that was not confirmed.
type deletion struct {
	id      flow.CheckpointID
	why     string
	retryAt flow.Time
	// doubtful: there may be a manifest in it, so that it is not known which checkpoint is the last (I3).
	doubtful bool
}

// New makes a coordinator for one run of a job under one leadership term.
func New(cfg Config, job Job) (*Coordinator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if _, err := JobDir(job.Name); err != nil {
		return nil, err
	}
	return &Coordinator{cfg: cfg, job: job, tickAt: flow.MaxTime, nextAt: flow.MaxTime, pauseUntil: flow.MinTime}, nil
}

// Handle takes one fact and returns what is to be done, in order. The slice belongs to the caller.
func (c *Coordinator) Handle(now flow.Time, ev Event) []Effect {
	c.fx = nil
	c.observe(now)
	_, before := c.Restore()
	switch e := ev.(type) {
	case Start:
		c.onStart(e)
	case Tick:
		c.tickAt = flow.MaxTime
	case Trigger:
		c.onTrigger(e)
	case Ack:
		c.onAck(e)
	case Decline:
		c.onDecline(e)
	case EnumeratorsSaved:
		c.onEnumerators(e)
	case ManifestWritten:
		c.onWritten(e)
	case ManifestFailed:
		c.onManifestFailed(e)
	case Abort:
		c.abort(e.Reason)
	case Suspend:
		c.suspend(e.Reason)
	case Resume:
		c.onResume(e)
	case FilesDeleted:
		c.onDeleted(e)
	case Close:
		c.onClose(e)
	default:
		panic(fmt.Sprintf("checkpoint: no such event: %T", ev))
	}
	c.advance()
	if id, after := c.Restore(); after && !before && (c.state == Suspended || c.state == Closed && c.end != Moved) {
		c.do(Settled{Restore: id})
	}
	fx := c.fx
	c.fx = nil
	return fx
}

// State says what the coordinator is doing.
func (c *Coordinator) State() State { return c.state }

// Counters returns a copy.
func (c *Coordinator) Counters() Counters { return c.counters }

// Retained lists the completed checkpoints that are kept, oldest first.
func (c *Coordinator) Retained() []Completed { return slices.Clone(c.retained) }

// Restore is the checkpoint to restore the job from; 0 for none. It is settled when no newer one is in doubt: until then
// the job must not be redeployed (wait for the effect Settled).
func (c *Coordinator) Restore() (id flow.CheckpointID, settled bool) {
	if c.pending != nil && c.pending.phase == writing {
		return c.restore, false
	}
	if c.state == Closed {
		return c.restore, true
	}
	return c.restore, c.doubts() == 0
}

// doubts counts the manifests newer than the last completed one of which it is not known whether they exist.
func (c *Coordinator) doubts() (n int) {
	for _, d := range c.deleting {
		if d.doubtful && d.id > c.restore {
			n++
		}
	}
	return n
}

// Pending describes the checkpoint under way and lists the subtasks that have not acknowledged; ok is false for none.
func (c *Coordinator) Pending() (b flow.Barrier, missing []flow.SubtaskID, ok bool) {
	if c.pending == nil {
		return flow.Barrier{}, nil, false
	}
	return flow.Barrier{Checkpoint: c.pending.id, Kind: c.pending.kind}, c.pending.missed(-1), true
}

func (c *Coordinator) do(fx Effect) { c.fx = append(c.fx, fx) }

func (c *Coordinator) mustBe(event string, states ...State) {
	if !slices.Contains(states, c.state) {
		panic(fmt.Sprintf("checkpoint: %s while %v, allowed while %v", event, c.state, states))
	}
}

func mustPlan(p *Plan) {
	if err := p.Validate(); err != nil {
		panic("checkpoint: " + err.Error())
	}
}

// observe moves time. When the clock was set back, all that was planned moves with it: periods keep their length.
func (c *Coordinator) observe(now flow.Time) {
	if now < c.now && c.state != Created {
		back := now - c.now
		shift := func(t *flow.Time) {
			if *t != flow.MaxTime && *t != flow.MinTime {
				*t = t.Add(back)
			}
		}
		shift(&c.nextAt)
		shift(&c.pauseUntil)
		if c.pending != nil {
			shift(&c.pending.started)
		}
		for i := range c.requests {
			shift(&c.requests[i].notBefore)
		}
		for i := range c.deleting {
			shift(&c.deleting[i].retryAt)
		}
		c.tickAt = flow.MaxTime
	}
	c.now = now
}

// advance does what time has brought, and asks to be woken for what comes next.
func (c *Coordinator) advance() {
	if p := c.pending; p != nil && p.phase == collecting && c.now >= p.started.Add(c.cfg.Timeout) {
		c.fail(fmt.Sprintf("expired after %d ms, waiting for %s", c.cfg.Timeout, p.waitingFor()))
	}
	ready := c.state == Running && c.doubts() < MaxDoubts
	if ready && c.pending == nil {
		c.startNext()
	}
	wake := flow.MaxTime
	switch {
	case c.state == Closed:
		return
	case c.pending != nil && c.pending.phase == collecting:
		wake = c.pending.started.Add(c.cfg.Timeout)
	case c.pending == nil && ready:
		wake = max(c.nextAt, c.pauseUntil)
		for _, r := range c.requests {
			wake = min(wake, r.notBefore)
		}
	}
	for i := range c.deleting {
		d := &c.deleting[i]
		if d.retryAt <= c.now {
			d.retryAt = flow.MaxTime
			c.do(Delete{ID: d.id, Why: d.why})
		}
		wake = min(wake, d.retryAt)
	}
	if wake != c.tickAt && wake != flow.MaxTime {
		c.tickAt = wake
		c.do(ScheduleTick{At: wake})
	}
}

// startNext starts the strongest request that may start, else a periodic checkpoint if its time has come.
func (c *Coordinator) startNext() {
	kind, due := flow.Periodic, c.now >= max(c.nextAt, c.pauseUntil)
	for _, r := range c.requests {
		if r.notBefore <= c.now {
			kind, due = max(kind, r.kind), true
		}
	}
	if !due {
		return
	}
	var served, rest []request
	for _, r := range c.requests {
		if r.kind <= kind {
			served = append(served, r)
		} else {
			rest = append(rest, r)
		}
	}
	c.requests = rest
	c.pending = newPending(c.nextID, kind, c.now, c.plan, served)
	c.nextID++
	c.planNext()
	c.do(SendTrigger{ID: c.pending.id, Kind: kind})
}

// planNext measures the interval from now.
func (c *Coordinator) planNext() {
	c.nextAt = flow.MaxTime
	if c.cfg.Interval > 0 {
		c.nextAt = c.now.Add(c.cfg.Interval)
	}
}

func (c *Coordinator) onStart(e Start) {
	c.mustBe("Start", Created)
	mustPlan(&e.Plan)
	c.state, c.plan, c.restore, c.nextID = Running, &e.Plan, e.Restored, max(e.NextID, e.Restored+1, 1)
	for _, d := range e.Owned {
		c.nextID = max(c.nextID, d.ID+1)
		if d.ID > e.Restored {
			c.abandoned = append(c.abandoned, d.ID)
		} else {
			c.retained = append(c.retained, d)
		}
	}
	slices.Sort(c.abandoned)
	slices.SortFunc(c.retained, func(a, b Completed) int { return int(a.ID - b.ID) })
	c.trim()
	c.planNext()
}

func (c *Coordinator) onResume(e Resume) {
	if c.state == Closed {
		return
	}
	c.mustBe("Resume", Suspended)
	mustPlan(&e.Plan)
	if _, settled := c.Restore(); !settled {
		panic("checkpoint: Resume while a manifest is in doubt: wait for Settled")
	}
	c.state, c.plan = Running, &e.Plan
	c.planNext()
}

func (c *Coordinator) onAck(e Ack) {
	p := c.current(e.ID)
	if p == nil {
		return
	}
	v, err := p.ack(e)
	switch {
	case err != nil:
		c.fail(err.Error())
	case c.count(v):
		c.finish()
	}
}

func (c *Coordinator) onDecline(e Decline) {
	p := c.current(e.ID)
	if p == nil {
		return
	}
	if _, v := p.known(e.Subtask, e.Attempt); c.count(v) {
		c.fail(fmt.Sprintf("declined by subtask %v: %s", e.Subtask, e.Reason))
	}
}

func (c *Coordinator) onEnumerators(e EnumeratorsSaved) {
	p := c.current(e.ID)
	switch {
	case p == nil:
	case p.saved:
		c.counters.Stray++
	case e.Err != nil:
		c.fail("enumerator: " + e.Err.Error())
	default:
		if err := p.enumerated(e.Sources); err != nil {
			c.fail(err.Error())
			return
		}
		c.finish()
	}
}

// current returns the pending checkpoint if it is id and still collects, and counts if not.
func (c *Coordinator) current(id flow.CheckpointID) *pending {
	switch {
	case id < 1 || id >= c.nextID:
		c.counters.Unknown++
	case c.pending == nil || c.pending.id != id || c.pending.phase != collecting:
		c.counters.Late++
	default:
		return c.pending
	}
	return nil
}

// count counts what is ignored; true means that it is not.
func (c *Coordinator) count(v verdict) bool {
	switch v {
	case ackTaken:
		return true
	case ackDuplicate:
		c.counters.Duplicate++
	case ackOldAttempt:
		c.counters.OldAttempt++
	case ackUnknownSubtask:
		c.counters.UnknownSubtask++
	}
	return false
}

// finish goes on to the manifest once all parts are there.
func (c *Coordinator) finish() {
	p := c.pending
	if !p.full() {
		return
	}
	m, err := p.manifest(c.job, c.now)
	if err != nil {
		c.fail(err.Error())
		return
	}
	p.phase = writing
	c.do(WriteManifest{Manifest: m})
}
