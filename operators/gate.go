package operators

import (
	"fmt"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

// Gate is the input side of a subtask: it merges the watermarks of its lanes and aligns their barriers. It is pure: it is
// told what has come and says what follows from it.
//
// A lane that has delivered the barrier of the checkpoint being aligned is held: the subtask takes nothing more from it
// until the barrier has come on all lanes, so that no record of after the barrier gets into the snapshot.
type Gate struct {
	merger    *timeservice.Merger
	held      []bool
	ended     []bool
	lanes     int
	left      int // lanes that the barrier is still to come on; 0 when not aligning
	open      int // lanes that have not ended
	barrier   flow.Barrier
	last      flow.CheckpointID // newest checkpoint whose alignment was completed or given up
	watermark flow.Watermark
}

// NewGate makes a gate for lanes that all stand at watermark from: MinTime, or what was restored.
func NewGate(lanes int, from flow.Time) *Gate {
	g := &Gate{
		merger:    timeservice.NewMerger(lanes, from),
		held:      make([]bool, lanes),
		ended:     make([]bool, lanes),
		lanes:     lanes,
		open:      lanes,
		watermark: flow.Watermark{Time: from},
	}
	return g
}

// Watermark is where event time stands over all lanes.
func (g *Gate) Watermark() flow.Watermark { return g.watermark }

// Advance takes a watermark of one lane. It reports the merged watermark, and whether that has changed.
func (g *Gate) Advance(lane int, w flow.Watermark) (flow.Watermark, bool) {
	return g.merged(g.merger.Set(lane, w.Time, w.Idle))
}

// Active says that records have come on a lane, which ends its idleness.
func (g *Gate) Active(lane int) { g.merger.Active(lane) }

func (g *Gate) merged(t flow.Time, idle, changed bool) (flow.Watermark, bool) {
	if !changed {
		return g.watermark, false
	}
	g.watermark = flow.Watermark{Time: max(t, g.watermark.Time), Idle: idle}
	return g.watermark, true
}

// Alignment is what a barrier came to.
type Alignment uint8

const (
	// Ignored: the barrier belongs to a checkpoint that is over.
	Ignored Alignment = iota
	// Hold: hold this lane until the barrier has come on all.
	Hold
	// Aligned: the barrier has come on all lanes. Snapshot, then release all held lanes.
	Aligned
	// Superseded: another checkpoint's barrier has come first on this lane. Decline the one returned, release all held
	// lanes, and offer this barrier again.
	Superseded
)

// Barrier takes a barrier of one lane. For Superseded it returns the barrier that was given up, otherwise b.
func (g *Gate) Barrier(lane int, b flow.Barrier) (Alignment, flow.Barrier) {
	if b.Checkpoint <= g.last {
		return Ignored, b
	}
	if g.left > 0 && b.Checkpoint != g.barrier.Checkpoint {
		if b.Checkpoint < g.barrier.Checkpoint {
			return Ignored, b
		}
		old := g.barrier
		g.giveUp()
		return Superseded, old
	}
	if g.left == 0 {
		g.barrier, g.left = b, g.lanes
	}
	if g.held[lane] {
		panic(fmt.Sprintf("gate: second %v on lane %d", b, lane))
	}
	g.held[lane] = true
	g.left--
	if g.left > 0 {
		return Hold, b
	}
	g.giveUp()
	return Aligned, b
}

// Abort gives up aligning checkpoint id. It reports whether lanes are to be released.
func (g *Gate) Abort(id flow.CheckpointID) bool {
	if g.left == 0 || g.barrier.Checkpoint != id {
		return false
	}
	g.giveUp()
	return true
}

func (g *Gate) giveUp() {
	g.last, g.left = g.barrier.Checkpoint, 0
	clear(g.held)
}

// Aligning is the barrier being aligned, if there is one.
func (g *Gate) Aligning() (flow.Barrier, bool) { return g.barrier, g.left > 0 }

// End takes the end of input of one lane. It reports whether that was the last one.
func (g *Gate) End(lane int) bool {
	if g.ended[lane] {
		panic(fmt.Sprintf("gate: second end of input on lane %d", lane))
	}
	g.ended[lane] = true
	g.open--
	return g.open == 0
}
