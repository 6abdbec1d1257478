package scheduler

import (
	"fmt"
	"slices"

	"github.com/weirstream/weir/flow"
)

// advance does what has become possible, whatever the event was. It ends every Handle.
func (j *Job) advance() {
	if j.state.live() {
		j.tryRewind()
		for _, r := range j.regions {
			j.tryDeploy(r)
			j.tryClose(r)
		}
	}
	j.allocate()
	if j.state.live() {
		j.derive()
		j.askLast()
	}
	j.freePlaces()
	j.tryEnd()
	j.setTimers()
	j.report()
}

// tryRewind starts the enumerators anew once no region runs and no checkpoint is open.
func (j *Job) tryRewind() {
	if !j.rewind {
		return
	}
	for _, r := range j.regions {
		if r.state != regionRestoring || r.settled != r.attempt {
			return
		}
	}
	j.rewind = false
	j.do(Rewound{j.newest()})
}

// tryClose releases the slots of a region that has nothing left to do.
func (j *Job) tryClose(r *region) {
	if r.state != regionRunning || len(r.closed) < len(r.subtasks) {
		return
	}
	r.state = regionClosed
	for _, s := range r.slots {
		j.release(s)
	}
}

// needs reports whether a share must have a place.
func (j *Job) needs(sh *share) bool {
	return j.state.live() && slices.ContainsFunc(sh.slots, func(s *slot) bool { return s.region.state != regionClosed })
}

// allocate asks for the places that are missing, when they are others than last time.
func (j *Job) allocate() {
	var wants []Want
	for _, sh := range j.shares {
		if sh.place == (Place{}) && j.needs(sh) {
			wants = append(wants, Want{sh.Share, sh.had})
		}
	}
	if slices.Equal(wants, j.wanted) {
		if len(wants) > 0 && j.now >= j.slotsBy {
			j.giveUp(fmt.Sprintf("%s for %d ms: start TaskManagers with more slots, lower the parallelism, or raise slot.request.timeout", j.waiting(), int64(j.cfg.SlotTimeout)))
			j.allocate()
		}
		return
	}
	if len(j.wanted) == 0 {
		j.slotsBy, j.lacking = j.now.Add(j.cfg.SlotTimeout), SlotsLacking{}
	}
	j.wanted = wants
	j.do(AllocateSlots{wants})
}

// waiting says what the job lacks.
func (j *Job) waiting() string {
	l := j.lacking
	return fmt.Sprintf("waiting for %d slots: %d of %d are free on %d TaskManagers", len(j.wanted), l.Free, l.Total, l.TaskManagers)
}

// derive finds the state of a job that nobody told to end from the states of its regions.
func (j *Job) derive() {
	if j.state == Stopping || j.state == Committing {
		return
	}
	was := j.state
	drained := true
	j.state = Running
	for _, r := range j.regions {
		drained = drained && len(r.drained) == len(r.subtasks)
		if r.state == regionRunning {
			continue
		}
		if r.failures > 0 {
			j.state = Restarting
		} else if j.state == Running {
			j.state = Deploying
		}
	}
	switch {
	case len(j.wanted) > 0:
		j.state = WaitingForSlots
	case j.state == Running && drained:
		j.state = Draining
		if was != Draining {
			j.askAt = j.now
		}
	}
}

// askLast asks for the job's last checkpoint, once it is time and all regions can take part.
func (j *Job) askLast() {
	if j.asked || j.now < j.askAt || j.state != Draining && j.state != Stopping {
		return
	}
	if slices.ContainsFunc(j.regions, func(r *region) bool { return r.state != regionRunning }) {
		return
	}
	j.asked = true
	kind := flow.Final
	if j.state == Stopping {
		kind = flow.Stop
	}
	j.do(TriggerCheckpoint{kind})
}

// freePlaces gives back the places in which nothing is left.
func (j *Job) freePlaces() {
	var free []Place
	for _, sh := range j.shares {
		if sh.place == (Place{}) || j.needs(sh) || slices.ContainsFunc(sh.slots, func(s *slot) bool { return s.state != slotAbsent }) {
			continue
		}
		free = append(free, sh.place)
		sh.place = Place{}
	}
	if len(free) > 0 {
		j.do(FreeSlots{free})
	}
}

// tryEnd ends a job that has no place any more (I6).
func (j *Job) tryEnd() {
	if slices.ContainsFunc(j.shares, func(sh *share) bool { return sh.place != Place{} }) {
		return
	}
	switch j.state {
	case Cancelling:
		j.state = Cancelled
	case Failing:
		j.state = Failed
	case Committing:
		if slices.ContainsFunc(j.regions, func(r *region) bool { return r.state != regionClosed }) {
			return
		}
		if j.state = Finished; j.last == flow.Stop {
			j.state = Stopped
		}
	}
}

// setTimers asks for the alarms that are needed and not set.
func (j *Job) setTimers() {
	var want [timers]flow.Time
	if len(j.wanted) > 0 {
		want[SlotTimer] = j.slotsBy
	}
	if j.state.live() {
		for _, r := range j.regions {
			if r.state == regionRestoring && r.notBefore > j.now && (want[RestartTimer] == 0 || r.notBefore < want[RestartTimer]) {
				want[RestartTimer] = r.notBefore
			}
		}
		if (j.state == Draining || j.state == Stopping) && !j.asked && j.askAt > j.now {
			want[CheckpointTimer] = j.askAt
		}
	}
	if want[RepeatTimer] = j.alarms[RepeatTimer]; want[RepeatTimer] == 0 && j.unanswered() {
		want[RepeatTimer] = j.now.Add(RepeatInterval)
	}
	for t, at := range want {
		if at != 0 && at != j.alarms[t] {
			j.alarms[t] = at
			j.do(SetTimer{Timer(t), at})
		}
	}
}

// unanswered reports whether repeat has something to do.
func (j *Job) unanswered() bool {
	return slices.ContainsFunc(j.slots, func(s *slot) bool {
		return s.state == slotStarting || s.state == slotStopping || s.state == slotReleasing ||
			s.state == slotRunning && j.state == Committing
	})
}

// report tells of a change of state or reason.
func (j *Job) report() {
	st := JobStatus{State: j.state, Reason: j.reason}
	if j.state.live() && len(j.wanted) > 0 {
		st.Reason = j.waiting()
	}
	if st != j.reported {
		j.reported = st
		j.do(st)
	}
}
