package jobgraph

import (
	"strings"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
)

// JobGraph is a Graph whose operators were chained into vertices, for one parallelism.
type JobGraph struct {
	Name        string
	Vertices    []*Vertex
	Edges       []*JobEdge
	Fingerprint string
	Bounded     bool
}

// Vertex is a chain of operators that runs as Parallelism subtasks.
type Vertex struct {
	ID             flow.VertexID
	Name           string
	Parallelism    int
	MaxParallelism int
	Group          string
	// Steps are the chain in topological order, without Exits: those depend on the subtask.
	Steps []operators.Step
	// Source is set when the head is a source.
	Source *Source
	// In and Out are indexes into JobGraph.Edges, in a fixed order.
	In, Out []int
}

// UIDs are those of the vertex' operators.
func (v *Vertex) UIDs() []string {
	u := make([]string, len(v.Steps))
	for i, s := range v.Steps {
		u[i] = s.UID
	}
	return u
}

// JobEdge leads from an output of a vertex' step to an input of another vertex' head.
type JobEdge struct {
	From, To     flow.VertexID
	Step, Output int
	Input        int
	Strategy     operators.Strategy
	Route        any
}

// Pointwise reports whether a subtask is joined to a few others only, not to all.
func (e *JobEdge) Pointwise() bool {
	return e.Strategy == operators.Forward || e.Strategy == operators.Rescale
}

// Job chains the graph for the given options. Its error lists all mistakes, each with the step's name.
func (g *Graph) Job(o Options) (*JobGraph, error) {
	nodes, edges, err := g.resolve(o)
	if err != nil {
		return nil, err
	}
	c := chainer{nodes: nodes, edges: edges, in: make([][]int, len(nodes)), out: make([][]int, len(nodes))}
	for i, e := range edges {
		c.in[e.To] = append(c.in[e.To], i)
		c.out[e.From] = append(c.out[e.From], i)
	}
	j := c.chain()
	j.Name, j.Bounded = g.Name, g.Bounded()
	j.Fingerprint = fingerprint(g.Name, nodes, edges)
	return j, nil
}

type chainer struct {
	nodes   []Node
	edges   []Edge
	in, out [][]int
	vertex  []flow.VertexID // of each node
	step    []int           // of each node, within its vertex
}

// chained reports whether edge e is a call within one subtask.
func (c *chainer) chained(e Edge) bool {
	from, to := &c.nodes[e.From], &c.nodes[e.To]
	return e.Strategy == operators.Forward && len(c.in[e.To]) == 1 &&
		from.Parallelism == to.Parallelism && from.MaxParallelism == to.MaxParallelism && from.Group == to.Group &&
		!from.NoChainAfter && !to.NoChainBefore
}

// chain walks the nodes, which are in topological order because an edge can only lead to a node that was made later.
func (c *chainer) chain() *JobGraph {
	j := &JobGraph{}
	c.vertex, c.step = make([]flow.VertexID, len(c.nodes)), make([]int, len(c.nodes))
	for i := range c.nodes {
		n := &c.nodes[i]
		s := operators.Step{UID: n.UID, Name: n.Name, New: n.New}
		if len(c.in[i]) == 1 && c.chained(c.edges[c.in[i][0]]) {
			e := c.edges[c.in[i][0]]
			v := j.Vertices[c.vertex[e.From]]
			s.Inputs = []operators.Link{{From: c.step[e.From], Output: e.Output, Input: e.Input}}
			c.vertex[i], c.step[i] = v.ID, len(v.Steps)
			v.Steps = append(v.Steps, s)
			continue
		}
		v := &Vertex{ID: flow.VertexID(len(j.Vertices)), Parallelism: n.Parallelism, MaxParallelism: n.MaxParallelism, Group: n.Group, Source: n.Source}
		v.Steps = []operators.Step{s}
		c.vertex[i] = v.ID
		j.Vertices = append(j.Vertices, v)
	}
	for _, e := range c.edges {
		if len(c.in[e.To]) == 1 && c.chained(e) {
			continue
		}
		k := len(j.Edges)
		je := &JobEdge{From: c.vertex[e.From], To: c.vertex[e.To], Step: c.step[e.From], Output: e.Output, Input: e.Input, Strategy: e.Strategy, Route: e.Route}
		j.Edges = append(j.Edges, je)
		j.Vertices[je.From].Out = append(j.Vertices[je.From].Out, k)
		j.Vertices[je.To].In = append(j.Vertices[je.To].In, k)
	}
	for _, v := range j.Vertices {
		v.Name = vertexName(v.Steps)
	}
	return j
}

// maxVertexName keeps the names of long chains readable, in bytes.
const maxVertexName = 80

func vertexName(steps []operators.Step) string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.Name
	}
	name := strings.Join(names, " → ")
	if len(name) > maxVertexName && len(names) > 2 {
		name = names[0] + " → … → " + names[len(names)-1]
	}
	return name
}
