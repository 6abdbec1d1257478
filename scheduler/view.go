package scheduler

import "github.com/weirstream/weir/flow"

// JobView is what people may see of a job.
type JobView struct {
	ID      flow.JobID
	State   State
	Reason  string
	Regions []RegionView
	Slots   []SlotView
}

// RegionView is what people may see of a region.
type RegionView struct {
	ID         RegionID
	State      string
	Attempt    flow.Attempt
	Checkpoint flow.CheckpointID // that the attempt was restored from
	Failures   int
	Drained    int // subtasks at the end of their input
	Subtasks   int
}

// SlotView is what people may see of a slot.
type SlotView struct {
	Slot
	State       string
	Place       Place // TaskManager is "" while there is none
	Incarnation int64
}

// View copies what there is to see of the job.
func (j *Job) View() JobView {
	v := JobView{ID: j.id, State: j.reported.State, Reason: j.reported.Reason}
	for _, r := range j.regions {
		v.Regions = append(v.Regions, RegionView{r.id, r.state.String(), r.attempt, r.checkpoint, r.failures, len(r.drained), len(r.subtasks)})
	}
	for _, s := range j.slots {
		v.Slots = append(v.Slots, SlotView{s.Slot, s.state.String(), s.share.place, s.incarnation})
	}
	return v
}
