package jobgraph

import (
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
)

// Lane is one input lane of a subtask.
type Lane struct {
	Edge  int            // index into JobGraph.Edges
	From  flow.SubtaskID // who sends
	Input int            // the head's input it feeds
}

// Channel is one output channel of a subtask: it leads to lane Lane of subtask To.
type Channel struct {
	To   flow.SubtaskID
	Lane int
}

// Subtasks lists all subtasks of the job: vertex by vertex, index by index.
func (j *JobGraph) Subtasks() []flow.SubtaskID {
	var all []flow.SubtaskID
	for _, v := range j.Vertices {
		for i := range v.Parallelism {
			all = append(all, flow.SubtaskID{Vertex: v.ID, Index: i})
		}
	}
	return all
}

// Lanes lists the input lanes of a subtask: edge by edge, producer by producer.
func (j *JobGraph) Lanes(s flow.SubtaskID) []Lane {
	var lanes []Lane
	for _, k := range j.Vertices[s.Vertex].In {
		e := j.Edges[k]
		from, to := j.producers(e, s.Index)
		for i := from; i < to; i++ {
			lanes = append(lanes, Lane{Edge: k, From: flow.SubtaskID{Vertex: e.From, Index: i}, Input: e.Input})
		}
	}
	return lanes
}

// Channels lists, for each output edge of a subtask, the channels in the order in which the partition numbers them.
func (j *JobGraph) Channels(s flow.SubtaskID) [][]Channel {
	v := j.Vertices[s.Vertex]
	all := make([][]Channel, len(v.Out))
	for o, k := range v.Out {
		e := j.Edges[k]
		from, to := j.consumers(e, s.Index)
		for i := from; i < to; i++ {
			c := flow.SubtaskID{Vertex: e.To, Index: i}
			all[o] = append(all[o], Channel{To: c, Lane: j.laneOf(k, s.Index, c)})
		}
	}
	return all
}

// laneOf is the lane of consumer c that producer index p of edge k sends to.
func (j *JobGraph) laneOf(k, p int, c flow.SubtaskID) int {
	lane := 0
	for _, in := range j.Vertices[c.Vertex].In {
		from, to := j.producers(j.Edges[in], c.Index)
		if in == k {
			return lane + p - from
		}
		lane += to - from
	}
	panic("jobgraph: edge does not lead to its consumer")
}

// consumers is the range of consumer subtasks that producer i of e sends to.
func (j *JobGraph) consumers(e *JobEdge, i int) (from, to int) {
	p, q := j.Vertices[e.From].Parallelism, j.Vertices[e.To].Parallelism
	switch {
	case !e.Pointwise():
		return 0, q
	case q <= p:
		return i * q / p, i*q/p + 1
	}
	return (i*q + p - 1) / p, ((i+1)*q + p - 1) / p
}

// producers is the range of producer subtasks that consumer i of e hears from: the inverse of consumers.
func (j *JobGraph) producers(e *JobEdge, i int) (from, to int) {
	p, q := j.Vertices[e.From].Parallelism, j.Vertices[e.To].Parallelism
	switch {
	case !e.Pointwise():
		return 0, p
	case p <= q:
		return i * p / q, i*p/q + 1
	}
	return (i*p + q - 1) / q, ((i+1)*p + q - 1) / q
}

// StepsOf are the steps of a subtask with the exits that its channels give them.
func (j *JobGraph) StepsOf(s flow.SubtaskID) []operators.Step {
	v := j.Vertices[s.Vertex]
	steps := make([]operators.Step, len(v.Steps))
	copy(steps, v.Steps)
	for o, k := range v.Out {
		e := j.Edges[k]
		from, to := j.consumers(e, s.Index)
		spec := operators.PartitionSpec{Strategy: e.Strategy, Channels: to - from, MaxParallelism: j.Vertices[e.To].MaxParallelism, Subtask: s.Index, Route: e.Route}
		steps[e.Step].Exits = append(steps[e.Step].Exits, operators.Exit{Output: e.Output, Edge: o, Spec: spec})
	}
	return steps
}
