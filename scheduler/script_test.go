package scheduler

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/operators"
)

// TestScripts runs the scripts in testdata/scripts: what happens to one or two jobs and a pool of slots, and what they do. Run
// with -rewrite to take the output as expected.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{jobs: map[flow.JobID]*Job{}}
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	pool *SlotPool
	jobs map[flow.JobID]*Job
	now  flow.Time
	out  strings.Builder
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	if d.HasArg("at") {
		var at int
		d.ScanArgs(t, "at", &at)
		s.now = flow.Time(at)
	}
	id := flow.JobID("a")
	if d.HasArg("job") {
		var name string
		d.ScanArgs(t, "job", &name)
		id = flow.JobID(name)
	}
	switch d.Cmd {
	case "pool":
		s.pool = NewSlotPool(Fill)
		if d.HasArg("spread") {
			s.pool = NewSlotPool(Spread)
		}
	case "plan":
		s.plan(t, d, id)
	case "join":
		tm := TaskManager{ID: TaskManagerID(d.CmdArgs[0].Key), Address: "host-" + d.CmdArgs[0].Key}
		d.ScanArgs(t, "slots", &tm.Slots)
		if d.HasArg("address") {
			d.ScanArgs(t, "address", &tm.Address)
		}
		s.deliver(s.pool.Join(tm))
	case "lose":
		tm := TaskManagerID(d.CmdArgs[0].Key)
		for _, j := range s.pool.Lose(tm) {
			s.handle(j, TaskManagerLost{tm, "no heartbeat for 10 s"})
		}
	case "request":
		s.deliver(s.pool.Request(id, s.wants(d)))
	case "release":
		s.deliver(s.pool.Release(id, s.places(d)))
	case "hold":
		for _, p := range s.places(d) {
			fmt.Fprintf(&s.out, "%v %v\n", p, s.pool.Hold(id, p))
		}
	case "events":
		for line := range strings.Lines(d.Input) {
			s.event(t, d, id, strings.Fields(line))
		}
	case "view":
		s.view(id)
	default:
		d.Fatalf(t, "unknown command %s", d.Cmd)
	}
	if s.out.Len() == 0 {
		return "ok\n"
	}
	return s.out.String()
}

// plan makes a job from lines "vertex <parallelism> [group]" and "edge <from> <to> forward|hash".
func (s *script) plan(t *testing.T, d *datadriven.TestData, id flow.JobID) {
	p := NewPlan(graphOf(strings.Split(strings.TrimSpace(d.Input), "\n")...))
	cfg := Config{Restart: RestartConfig{Type: FixedDelay, Attempts: 3, Delay: 100}, SlotTimeout: 30_000}
	if d.HasArg("attempts") {
		d.ScanArgs(t, "attempts", &cfg.Restart.Attempts)
	}
	if d.HasArg("tolerable") {
		d.ScanArgs(t, "tolerable", &cfg.TolerableCheckpointFailures)
	}
	j, err := NewJob(id, p, cfg)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	s.jobs[id] = j
	for _, slot := range p.Slots {
		fmt.Fprintf(&s.out, "slot %d: region %d, share %v, subtasks %v\n", slot.ID, slot.Region, slot.Share, slot.Subtasks)
	}
}

// graphOf makes a graph from lines as in script.plan.
func graphOf(lines ...string) *jobgraph.JobGraph {
	g := &jobgraph.JobGraph{}
	for _, line := range lines {
		f := strings.Fields(line)
		switch f[0] {
		case "vertex":
			v := &jobgraph.Vertex{ID: flow.VertexID(len(g.Vertices)), Parallelism: number1(f[1]), MaxParallelism: 128, Group: "default"}
			if len(f) > 2 {
				v.Group = f[2]
			}
			g.Vertices = append(g.Vertices, v)
		case "edge":
			e := &jobgraph.JobEdge{From: flow.VertexID(number1(f[1])), To: flow.VertexID(number1(f[2])), Strategy: operators.Hash}
			if f[3] == "forward" {
				e.Strategy = operators.Forward
			}
			g.Vertices[e.From].Out = append(g.Vertices[e.From].Out, len(g.Edges))
			g.Vertices[e.To].In = append(g.Vertices[e.To].In, len(g.Edges))
			g.Edges = append(g.Edges, e)
		default:
			panic("graph: " + line)
		}
	}
	return g
}

func number1(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// event reads one line of an events command; slots are named by number and attempts are the current ones unless given as
// "#n".
func (s *script) event(t *testing.T, d *datadriven.TestData, id flow.JobID, f []string) {
	j := s.jobs[id]
	attempt := flow.Attempt(-1)
	if last := f[len(f)-1]; strings.HasPrefix(last, "#") {
		attempt = flow.Attempt(number1(last[1:]))
		f = f[:len(f)-1]
	}
	of := func(sl *slot) flow.Attempt {
		if attempt >= 0 {
			return attempt
		}
		return sl.region.attempt
	}
	rest := func(i int) string { return strings.Join(f[i:], " ") }
	switch f[0] {
	case "submit":
		s.handle(id, Submitted{checkpoints(f[1:])})
	case "recover": // recover <floor> <fence ms> <held slots at tm1> checkpoints...
		ev := Recovered{AttemptFloor: flow.Attempt(number1(f[1])), Fence: flow.Time(number1(f[2])), Retained: checkpoints(f[4:])}
		for h := range strings.SplitSeq(f[3], ",") {
			n := number1(h)
			ev.Held = append(ev.Held, HeldSlot{SlotID(n), Place{"tm1", "host-tm1", n}, 5, 9})
		}
		s.handle(id, ev)
	case "pull": // pull <slots> <incarnation> [cause]
		for _, sl := range s.slots(j, f[1]) {
			s.handle(id, PullDeployment{sl.ID, sl.share.place, int64(number1(f[2])), rest(3)})
		}
	case "stray": // stray <slot> <tm> <place>
		s.handle(id, PullDeployment{SlotID(number1(f[1])), Place{TaskManagerID(f[2]), "host-" + f[2], number1(f[3])}, 1, ""})
	case "ready":
		for _, sl := range s.slots(j, f[1]) {
			s.handle(id, SlotReady{sl.ID, of(sl)})
		}
	case "fail":
		sl := j.slots[number1(f[1])]
		s.handle(id, SlotFailed{sl.ID, of(sl), rest(2)})
	case "damaged":
		sl := j.slots[number1(f[1])]
		s.handle(id, RestoreFailed{sl.ID, of(sl), sl.region.checkpoint, rest(2)})
	case "stopped":
		for _, sl := range s.slots(j, f[1]) {
			s.handle(id, SlotStopped{sl.ID, sl.share.place})
		}
	case "drained":
		for _, sl := range s.slots(j, f[1]) {
			for _, st := range sl.Subtasks {
				s.handle(id, SubtaskDrained{st, of(sl)})
			}
		}
	case "closed":
		for _, sl := range s.slots(j, f[1]) {
			for _, st := range sl.Subtasks {
				s.handle(id, SubtaskClosed{st, of(sl)})
			}
		}
	case "completed": // completed <kind> <retained>...
		ids := checkpoints(f[2:])
		s.handle(id, CheckpointCompleted{ids[len(ids)-1], kindOf(f[1]), ids})
	case "uncompleted": // uncompleted <kind> <id> <cause>
		s.handle(id, CheckpointFailed{flow.CheckpointID(number1(f[2])), kindOf(f[1]), rest(3)})
	case "settled":
		s.handle(id, CheckpointsSettled{j.attempt})
	case "master":
		s.handle(id, MasterFailed{rest(1)})
	case "stop":
		s.handle(id, StopRequested{})
	case "cancel":
		s.handle(id, CancelRequested{})
	case "timer":
		for timer := range timers {
			if timer.String() == f[1] {
				s.handle(id, TimerFired{timer})
			}
		}
	default:
		d.Fatalf(t, "unknown event %q", f[0])
	}
}

func kindOf(s string) flow.BarrierKind {
	return map[string]flow.BarrierKind{"periodic": flow.Periodic, "stop": flow.Stop, "final": flow.Final}[s]
}

func checkpoints(f []string) []flow.CheckpointID {
	var ids []flow.CheckpointID
	for _, s := range f {
		ids = append(ids, flow.CheckpointID(number1(s)))
	}
	return ids
}

// slots reads "all" or "0,1,2".
func (s *script) slots(j *Job, list string) []*slot {
	if list == "all" {
		return j.slots
	}
	var all []*slot
	for n := range strings.SplitSeq(list, ",") {
		all = append(all, j.slots[number1(n)])
	}
	return all
}

// handle gives an event to a job, prints the effects, and passes what is for the pool on to it.
func (s *script) handle(id flow.JobID, ev Event) {
	j := s.jobs[id]
	if j == nil {
		return
	}
	fmt.Fprintf(&s.out, "%s < %v\n", id, ev)
	effects := j.Handle(s.now, ev)
	for _, fx := range effects {
		fmt.Fprintf(&s.out, "    %v\n", fx)
	}
	for _, fx := range effects {
		switch fx := fx.(type) {
		case AllocateSlots:
			s.deliver(s.pool.Request(id, fx.Wants))
		case FreeSlots:
			s.deliver(s.pool.Release(id, fx.Places))
		}
	}
}

func (s *script) deliver(replies []Reply) {
	for _, r := range replies {
		if s.jobs[r.Job] == nil {
			fmt.Fprintln(&s.out, r)
			continue
		}
		s.handle(r.Job, r.Event)
	}
}

// wants reads lines "<group> <index> [preferred address]".
func (s *script) wants(d *datadriven.TestData) []Want {
	var wants []Want
	for line := range strings.Lines(d.Input) {
		f := strings.Fields(line)
		w := Want{Share: Share{f[0], number1(f[1])}}
		if len(f) > 2 {
			w.Prefer = f[2]
		}
		wants = append(wants, w)
	}
	return wants
}

// places reads lines "<TaskManager> <slot>".
func (s *script) places(d *datadriven.TestData) []Place {
	var places []Place
	for line := range strings.Lines(d.Input) {
		f := strings.Fields(line)
		places = append(places, Place{TaskManager: TaskManagerID(f[0]), Slot: number1(f[1])})
	}
	return places
}

func (s *script) view(id flow.JobID) {
	v := s.jobs[id].View()
	fmt.Fprintf(&s.out, "%s %v %s\n", v.ID, v.State, v.Reason)
	for _, r := range v.Regions {
		fmt.Fprintf(&s.out, "region %d %s, attempt %d from %v, %d failures, %d/%d drained\n", r.ID, r.State, r.Attempt, r.Checkpoint, r.Failures, r.Drained, r.Subtasks)
	}
	for _, sl := range v.Slots {
		fmt.Fprintf(&s.out, "slot %d %s at %v, incarnation %d\n", sl.ID, sl.State, sl.Place, sl.Incarnation)
	}
	free, total, tms := s.pool.Count()
	fmt.Fprintf(&s.out, "pool: job has %d, %d of %d free on %d TaskManagers\n", s.pool.Held(id), free, total, tms)
}
