package jobgraph

import (
	"errors"
	"fmt"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
)

// Limits of a graph: far above what anybody writes by hand, low enough that a mistake in a loop is noticed.
const (
	MaxNodes       = 1000
	MaxParallelism = 1 << 12 // subtasks of one vertex
)

// DefaultGroup is the slot sharing group of nodes that name none.
const DefaultGroup = "default"

// Graph is a job as it was wired: operators and the edges between them.
type Graph struct {
	Name  string
	Nodes []*Node
	Edges []*Edge
}

// Node is one operator of a job.
type Node struct {
	ID   int
	Kind string // map, filter, window …; the default name
	Name string // for people; unique names read better but are not required
	UID  string // for state; unique
	// Parallelism is the number of subtasks; 0 is the job's default.
	Parallelism int
	// MaxParallelism is the number of key groups; 0 is flow.DefaultMaxParallelism.
	MaxParallelism int
	Group          string
	// NoChainBefore and NoChainAfter keep the node out of the chain of its input or of its outputs.
	NoChainBefore, NoChainAfter bool
	New                         func() operators.Operator
	// Source is set for sources.
	Source *Source
	// Format describes the node's state for the fingerprint.
	Format string
	// Check looks for mistakes that can be seen before the job runs; nil for nothing to check.
	Check func() error
}

// Source is what the job's master needs to know of a source.
type Source struct {
	Bounded    bool
	Enumerator func() (connectors.Enumerator, error)
}

// Edge leads from an output of one node to an input of another.
type Edge struct {
	From, Output int
	To, Input    int
	// Strategy is how records are spread. Auto is Forward where the parallelism is equal, and Rebalance elsewhere.
	Strategy operators.Strategy
	Auto     bool
	// Route is operators.PartitionSpec's.
	Route any
}

// Options are what is given when a job is started.
type Options struct {
	// Parallelism is the default number of subtasks of a vertex.
	Parallelism int
	// NoChaining runs every operator as a subtask of its own.
	NoChaining bool
}

// AddNode appends n and numbers it.
func (g *Graph) AddNode(n *Node) *Node {
	n.ID = len(g.Nodes)
	g.Nodes = append(g.Nodes, n)
	return n
}

// AddEdge appends e.
func (g *Graph) AddEdge(e *Edge) { g.Edges = append(g.Edges, e) }

// Bounded reports whether the input of all sources ends.
func (g *Graph) Bounded() bool {
	for _, n := range g.Nodes {
		if n.Source != nil && !n.Source.Bounded {
			return false
		}
	}
	return true
}

// resolve fills in defaults and reports every mistake that the parallelism makes visible.
func (g *Graph) resolve(o Options) ([]Node, []Edge, error) {
	if o.Parallelism < 1 {
		o.Parallelism = 1
	}
	var errs []error
	if len(g.Nodes) == 0 {
		return nil, nil, errors.New("the job has no steps: begin with stream.From")
	}
	if len(g.Nodes) > MaxNodes {
		return nil, nil, fmt.Errorf("the job has %d steps, the limit is %d", len(g.Nodes), MaxNodes)
	}
	nodes := make([]Node, len(g.Nodes))
	uids := map[string]string{}
	for i, n := range g.Nodes {
		nodes[i] = *n
		m := &nodes[i]
		m.Parallelism = orDefault(m.Parallelism, o.Parallelism)
		m.MaxParallelism = orDefault(m.MaxParallelism, flow.DefaultMaxParallelism)
		if m.Group == "" {
			m.Group = DefaultGroup
		}
		if o.NoChaining {
			m.NoChainBefore, m.NoChainAfter = true, true
		}
		if m.Parallelism > m.MaxParallelism || m.Parallelism > MaxParallelism {
			errs = append(errs, fmt.Errorf("%s: parallelism %d is above its maximum of %d", m.Name, m.Parallelism, min(m.MaxParallelism, MaxParallelism)))
		}
		if m.MaxParallelism > flow.MaxKeyGroups {
			errs = append(errs, fmt.Errorf("%s: maximum parallelism %d is above the limit of %d", m.Name, m.MaxParallelism, flow.MaxKeyGroups))
		}
		if other, taken := uids[m.UID]; taken {
			errs = append(errs, fmt.Errorf("%s: UID %q is taken by %s: UIDs tell whose state is whose and must differ", m.Name, m.UID, other))
		}
		uids[m.UID] = m.Name
	}
	edges := make([]Edge, len(g.Edges))
	for i, e := range g.Edges {
		edges[i] = *e
		d := &edges[i]
		from, to := nodes[d.From], nodes[d.To]
		same := from.Parallelism == to.Parallelism
		switch {
		case d.Auto && same:
			d.Strategy = operators.Forward
		case d.Auto:
			d.Strategy = operators.Rebalance
		case d.Strategy == operators.Forward && !same:
			errs = append(errs, fmt.Errorf("%s → %s: Forward needs equal parallelism, not %d and %d: use Rebalance or Rescale", from.Name, to.Name, from.Parallelism, to.Parallelism))
		}
	}
	return nodes, edges, errors.Join(errs...)
}

func orDefault(v, d int) int {
	if v == 0 {
		return d
	}
	return v
}
