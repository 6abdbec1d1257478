package jobgraph_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/operators"
)

// pass is the operator of the tests' nodes. Nobody runs it.
func pass() operators.Operator { return operators.NewFilter(func(*int) bool { return true }) }

// node adds a step. parallelism 0 is the default's.
func node(g *jobgraph.Graph, name string, parallelism int) *jobgraph.Node {
	return g.AddNode(&jobgraph.Node{Kind: "filter", Name: name, UID: name, Parallelism: parallelism, New: pass})
}

func edge(g *jobgraph.Graph, from, to *jobgraph.Node, s operators.Strategy) *jobgraph.Edge {
	e := &jobgraph.Edge{From: from.ID, To: to.ID, Strategy: s}
	g.AddEdge(e)
	return e
}

func job(t interface{ Fatal(...any) }, g *jobgraph.Graph, o jobgraph.Options) *jobgraph.JobGraph {
	j, err := g.Job(o)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// checkChannels holds both ends of all channels against each other (I2): every channel leads to the lane that expects it,
// every lane has exactly one channel that leads to it, and the partition has as many channels as the subtask.
func checkChannels(t interface {
	Fatal(...any)
	Errorf(string, ...any)
}, j *jobgraph.JobGraph) {
	type end struct {
		to   flow.SubtaskID
		lane int
	}
	fed := map[end]int{}
	for _, s := range j.Subtasks() {
		out := j.Vertices[s.Vertex].Out
		channels := j.Channels(s)
		if len(channels) != len(out) {
			t.Errorf("%v has channels for %d edges of %d", s, len(channels), len(out))
		}
		for o, cs := range channels {
			if len(cs) == 0 {
				t.Errorf("%v has no channel on edge %d", s, out[o])
			}
			for _, c := range cs {
				fed[end{c.To, c.Lane}]++
				lanes := j.Lanes(c.To)
				want := jobgraph.Lane{Edge: out[o], From: s, Input: j.Edges[out[o]].Input}
				if c.Lane >= len(lanes) || lanes[c.Lane] != want {
					t.Errorf("%v sends to lane %d of %v, whose lanes are %v", s, c.Lane, c.To, lanes)
				}
			}
		}
		for _, step := range j.StepsOf(s) {
			for _, x := range step.Exits {
				if x.Spec.Channels != len(channels[x.Edge]) || x.Spec.Subtask != s.Index || x.Spec.Strategy != j.Edges[out[x.Edge]].Strategy {
					t.Errorf("%v: exit %+v has %d channels", s, x, len(channels[x.Edge]))
				}
			}
		}
	}
	for _, s := range j.Subtasks() {
		for lane := range j.Lanes(s) {
			if n := fed[end{s, lane}]; n != 1 {
				t.Errorf("lane %d of %v is fed by %d channels", lane, s, n)
			}
			delete(fed, end{s, lane})
		}
	}
	if len(fed) > 0 {
		t.Errorf("channels lead nowhere: %v", fed)
	}
}

// TestBothEndsOfOneEdge tries every strategy with every pair of parallelisms.
func TestBothEndsOfOneEdge(t *testing.T) {
	const most = 9
	for s := operators.Forward; s <= operators.Custom; s++ {
		for p := 1; p <= most; p++ {
			for q := 1; q <= most; q++ {
				if s == operators.Forward && p != q {
					continue
				}
				g := &jobgraph.Graph{Name: "pair"}
				edge(g, node(g, "a", p), node(g, "b", q), s)
				j := job(t, g, jobgraph.Options{NoChaining: true})
				checkChannels(t, j)
				for _, sub := range j.Subtasks()[:p] {
					n := len(j.Channels(sub)[0])
					switch {
					case s == operators.Forward && n != 1, s == operators.Rescale && n > (q+p-1)/p, !j.Edges[0].Pointwise() && n != q:
						t.Errorf("%v from %d to %d subtasks: %v has %d channels", s, p, q, sub, n)
					}
				}
			}
		}
	}
}

// TestBothEndsOfAnyGraph tries graphs with several edges to and from a step, two between the same steps too.
func TestBothEndsOfAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &jobgraph.Graph{Name: "any"}
		n := rapid.IntRange(2, 6).Draw(t, "steps")
		for i := range n {
			node(g, fmt.Sprint("s", i), rapid.IntRange(0, 5).Draw(t, "parallelism"))
		}
		for range rapid.IntRange(1, 8).Draw(t, "edges") {
			to := rapid.IntRange(1, n-1).Draw(t, "to")
			from := rapid.IntRange(0, to-1).Draw(t, "from")
			e := edge(g, g.Nodes[from], g.Nodes[to], operators.Strategy(rapid.IntRange(int(operators.Hash), int(operators.Custom)).Draw(t, "strategy")))
			e.Auto, e.Input = rapid.Bool().Draw(t, "auto"), rapid.IntRange(0, 1).Draw(t, "input")
		}
		j := job(t, g, jobgraph.Options{Parallelism: rapid.IntRange(1, 4).Draw(t, "default")})
		checkChannels(t, j)
		for _, e := range j.Edges {
			if e.From >= e.To { // I1
				t.Errorf("an edge leads from vertex %d to %d", e.From, e.To)
			}
		}
		steps := 0
		for _, v := range j.Vertices {
			steps += len(v.Steps)
		}
		if steps != n {
			t.Errorf("%d steps of %d are in vertices", steps, n)
		}
		of, count := j.Regions()
		for _, s := range j.Subtasks() {
			if of[s] < 0 || of[s] >= count {
				t.Errorf("region %d of %d", of[s], count)
			}
			for _, l := range j.Lanes(s) {
				if of[l.From] != of[s] {
					t.Errorf("%v and %v are joined, and in regions %d and %d", l.From, s, of[l.From], of[s])
				}
			}
		}
	})
}

func TestRegions(t *testing.T) {
	for _, c := range []struct {
		strategy operators.Strategy
		p, q     int
		want     []int // region of each subtask
	}{
		{operators.Forward, 3, 3, []int{0, 1, 2, 0, 1, 2}},
		{operators.Rescale, 2, 4, []int{0, 1, 0, 0, 1, 1}},
		{operators.Rescale, 4, 2, []int{0, 0, 1, 1, 0, 1}},
		{operators.Rescale, 2, 3, []int{0, 1, 0, 0, 1}},
		{operators.Hash, 2, 2, []int{0, 0, 0, 0}},
		{operators.First, 2, 1, []int{0, 0, 0}},
	} {
		g := &jobgraph.Graph{Name: "regions"}
		edge(g, node(g, "a", c.p), node(g, "b", c.q), c.strategy)
		j := job(t, g, jobgraph.Options{NoChaining: true})
		of, _ := j.Regions()
		var got []int
		for _, s := range j.Subtasks() {
			got = append(got, of[s])
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v from %d to %d: regions %v, want %v", c.strategy, c.p, c.q, got, c.want)
		}
	}
	g := &jobgraph.Graph{Name: "apart"}
	node(g, "a", 1)
	node(g, "b", 2)
	if _, count := job(t, g, jobgraph.Options{}).Regions(); count != 3 {
		t.Errorf("subtasks that nothing joins are in %d regions, want 3", count)
	}
}

// TestChaining shows which pairs of steps become one vertex.
func TestChaining(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(g *jobgraph.Graph, a, b *jobgraph.Node, e *jobgraph.Edge)
		options jobgraph.Options
		chained bool
	}{
		{name: "forward", chained: true},
		{name: "auto, equal parallelism", change: func(_ *jobgraph.Graph, _, _ *jobgraph.Node, e *jobgraph.Edge) { e.Auto = true }, chained: true},
		{name: "auto, other parallelism", change: func(_ *jobgraph.Graph, _, b *jobgraph.Node, e *jobgraph.Edge) { e.Auto, b.Parallelism = true, 3 }},
		{name: "hash", change: func(_ *jobgraph.Graph, _, _ *jobgraph.Node, e *jobgraph.Edge) { e.Strategy = operators.Hash }},
		{name: "rebalance", change: func(_ *jobgraph.Graph, _, _ *jobgraph.Node, e *jobgraph.Edge) { e.Strategy = operators.Rebalance }},
		{name: "other key groups", change: func(_ *jobgraph.Graph, _, b *jobgraph.Node, _ *jobgraph.Edge) { b.MaxParallelism = 64 }},
		{name: "other slot sharing group", change: func(_ *jobgraph.Graph, _, b *jobgraph.Node, _ *jobgraph.Edge) { b.Group = "gpu" }},
		{name: "not before", change: func(_ *jobgraph.Graph, _, b *jobgraph.Node, _ *jobgraph.Edge) { b.NoChainBefore = true }},
		{name: "not after", change: func(_ *jobgraph.Graph, a, _ *jobgraph.Node, _ *jobgraph.Edge) { a.NoChainAfter = true }},
		{name: "the other flags", change: func(_ *jobgraph.Graph, a, b *jobgraph.Node, _ *jobgraph.Edge) {
			a.NoChainBefore, b.NoChainAfter = true, true
		}, chained: true},
		{name: "two inputs", change: func(g *jobgraph.Graph, a, b *jobgraph.Node, _ *jobgraph.Edge) { edge(g, a, b, operators.Forward) }},
		{name: "no chaining at all", options: jobgraph.Options{NoChaining: true}},
		{name: "side output", change: func(_ *jobgraph.Graph, _, _ *jobgraph.Node, e *jobgraph.Edge) { e.Output = 1 }, chained: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &jobgraph.Graph{Name: "chaining"}
			a, b := node(g, "a", 2), node(g, "b", 2)
			e := edge(g, a, b, operators.Forward)
			if c.change != nil {
				c.change(g, a, b, e)
			}
			j := job(t, g, c.options)
			if got := len(j.Vertices) == 1; got != c.chained {
				t.Errorf("%d vertices, chained %v, want %v", len(j.Vertices), got, c.chained)
			}
			checkChannels(t, j)
		})
	}
}

// TestChainsAreTrees: a chain may branch, and what leaves it is known by step and output.
func TestChainsAreTrees(t *testing.T) {
	g := &jobgraph.Graph{Name: "tree"}
	a, b, c, d := node(g, "a", 2), node(g, "b", 2), node(g, "c", 2), node(g, "d", 1)
	edge(g, a, b, operators.Forward)
	edge(g, a, c, operators.Forward).Output = 1
	edge(g, c, d, operators.First)
	edge(g, b, d, operators.Rebalance).Input = 1
	j := job(t, g, jobgraph.Options{})
	if len(j.Vertices) != 2 || j.Vertices[0].Name != "a → b → c" || len(j.Edges) != 2 {
		t.Fatalf("vertices %v and edges %v", j.Vertices, j.Edges)
	}
	steps := j.StepsOf(flow.SubtaskID{Vertex: 0, Index: 1})
	if got, want := steps[1].Inputs, (operators.Link{From: 0, Output: 0, Input: 0}); len(got) != 1 || got[0] != want {
		t.Errorf("b is fed by %v, want %v", got, want)
	}
	if got, want := steps[2].Inputs, (operators.Link{From: 0, Output: 1, Input: 0}); len(got) != 1 || got[0] != want {
		t.Errorf("c is fed by %v, want %v", got, want)
	}
	for i, exits := range []int{0, 1, 1} {
		if len(steps[i].Exits) != exits {
			t.Errorf("%s has exits %v, want %d", steps[i].Name, steps[i].Exits, exits)
		}
	}
	if j.Vertices[0].Steps[1].Exits != nil {
		t.Error("StepsOf has changed the vertex, which all subtasks share")
	}
	if got, want := j.Vertices[0].UIDs(), []string{"a", "b", "c"}; !reflect.DeepEqual(got, want) {
		t.Errorf("UIDs %v, want %v", got, want)
	}
}

// TestFingerprint: what state and its place depend on changes it, and nothing else (I3).
func TestFingerprint(t *testing.T) {
	of := func(o jobgraph.Options, change func(g *jobgraph.Graph)) string {
		g := &jobgraph.Graph{Name: "print"}
		a, b := node(g, "a", 0), node(g, "b", 0)
		edge(g, a, b, operators.Forward).Auto = true
		if change != nil {
			change(g)
		}
		return job(t, g, o).Fingerprint
	}
	plain := of(jobgraph.Options{}, nil)
	for name, same := range map[string]string{
		"parallelism 7":  of(jobgraph.Options{Parallelism: 7}, nil),
		"of one step":    of(jobgraph.Options{}, func(g *jobgraph.Graph) { g.Nodes[1].Parallelism = 3 }),
		"no chaining":    of(jobgraph.Options{NoChaining: true}, nil),
		"a step's name":  of(jobgraph.Options{}, func(g *jobgraph.Graph) { g.Nodes[1].Name = "new" }),
		"a step's group": of(jobgraph.Options{}, func(g *jobgraph.Graph) { g.Nodes[1].Group = "gpu" }),
	} {
		if same != plain {
			t.Errorf("%s changes the fingerprint", name)
		}
	}
	seen := map[string]string{plain: "plain"}
	for _, c := range []struct {
		name   string
		change func(g *jobgraph.Graph)
	}{
		{"the job's name", func(g *jobgraph.Graph) { g.Name = "other" }},
		{"UID", func(g *jobgraph.Graph) { g.Nodes[1].UID = "c" }},
		{"kind", func(g *jobgraph.Graph) { g.Nodes[1].Kind = "map" }},
		{"format", func(g *jobgraph.Graph) { g.Nodes[1].Format = "i8" }},
		{"key groups", func(g *jobgraph.Graph) { g.Nodes[1].MaxParallelism = 64 }},
		{"strategy", func(g *jobgraph.Graph) { g.Edges[0].Auto, g.Edges[0].Strategy = false, operators.Hash }},
		{"output", func(g *jobgraph.Graph) { g.Edges[0].Output = 1 }},
		{"input", func(g *jobgraph.Graph) { g.Edges[0].Input = 1 }},
		{"one more step", func(g *jobgraph.Graph) { node(g, "c", 0) }},
		{"one more edge", func(g *jobgraph.Graph) { edge(g, g.Nodes[0], g.Nodes[1], operators.Broadcast) }},
	} {
		p := of(jobgraph.Options{}, c.change)
		if seen[p] != "" {
			t.Errorf("%s and %s have the same fingerprint", c.name, seen[p])
		}
		seen[p] = c.name
	}
}

func TestMistakes(t *testing.T) {
	for want, change := range map[string]func(g *jobgraph.Graph){
		"a → b: Forward needs equal parallelism, not 2 and 3":   func(g *jobgraph.Graph) { g.Nodes[1].Parallelism = 3 },
		`b: UID "a" is taken by a`:                              func(g *jobgraph.Graph) { g.Nodes[1].UID = "a" },
		"b: parallelism 200 is above its maximum of 128":        func(g *jobgraph.Graph) { g.Nodes[1].Parallelism = 200 },
		"the job has no steps":                                  func(g *jobgraph.Graph) { *g = jobgraph.Graph{} },
		fmt.Sprintf("above the limit of %d", flow.MaxKeyGroups): func(g *jobgraph.Graph) { g.Nodes[0].MaxParallelism = flow.MaxKeyGroups + 1 },
		fmt.Sprintf("the job has %d steps, the limit", 2+jobgraph.MaxNodes): func(g *jobgraph.Graph) {
			for i := range jobgraph.MaxNodes {
				node(g, fmt.Sprint("more", i), 1)
			}
		},
	} {
		g := &jobgraph.Graph{Name: "wrong"}
		edge(g, node(g, "a", 2), node(g, "b", 2), operators.Forward)
		change(g)
		if _, err := g.Job(jobgraph.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Job says %v, want %q", err, want)
		}
	}
}

func TestBounded(t *testing.T) {
	source := func(bounded bool) *jobgraph.Node {
		return &jobgraph.Node{New: pass, Source: &jobgraph.Source{Bounded: bounded, Enumerator: func() (connectors.Enumerator, error) {
			return connectors.Fixed(connectors.Eager, nil), nil
		}}}
	}
	g := &jobgraph.Graph{Name: "bounded"}
	g.AddNode(source(true))
	if !g.Bounded() {
		t.Error("a job whose only source ends is not bounded")
	}
	g.AddNode(source(false))
	if g.Bounded() {
		t.Error("a job with a source that does not end is bounded")
	}
}
