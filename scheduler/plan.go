package scheduler

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/jobgraph"
)

// RegionID numbers the pipelined regions of a job from 0.
type RegionID int

// SlotID numbers the slots of a job from 0.
type SlotID int

// Share names what is put into one slot of a TaskManager: subtask Index of every vertex of a slot sharing group.
type Share struct {
	Group string
	Index int
}

func (s Share) String() string { return fmt.Sprintf("%s/%d", s.Group, s.Index) }

// Slot is what one slot actor runs: the subtasks of one share that are in one region.
type Slot struct {
	ID       SlotID
	Region   RegionID
	Share    Share
	Subtasks []flow.SubtaskID
}

// Plan is a JobGraph cut into slots. It is the same on every node that has the graph.
type Plan struct {
	Regions int
	Slots   []Slot // by region, group and index; Slots[i].ID == i
}

// NewPlan cuts g into regions, shares and slots.
func NewPlan(g *jobgraph.JobGraph) *Plan {
	of, regions := g.Regions()
	p := &Plan{Regions: regions}
	type key struct {
		region RegionID
		share  Share
	}
	at := map[key]int{}
	for _, s := range g.Subtasks() {
		k := key{RegionID(of[s]), Share{g.Vertices[s.Vertex].Group, s.Index}}
		i, known := at[k]
		if !known {
			i = len(p.Slots)
			at[k] = i
			p.Slots = append(p.Slots, Slot{Region: k.region, Share: k.share})
		}
		p.Slots[i].Subtasks = append(p.Slots[i].Subtasks, s)
	}
	slices.SortFunc(p.Slots, func(a, b Slot) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Share.Group, b.Share.Group), cmp.Compare(a.Share.Index, b.Share.Index))
	})
	for i := range p.Slots {
		p.Slots[i].ID = SlotID(i)
	}
	return p
}

// Shares lists the shares of the plan, by group and index: as many slots of TaskManagers does the job need.
func (p *Plan) Shares() []Share {
	seen := map[Share]bool{}
	var all []Share
	for _, s := range p.Slots {
		if !seen[s.Share] {
			seen[s.Share] = true
			all = append(all, s.Share)
		}
	}
	slices.SortFunc(all, func(a, b Share) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Index, b.Index))
	})
	return all
}
