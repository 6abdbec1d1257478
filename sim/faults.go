package sim

import (
	"errors"
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/actors"
	"github.com/weirstream/weir/checkpoint"
)

// Limits of what goes wrong.
const (
	maxFaults   = 12   // actors that fail or are stopped
	maxFaultGap = 1500 // steps from one to the next
	storeFaults = 25   // one in so many changes of the store fails
)

// faults disturbs a run until it has done what the seed gave it to do.
type faults struct {
	world  *World
	system *actor.ActorSystem
	left   int
	next   int // step of the next
}

func newFaults(w *World, system *actor.ActorSystem) *faults {
	f := &faults{world: w, system: system, left: w.rand.IntN(maxFaults + 1)}
	w.disturbed = f.left > 0
	f.plan()
	return f
}

func (f *faults) plan() { f.next = f.world.steps + 1 + f.world.rand.IntN(maxFaultGap) }

// step does what is due. After the last fault the world is calm.
func (f *faults) step() {
	if f.left == 0 || f.world.steps < f.next {
		return
	}
	f.left--
	f.plan()
	if pids := f.actors(); len(pids) > 0 {
		f.strike(pids[f.world.rand.IntN(len(pids))])
	}
	if f.left == 0 {
		f.world.disturbed = false
		f.world.trace.note("calm", "no more faults")
	}
}

func (f *faults) strike(pid *actor.PID) {
	if f.world.one(3) {
		f.world.trace.note("kill", "%s", pid.Id)
		f.system.Root.Stop(pid)
		return
	}
	f.world.trace.note("inject", "%s", pid.Id)
	f.system.Root.Send(pid, actors.Inject{Reason: "by the seed"})
}

// actors lists all actors but the root, sorted: the registry has no order.
func (f *faults) actors() []*actor.PID {
	var ids []string
	for _, shard := range f.system.ProcessRegistry.LocalPIDs.LocalPIDs {
		for _, id := range shard.Keys() {
			if strings.HasPrefix(id, nodeName+"/") {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	pids := make([]*actor.PID, len(ids))
	for i, id := range ids {
		pids[i] = actor.NewPID(f.system.Address(), id)
	}
	return pids
}

var errStore = errors.New("the disk is not there for a moment")

// store says what goes wrong with a call of the checkpoint store. Only changes fail: what cannot be read any more is lost,
// and a job that goes back behind its last checkpoint may write records again.
func (w *World) store(op checkpoint.Op) checkpoint.Fault {
	switch op.Kind {
	case checkpoint.OpRead, checkpoint.OpWrite, checkpoint.OpList, checkpoint.OpOpen:
		return checkpoint.Fault{}
	}
	if !w.disturbed || !w.one(storeFaults) {
		w.trace.note("store", "%v", op)
		return checkpoint.Fault{}
	}
	f := checkpoint.Fault{Err: errStore, Done: w.one(2)}
	w.trace.note("store", "%v fails, done %t", op, f.Done)
	return f
}
