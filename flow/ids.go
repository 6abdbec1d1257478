package flow

import (
	"fmt"
	"strconv"
)

// JobID names a job within its cluster.
type JobID string

// CheckpointID numbers the checkpoints of a job from 1, over all its attempts; 0 is none.
type CheckpointID int64

// Attempt numbers the deployments of a region from 1.
type Attempt int64

// Term is the leadership term of the JobManager: the fencing token of everything that is written.
type Term int64

// VertexID numbers the vertices of a JobGraph from 0, in topological order.
type VertexID int

// SubtaskID names one parallel instance of a vertex.
type SubtaskID struct {
	Vertex VertexID
	Index  int
}

func (s SubtaskID) String() string {
	return strconv.Itoa(int(s.Vertex)) + "." + strconv.Itoa(s.Index)
}

func (c CheckpointID) String() string { return fmt.Sprintf("chk-%d", int64(c)) }
