package sim

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/actors"
	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/connectors/memory"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/scheduler"
)

const (
	nodeName = "sim"
	jobID    = flow.JobID("sim")
	// maxSteps is many times what a disturbed run takes: by then a job hangs, or an actor runs in circles.
	maxSteps = 400_000
	// maxCalm is how long, by the clock, a job may take to end after the last fault.
	maxCalm = 20 * time.Minute
)

// Result is how a run ended.
type Result struct {
	Seed    uint64
	Hash    uint64
	Steps   int
	Virtual time.Duration
	Status  actors.Status
	// Faults are the actors that were made to fail or stopped.
	Faults int
}

func (r Result) String() string {
	return fmt.Sprintf("seed %d: %v after %d steps and %v, %d faults, %d restarts, %d checkpoints and %d failed, trace %016x",
		r.Seed, r.Status.State, r.Steps, r.Virtual.Round(time.Millisecond), r.Faults, r.Status.Restarts, r.Status.Completed,
		r.Status.Failed, r.Hash)
}

// Run makes the run of a seed. The trace goes to out unless that is nil. An error says what was wrong with the run.
func Run(seed uint64, out io.Writer) (Result, error) {
	w := newWorld(seed, out)
	p := &pipeline{shape: newShape(w), counts: memory.Collect[string](), sums: memory.Collect[string]()}
	w.trace.note("shape", "%v", p.shape)
	r := Result{Seed: seed}
	c, err := newCluster(w, p)
	if err == nil {
		err = c.run()
		r.Faults, r.Status = c.struck-c.faults.left, c.env.Jobs.Status(jobID)
	}
	if err == nil {
		err = p.check()
	}
	if err != nil {
		err = fmt.Errorf("seed %d: %w\nrepeat it with: make sim SEED=%d", seed, err, seed)
	}
	r.Hash, r.Steps, r.Virtual = w.trace.hash.Sum64(), w.steps, time.Duration(w.nanos)
	return r, err
}

// cluster is a running job in its world.
type cluster struct {
	world  *World
	env    *actors.Env
	done   <-chan struct{}
	faults *faults
	struck int // faults that were planned
}

func newCluster(w *World, p *pipeline) (*cluster, error) {
	graph, err := p.build().Build()
	if err != nil {
		return nil, err
	}
	jg, err := graph.Job(jobgraph.Options{Parallelism: p.parallelism, NoChaining: p.noChaining})
	if err != nil {
		return nil, err
	}
	quiet := actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) })
	env := &actors.Env{
		System: actor.NewActorSystem(quiet), Dispatcher: w, Clock: w, Go: w.Go, Log: slog.New(logs{trace: w.trace}),
		Store: checkpoint.NewMemory(w.store), Stats: actors.NewStats(), Jobs: actors.NewJobs(),
		Events: func(e actors.Event) { w.trace.note("event", "%v", e) },
	}
	env.System.EventStream.Subscribe(func(m any) {
		if d, ok := m.(*actor.DeadLetterEvent); ok {
			w.trace.note("dead", "%T for %s", d.Message, d.PID.Id)
		}
	})
	c := &cluster{world: w, env: env}
	cfg := checkpoint.DefaultConfig()
	cfg.Interval, cfg.Timeout = 20+flow.Time(w.rand.IntN(200)), 3000
	cfg.Retained, cfg.Tolerable = 1+w.rand.IntN(3), checkpoint.MaxTolerable
	restart := scheduler.DefaultRestartConfig()
	restart.InitialBackoff, restart.MaxBackoff = 50, 2000
	spec := actors.JobSpec{ID: jobID, Graph: jg, Run: "run", Checkpointing: cfg, Restart: restart, Rand: w.rand.Float64}
	if c.done, err = env.Jobs.Add(spec); err != nil {
		return nil, err
	}
	slots := (len(scheduler.NewPlan(jg).Shares()) + p.tms - 1) / p.tms
	node, err := actors.StartNode(env, nodeName, p.tms, slots+w.rand.IntN(2))
	if err != nil {
		return nil, err
	}
	node.Submit(jobID)
	c.faults = newFaults(w, env.System)
	c.struck = c.faults.left
	return c, nil
}

// run goes on until the job has ended.
func (c *cluster) run() error {
	w := c.world
	var calm int64
	for {
		select {
		case <-c.done:
			if s := c.env.Jobs.Status(jobID); s.State != scheduler.Finished {
				return fmt.Errorf("the job is %v: %s", s.State, s.Reason)
			}
			return nil
		default:
		}
		c.faults.step()
		if w.disturbed {
			calm = w.nanos
		}
		if w.steps >= maxSteps || time.Duration(w.nanos-calm) > maxCalm {
			return fmt.Errorf("the job has not ended after %d steps and %v: %s", w.steps, time.Duration(w.nanos), c.standing())
		}
		if !w.step() {
			return fmt.Errorf("nothing is left to be done, and the job has not ended: %s", c.standing())
		}
	}
}

// standing says where a job that does not end stands.
func (c *cluster) standing() string {
	s := c.env.Jobs.Status(jobID)
	lines := []string{fmt.Sprintf("%v, attempt %v", s.State, s.Attempt)}
	for _, r := range c.env.Stats.Read(jobID) {
		lines = append(lines, fmt.Sprintf("%+v", r))
	}
	return strings.Join(lines, "\n  ")
}
