package checkpoint

import (
	"fmt"
	"slices"

	"github.com/weirstream/weir/flow"
)

// MaxSubtasks bounds the subtasks of a job. Each costs a line in the manifest and one message per checkpoint.
const MaxSubtasks = 1 << 16

// Job says whose checkpoints these are.
type Job struct {
	// Name is the job's name in the code; a checkpoint is restored by the same.
	Name string
	// Run is fresh at every submission and kept over restores.
	Run string
	// Term is the leadership term that all this coordinator's manifests carry: its fencing token (I6).
	Term flow.Term
}

// Plan is what the job runs as: who has to acknowledge, and what a manifest says of it.
type Plan struct {
	// Fingerprint is the job graph's.
	Fingerprint string
	// Vertices in ascending order of ID.
	Vertices []PlanVertex
	// Sources are the UIDs of the source operators, each of which has an enumerator beside the job's master.
	Sources []string
}

// PlanVertex is one vertex as it is deployed.
type PlanVertex struct {
	ID             flow.VertexID
	Name           string
	UIDs           []string // of its operators
	MaxParallelism int
	// Attempts holds the attempt of each subtask; its length is the parallelism.
	Attempts []flow.Attempt
}

// Validate reports the first thing that makes the plan unusable.
func (p *Plan) Validate() error {
	uids := make(map[string]bool)
	subtasks, last := 0, flow.VertexID(-1)
	for _, v := range p.Vertices {
		if v.ID <= last {
			return fmt.Errorf("plan: vertex %d comes after %d: give the vertices in ascending order", v.ID, last)
		}
		last = v.ID
		if len(v.Attempts) == 0 || v.MaxParallelism < 1 || v.MaxParallelism > flow.MaxKeyGroups {
			return fmt.Errorf("plan: vertex %d %q has %d subtasks and %d key groups", v.ID, v.Name, len(v.Attempts), v.MaxParallelism)
		}
		for i, a := range v.Attempts {
			if a < 1 {
				return fmt.Errorf("plan: subtask %d.%d has attempt %d: they count from 1", v.ID, i, a)
			}
		}
		for _, u := range v.UIDs {
			if u == "" || uids[u] {
				return fmt.Errorf("plan: vertex %d %q: operator UID %q is empty or in use twice", v.ID, v.Name, u)
			}
			uids[u] = true
		}
		subtasks += len(v.Attempts)
	}
	if subtasks == 0 || subtasks > MaxSubtasks {
		return fmt.Errorf("plan: %d subtasks are not within 1 to %d", subtasks, MaxSubtasks)
	}
	for i, u := range p.Sources {
		if !uids[u] || slices.Contains(p.Sources[:i], u) {
			return fmt.Errorf("plan: source %q is no operator of any vertex, or is listed twice", u)
		}
	}
	return nil
}

// subtasks is how many there are.
func (p *Plan) subtasks() (n int) {
	for i := range p.Vertices {
		n += len(p.Vertices[i].Attempts)
	}
	return n
}

// find is the index of the vertex of s; ok is false when the plan has no such subtask.
func (p *Plan) find(s flow.SubtaskID) (vertex int, ok bool) {
	vertex, ok = slices.BinarySearchFunc(p.Vertices, s.Vertex, func(v PlanVertex, id flow.VertexID) int { return int(v.ID - id) })
	return vertex, ok && s.Index >= 0 && s.Index < len(p.Vertices[vertex].Attempts)
}

// Completed is a completed checkpoint in the store.
type Completed struct {
	ID   flow.CheckpointID
	Kind flow.BarrierKind
}
