package actors

import (
	"fmt"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/scheduler"
)

// do carries out one effect of the job's state machine.
func (j *job) do(fx scheduler.Effect) {
	send := j.env.System.Root.Send
	switch e := fx.(type) {
	case scheduler.AllocateSlots:
		send(j.jobManager, requestSlots{j.id, e.Wants})
	case scheduler.FreeSlots:
		send(j.jobManager, freeSlots{j.id, e.Places})
	case scheduler.StartSlot:
		send(taskManagerPID(e.Place), startSlot{Job: j.id, JobPID: j.self, Slot: e.Slot, Place: e.Place})
	case scheduler.RestartSlot:
		send(taskManagerPID(e.Place), restartSlot{Job: j.id, JobPID: j.self, Slot: e.Slot, Place: e.Place, Incarnation: e.Incarnation})
	case scheduler.ReleaseSlot:
		send(taskManagerPID(e.Place), releaseSlot{Job: j.id, JobPID: j.self, Slot: e.Slot, Place: e.Place})
	case scheduler.Deploy:
		send(j.slotPID(e.Place, e.Slot), j.deployment(e))
	case scheduler.Go:
		send(j.slotPID(e.Place, e.Slot), start{e.Attempt})
	case scheduler.CloseSlot:
		send(j.slotPID(e.Place, e.Slot), closeSlot{e.Attempt, e.Checkpoint})
	case scheduler.Rewound:
		j.rewind(e.Checkpoint)
	case scheduler.RegionFailed:
		j.regionFailed(e)
	case scheduler.RegionRestored:
		for _, s := range e.Subtasks {
			j.attempts[s] = e.Attempt
		}
		j.restored = e.Checkpoint
		j.rewindReaders(e)
	case scheduler.RegionRunning:
		j.regionRunning(e)
	case scheduler.TriggerCheckpoint:
		j.post(checkpoint.Trigger{Kind: e.Kind})
	case scheduler.SetTimer:
		j.setTimer(e)
	case scheduler.JobStatus:
		j.status(e.State, e.Reason)
		if e.State.Terminal() {
			j.end(e.State)
		}
	default:
		panic(fmt.Sprintf("job: unknown effect %T", fx))
	}
}

func (j *job) slotPID(p scheduler.Place, id scheduler.SlotID) *actor.PID {
	tm := taskManagerPID(p)
	return actor.NewPID(tm.Address, tm.Id+"/"+slotName(j.id, id))
}

func (j *job) deployment(e scheduler.Deploy) deploy {
	d := deploy{Incarnation: e.Incarnation, Run: j.spec.Run, Dir: j.dir, Deployment: e.Deployment, Files: map[flow.VertexID][]string{}}
	j.slots[e.Slot] = e.Place
	for _, p := range e.Deployment.Peers {
		d.SlotPIDs = append(d.SlotPIDs, j.slotPID(p.Place, p.Slot))
	}
	m, ok := j.manifests[e.Deployment.Checkpoint]
	if !ok {
		return d
	}
	for _, s := range e.Deployment.Subtasks {
		if _, done := d.Files[s.Vertex]; !done {
			d.Files[s.Vertex] = j.filesOf(m, s.Vertex)
		}
	}
	return d
}

// filesOf lists the files of a checkpoint that hold state of a vertex' operators. State is found by the operators' UIDs:
// the vertices may have been cut otherwise.
func (j *job) filesOf(m manifestAt, v flow.VertexID) []string {
	uids := j.graph.Vertices[v].UIDs()
	var files []string
	for _, old := range m.Vertices {
		if !slices.ContainsFunc(old.UIDs, func(u string) bool { return slices.Contains(uids, u) }) {
			continue
		}
		for _, t := range old.Subtasks {
			if t.File != "" {
				files = append(files, checkpoint.FileName(m.dir, m.ID, t.File))
			}
		}
	}
	return files
}

func (j *job) setTimer(e scheduler.SetTimer) {
	j.timers[e.Timer] = e.At
	j.after(e.At, func() {
		if j.timers[e.Timer] == e.At {
			delete(j.timers, e.Timer)
			j.post(scheduler.TimerFired{Timer: e.Timer})
		}
	})
}

func (j *job) regionFailed(e scheduler.RegionFailed) {
	j.running[e.Region] = false
	j.env.Jobs.update(j.id, func(r *jobRecord) { r.status.Restarts++ })
	j.event(RegionFailed, e.String(), "")
	j.settleFor = max(j.settleFor, e.Next)
	j.post(suspend{e.Cause})
}

// suspend is queued between the events of both state machines, so that a checkpoint that was completed is told first.
type suspend struct{ cause string }

// settle answers RegionFailed as soon as the coordinator knows which checkpoint is the last.
func (j *job) settle() {
	if j.settleFor == 0 {
		return
	}
	if j.coord.State() != checkpoint.Created {
		if _, settled := j.coord.Restore(); !settled {
			return // the effect Settled will come
		}
	}
	next := j.settleFor
	j.settleFor = 0
	j.post(scheduler.CheckpointsSettled{Attempt: next})
}

func (j *job) regionRunning(e scheduler.RegionRunning) {
	j.running[e.Region] = true
	j.event(RegionRunning, e.String(), "")
	n := 0
	for _, on := range j.running {
		if on {
			n++
		}
	}
	if n < j.slotPlan().Regions {
		return
	}
	if j.coord.State() == checkpoint.Created {
		j.startCoordinator()
		return
	}
	j.post(checkpoint.Resume{Plan: j.plan()})
}

// plan is what the coordinator is told of the running job.
func (j *job) plan() checkpoint.Plan {
	p := checkpoint.Plan{Fingerprint: j.graph.Fingerprint}
	for _, v := range j.graph.Vertices {
		pv := checkpoint.PlanVertex{ID: v.ID, Name: v.Name, UIDs: v.UIDs(), MaxParallelism: v.MaxParallelism}
		for i := range v.Parallelism {
			pv.Attempts = append(pv.Attempts, j.attempts[flow.SubtaskID{Vertex: v.ID, Index: i}])
		}
		p.Vertices = append(p.Vertices, pv)
		if v.Source != nil {
			p.Sources = append(p.Sources, v.Steps[0].UID)
		}
	}
	return p
}

// end reports the end of the job to the JobManager, which stops this actor.
func (j *job) end(s scheduler.State) {
	how := checkpoint.Failed
	switch s {
	case scheduler.Finished:
		how = checkpoint.Finished
	case scheduler.Cancelled:
		how = checkpoint.Cancelled
	case scheduler.Stopped:
		how = checkpoint.Moved // its last checkpoint is what it goes on from
	}
	j.post(checkpoint.Close{How: how})
	j.env.System.Root.Send(j.jobManager, jobEnded{j.id})
}
