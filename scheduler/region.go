package scheduler

import (
	"slices"

	"github.com/weirstream/weir/flow"
)

// failure is why regions restart.
type failure struct {
	slot  SlotID // -1 when it was none
	at    TaskManagerID
	cause string
}

// failAll restarts every region for a failure of the whole job.
func (j *Job) failAll(cause string) { j.fail(j.regions, failure{slot: -1, cause: cause}) }

// fail asks the restart strategy, once for all regions that one event has brought down, and restarts them or gives up.
func (j *Job) fail(failed []*region, f failure) {
	if !j.state.live() {
		return
	}
	delay, ok, why := j.restart.Failed(j.now)
	if !ok {
		for _, r := range failed {
			j.do(r.failed(j.now, f, r.attempt, 0))
		}
		j.giveUp(f.cause + "; " + why)
		return
	}
	j.restartRegions(failed, f, delay)
}

// restartRegions begins a new attempt of each region: it is deployed when all of the old one has stopped (I1).
func (j *Job) restartRegions(failed []*region, f failure, delay flow.Time) {
	for _, r := range failed {
		if r.state == regionClosed {
			continue
		}
		j.attempt++
		j.do(r.failed(j.now, f, j.attempt, delay))
		r.attempt = j.attempt
		r.state, r.notBefore = regionRestoring, max(r.notBefore, j.now.Add(delay)) // a fence is not cut short
		r.failures++
		clear(r.drained)
		clear(r.closed)
		for _, s := range r.slots {
			if s.state.deployed() {
				s.state = slotStopping
				j.do(RestartSlot{s.ID, s.share.place, s.incarnation})
			}
		}
	}
	j.asked, j.reason = false, f.cause // the coordinator gives up what is under way
	if j.state == Draining {
		j.state = Restarting // until advance finds it drained again
	}
}

// failed is the report of a failure; next is the failed attempt itself when none follows.
func (r *region) failed(now flow.Time, f failure, next flow.Attempt, delay flow.Time) RegionFailed {
	return RegionFailed{Region: r.id, Attempt: r.attempt, Next: next, Time: now, Slot: f.slot, At: f.at, Cause: f.cause, Delay: delay}
}

// giveUp ends the job in failure.
func (j *Job) giveUp(reason string) {
	j.state, j.reason = Failing, reason
	j.releaseAll()
}

// releaseAll stops every slot actor for good.
func (j *Job) releaseAll() {
	for _, r := range j.regions {
		if r.state != regionClosed {
			r.state = regionIdle
		}
	}
	for _, s := range j.slots {
		j.release(s)
	}
}

func (j *Job) release(s *slot) {
	if s.state == slotAbsent || s.state == slotReleasing {
		return
	}
	s.state = slotReleasing
	j.do(ReleaseSlot{s.ID, s.share.place})
}

// tryDeploy deploys a region whose old attempt is stopped everywhere.
func (j *Job) tryDeploy(r *region) {
	if r.state != regionRestoring || r.settled != r.attempt || j.now < r.notBefore || j.rewind {
		return
	}
	if slices.ContainsFunc(r.slots, func(s *slot) bool { return s.state != slotWaiting }) {
		return
	}
	r.state, r.checkpoint, r.last = regionDeploying, j.newest(), j.last != flow.Periodic
	j.do(RegionRestored{r.id, r.attempt, r.checkpoint, r.subtasks})
	for _, s := range r.slots {
		s.state = slotDeployed
		j.do(s.deploy())
	}
}

// deploy is the answer to the slot's pull; it is the same until the region fails (I3).
func (s *slot) deploy() Deploy {
	r := s.region
	d := Deployment{Region: r.id, Attempt: r.attempt, Checkpoint: r.checkpoint, Last: r.last, Subtasks: s.Subtasks}
	for _, p := range r.slots {
		d.Peers = append(d.Peers, Peer{p.ID, p.share.place, p.Subtasks})
	}
	return Deploy{s.ID, s.share.place, s.incarnation, d}
}

// tryGo starts a region all of whose slots are ready.
func (j *Job) tryGo(r *region) {
	if slices.ContainsFunc(r.slots, func(s *slot) bool { return s.state != slotReady }) {
		return
	}
	r.state = regionRunning
	for _, s := range r.slots {
		s.state = slotRunning
		j.do(Go{s.ID, s.share.place, r.attempt})
		j.closeSlot(s)
	}
	j.do(RegionRunning{r.id, r.attempt})
	if !slices.ContainsFunc(j.regions, func(r *region) bool { return r.state < regionRunning }) {
		j.reason = ""
	}
}

// closeSlot asks a running slot to commit the job's last checkpoint and close.
func (j *Job) closeSlot(s *slot) {
	if j.state == Committing && s.state == slotRunning {
		j.do(CloseSlot{s.ID, s.share.place, s.region.attempt, j.newest()})
	}
}

// repeat sends again what was not answered (I7).
func (j *Job) repeat() {
	for _, s := range j.slots {
		switch s.state {
		case slotStarting:
			j.do(StartSlot{s.ID, s.share.place})
		case slotStopping:
			j.do(RestartSlot{s.ID, s.share.place, s.incarnation})
		case slotReleasing:
			j.do(ReleaseSlot{s.ID, s.share.place})
		case slotRunning:
			j.closeSlot(s)
		}
	}
}
