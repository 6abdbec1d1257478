package stream

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/operators"
)

// Job is a graph of steps under construction. It is not safe for concurrent use.
type Job struct {
	graph jobgraph.Graph
	kinds map[string]int
	errs  []error
	sides map[*jobgraph.Node][]operators.SideOutput // outputs 1, 2, … of the steps that have any
}

// NewJob starts a job. The name tells its checkpoints from those of other jobs.
func NewJob(name string) *Job {
	j := &Job{graph: jobgraph.Graph{Name: name}, kinds: map[string]int{}, sides: map[*jobgraph.Node][]operators.SideOutput{}}
	if name == "" || strings.ContainsAny(name, "/\\ \t\n") {
		j.fail("NewJob", fmt.Errorf("the name %q must not be empty and must have no blanks and slashes: it becomes a directory", name))
	}
	return j
}

// Name is the job's name.
func (j *Job) Name() string { return j.graph.Name }

// Build checks the job and returns its graph. The error lists all mistakes, each with the name of its step.
func (j *Job) Build() (*jobgraph.Graph, error) {
	errs := append([]error(nil), j.errs...)
	sinks := false
	for i, n := range j.graph.Nodes {
		used := n.Kind == kindSink
		sinks = sinks || used
		for _, e := range j.graph.Edges {
			used = used || e.From == i
		}
		if !used && len(j.errs) == 0 {
			errs = append(errs, fmt.Errorf("%s: nothing is done with its records: end the stream with To", n.Name))
		}
		if n.Check != nil {
			if err := n.Check(); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", n.Name, err))
			}
		}
	}
	if !sinks && len(errs) == 0 {
		errs = append(errs, errors.New("the job has no sink: end a stream with To"))
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("job %s: %w", j.graph.Name, errors.Join(errs...))
	}
	g := j.graph
	return &g, nil
}

func (j *Job) fail(step string, err error) {
	j.errs = append(j.errs, fmt.Errorf("%s: %w", step, err))
}

// step is a node about to be added, and where its inputs come from.
type step struct {
	kind   string
	make   func() operators.Operator
	source *jobgraph.Source
	check  func() error
	format string
	inputs []feed
}

// feed joins an upstream to one input of a step.
type feed struct {
	input int
	from  upstream
}

// upstream is one or more outputs of the same type, and how their records are to be spread.
type upstream struct {
	job      *Job
	outputs  []output
	strategy operators.Strategy
	auto     bool
	route    any
}

type output struct {
	node *jobgraph.Node
	port int
}

const (
	kindSource = "source"
	kindSink   = "sink"
)

// add makes the node and its edges.
func (j *Job) add(s step, opts []Option) *jobgraph.Node {
	n := &jobgraph.Node{Kind: s.kind, New: s.make, Source: s.source, Check: s.check, Format: s.format}
	for _, o := range opts {
		o(n)
	}
	j.kinds[s.kind]++
	if n.Name == "" {
		n.Name = s.kind
		if j.kinds[s.kind] > 1 {
			n.Name = fmt.Sprintf("%s-%d", s.kind, j.kinds[s.kind])
		}
	}
	if n.UID == "" {
		n.UID = fmt.Sprintf("%s-%d", s.kind, j.kinds[s.kind])
	}
	if n.Group == "" && len(s.inputs) > 0 && len(s.inputs[0].from.outputs) > 0 {
		n.Group = s.inputs[0].from.outputs[0].node.Group
	}
	j.graph.AddNode(n)
	for _, f := range s.inputs {
		if f.from.job != j {
			j.fail(n.Name, errors.New("its input belongs to another job (or is the zero Stream)"))
			continue
		}
		for _, o := range f.from.outputs {
			j.graph.AddEdge(&jobgraph.Edge{From: o.node.ID, Output: o.port, To: n.ID, Input: f.input, Strategy: f.from.strategy, Auto: f.from.auto, Route: f.from.route})
		}
	}
	return n
}
