package actors

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/scheduler"
)

// triggerAgain is after how long a trigger is repeated to source subtasks that have not acknowledged.
const triggerAgain = 2 * time.Second

// startCoordinator begins checkpointing, when the job runs for the first time under this master.
func (j *job) startCoordinator() {
	next, err := checkpoint.NextID(j.env.Store, j.dir)
	if err != nil {
		panic(&Failure{Cause: fmt.Errorf("job %s: checkpoint store: %w", j.id, err)})
	}
	s := checkpoint.Start{Plan: j.plan(), NextID: next, Restored: j.restored}
	ids := slices.Sorted(maps.Keys(j.manifests))
	for _, id := range ids {
		m := j.manifests[id]
		if m.dir == j.dir && (m.Run == j.spec.Run || j.spec.Restore != nil) {
			s.Owned = append(s.Owned, checkpoint.Completed{ID: id, Kind: m.Kind})
		}
	}
	j.post(s)
}

// doCheckpoint carries out one effect of the coordinator.
func (j *job) doCheckpoint(fx checkpoint.Effect) {
	switch e := fx.(type) {
	case checkpoint.SendTrigger:
		j.sendTrigger(e)
	case checkpoint.WriteManifest:
		j.writeManifest(e.Manifest)
	case checkpoint.NotifyComplete:
		j.completed(e)
	case checkpoint.NotifyAborted:
		j.toSlots(func(a flow.Attempt) any { return checkpointAborted{a, e.ID} })
	case checkpoint.Delete:
		delete(j.manifests, e.ID)
		var err error
		j.env.async(j.self, j.stop, func() { err = checkpoint.Remove(j.env.Store, j.dir, e.ID) },
			func() { j.post(checkpoint.FilesDeleted{ID: e.ID, Err: err}) })
	case checkpoint.ScheduleTick:
		j.tick = e.At
		j.after(e.At, func() {
			if j.tick == e.At {
				j.post(checkpoint.Tick{})
			}
		})
	case checkpoint.FailJob:
		j.post(scheduler.MasterFailed{Cause: e.Reason})
	case checkpoint.Settled:
		j.settle()
	case checkpoint.Report:
		j.report(e.Stats)
	case checkpoint.Answer:
	default:
		panic(fmt.Sprintf("job: unknown checkpoint effect %T", fx))
	}
}

// sendTrigger saves the enumerators' part and then sends the barriers off.
func (j *job) sendTrigger(e checkpoint.SendTrigger) {
	if len(j.sources) > 0 {
		saved := checkpoint.EnumeratorsSaved{ID: e.ID}
		for _, v := range j.graph.Vertices {
			if v.Source != nil {
				saved.Sources = append(saved.Sources, j.sources[v.Steps[0].UID].save())
			}
		}
		j.post(saved)
	}
	j.trigger(flow.Barrier{Checkpoint: e.ID, Kind: e.Kind})
}

// trigger sends a barrier to all slots with sources, and again while the checkpoint waits: sources ignore repetitions.
func (j *job) trigger(b flow.Barrier) {
	j.toSlots(func(a flow.Attempt) any { return triggerCheckpoint{a, b} })
	j.env.later(j.self, j.stop, triggerAgain, func() {
		if p, _, ok := j.coord.Pending(); ok && p == b {
			j.trigger(b)
		}
	})
}

// toSlots sends a message to every slot that was deployed, made for the attempt that it was deployed with.
func (j *job) toSlots(make func(a flow.Attempt) any) {
	for _, s := range j.slotPlan().Slots {
		if place, deployed := j.slots[s.ID]; deployed {
			j.env.System.Root.Send(j.slotPID(place, s.ID), make(j.attempts[s.Subtasks[0]]))
		}
	}
}

func (j *job) slotPlan() *scheduler.Plan {
	if j.plans == nil {
		j.plans = scheduler.NewPlan(j.graph)
	}
	return j.plans
}

func (j *job) writeManifest(m *checkpoint.Manifest) {
	var err error
	j.env.async(j.self, j.stop, func() { err = checkpoint.CreateManifest(j.env.Store, j.dir, m) }, func() {
		if err != nil {
			j.post(checkpoint.ManifestFailed{ID: m.ID, Err: err})
			return
		}
		j.manifests[m.ID] = manifestAt{j.dir, m}
		j.post(checkpoint.ManifestWritten{ID: m.ID})
	})
}

// completed tells everybody that a checkpoint is complete: the job, its split assigners, and all subtasks.
func (j *job) completed(e checkpoint.NotifyComplete) {
	m := j.manifests[e.ID]
	done := scheduler.CheckpointCompleted{ID: e.ID, Kind: e.Kind}
	for _, c := range j.coord.Retained() {
		if _, known := j.manifests[c.ID]; known {
			done.Retained = append(done.Retained, c.ID)
		}
	}
	for _, s := range m.Sources {
		if err := j.sources[s.UID].completed(s); err != nil {
			j.post(scheduler.MasterFailed{Cause: err.Error()})
		}
	}
	j.post(done)
	j.toSlots(func(a flow.Attempt) any { return checkpointCompleted{a, e.ID} })
}

func (j *job) report(s checkpoint.Stats) {
	j.env.Jobs.update(j.id, func(r *jobRecord) {
		if s.Completed {
			r.status.Completed++
			r.status.Last = s
		} else if s.Failures > 0 {
			r.status.Failed++
		}
	})
	j.event(CheckpointEnded, s.String(), "")
	if !s.Completed && s.Failures > 0 {
		j.post(scheduler.CheckpointFailed{ID: s.ID, Kind: s.Kind, Cause: s.Reason})
	}
}
