package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/actors"
	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/scheduler"
	"github.com/weirstream/weir/stream"
	"github.com/weirstream/weir/timeservice"
)

// Run runs a job to its end. When ctx is done it stops the job with a checkpoint to go on from.
func Run(ctx context.Context, job *stream.Job, cfg Config) (*Result, error) {
	x, err := Start(job, cfg)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	select {
	case <-x.Done():
	case <-ctx.Done():
		x.Stop()
	}
	return x.Wait()
}

// Execution is a running job.
type Execution struct {
	graph  *jobgraph.JobGraph
	env    *actors.Env
	node   *actors.Node
	id     flow.JobID
	done   <-chan struct{}
	begun  time.Time
	notes  []string
	closed bool
}

// Result is how a job ended.
type Result struct {
	State    scheduler.State
	Duration time.Duration
	Status   actors.Status
	Subtasks []actors.Reading
}

// Start starts a job. Close must be called in the end.
func Start(job *stream.Job, cfg Config) (*Execution, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	graph, err := job.Build()
	if err != nil {
		return nil, err
	}
	jg, err := graph.Job(jobgraph.Options{Parallelism: cfg.Parallelism, NoChaining: cfg.DisableChaining})
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", job.Name(), err)
	}
	x := &Execution{graph: jg, id: flow.JobID(jg.Name), begun: time.Now()}
	spec := actors.JobSpec{
		ID: x.id, Graph: jg, Run: newRun(), Checkpointing: cfg.checkpointing(), Restart: cfg.restart(), Rand: rand.Float64,
	}
	store, err := x.open(cfg, &spec)
	if err != nil {
		return nil, err
	}
	if err := x.start(cfg, store, spec); err != nil {
		return nil, err
	}
	return x, nil
}

// open opens the checkpoint store, and finds the checkpoint to start from.
func (x *Execution) open(cfg Config, spec *actors.JobSpec) (checkpoint.Store, error) {
	if cfg.CheckpointDir == "" {
		return checkpoint.NewMemory(nil), nil
	}
	store, err := checkpoint.NewDir(cfg.CheckpointDir)
	if err != nil {
		return nil, err
	}
	if err := belongs(store, x.graph.Name); err != nil {
		return nil, fmt.Errorf("checkpoint directory %s: %w", cfg.CheckpointDir, err)
	}
	if cfg.Restore == "" {
		return store, nil
	}
	ref := cfg.Restore
	if strings.HasPrefix(ref, store.Root()+string(os.PathSeparator)) {
		ref = ref[len(store.Root())+1:]
	}
	found, err := checkpoint.FindRestore(store, ref, checkpoint.Expect{Job: x.graph.Name, Fingerprint: x.graph.Fingerprint})
	if err != nil {
		return nil, fmt.Errorf("checkpoint directory %s: %w", cfg.CheckpointDir, err)
	}
	x.notes = found.Notes()
	spec.Restore = found
	return store, nil
}

// belongs refuses a directory that has checkpoints of other jobs only: it was meant for one of those.
func belongs(s checkpoint.Store, job string) error {
	all, err := s.List("")
	if err != nil {
		return err
	}
	mine, err := checkpoint.JobDir(job)
	if err != nil {
		return err
	}
	other := ""
	for _, f := range all {
		dir, _, _ := strings.Cut(f.Name, "/")
		if dir == mine {
			return nil
		}
		other = dir
	}
	if other != "" {
		return fmt.Errorf("it holds checkpoints of job %s and none of job %s: give each job a directory of its own", other, job)
	}
	return nil
}

func (x *Execution) start(cfg Config, store checkpoint.Store, spec actors.JobSpec) error {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	quiet := actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) })
	x.env = &actors.Env{
		System: actor.NewActorSystem(quiet), Dispatcher: actors.Goroutines{}, Clock: timeservice.Wall{},
		Go:  func(work func()) { go work() }, // ends with the work: see the callers
		Log: log, Store: store, Events: cfg.Events, Stats: actors.NewStats(), Jobs: actors.NewJobs(),
	}
	var err error
	if x.done, err = x.env.Jobs.Add(spec); err != nil {
		return err
	}
	tms := max(1, cfg.TaskManagers)
	slots := (len(scheduler.NewPlan(x.graph).Shares()) + tms - 1) / tms
	if x.node, err = actors.StartNode(x.env, "local", tms, slots); err != nil {
		return err
	}
	x.node.Submit(x.id)
	return nil
}

// newRun names a submission.
func newRun() string {
	return strconv.FormatInt(time.Now().UnixMilli(), 36) + strconv.FormatUint(uint64(rand.Uint32()), 36)
}

func checkpointInterval(d time.Duration) flow.Time {
	if d > 0 {
		return max(checkpoint.MinInterval, flow.Duration(d))
	}
	return 0
}

// Done is closed when the job has ended.
func (x *Execution) Done() <-chan struct{} { return x.done }

// Graph is what is running.
func (x *Execution) Graph() *jobgraph.JobGraph { return x.graph }

// Notes say what a person should know of the start: damaged checkpoints that were passed over.
func (x *Execution) Notes() []string { return x.notes }

// Stop asks the job to end with a checkpoint.
func (x *Execution) Stop() { x.node.Stop(x.id) }

// Cancel asks the job to end at once.
func (x *Execution) Cancel() { x.node.Cancel(x.id) }

// Status is how the job stands.
func (x *Execution) Status() actors.Status { return x.env.Jobs.Status(x.id) }

// Subtasks are the numbers of all subtasks.
func (x *Execution) Subtasks() []actors.Reading { return x.env.Stats.Read(x.id) }

// Actors lists the actors of this execution, for tests that disturb them.
func (x *Execution) Actors() []*actor.PID {
	var pids []*actor.PID
	for _, shard := range x.env.System.ProcessRegistry.LocalPIDs.LocalPIDs {
		for _, id := range shard.Keys() {
			if strings.HasPrefix(id, "local/") {
				pids = append(pids, actor.NewPID(x.env.System.Address(), id))
			}
		}
	}
	slices.SortFunc(pids, func(a, b *actor.PID) int { return strings.Compare(a.Id, b.Id) })
	return pids
}

// Inject makes the actor at pid fail, as a panic of its own would.
func (x *Execution) Inject(pid *actor.PID, reason string) {
	x.env.System.Root.Send(pid, actors.Inject{Reason: reason})
}

// Kill stops the actor at pid, as if somebody had ended it.
func (x *Execution) Kill(pid *actor.PID) { x.env.System.Root.Stop(pid) }

// Wait waits for the job's end. A job that has failed is an error.
func (x *Execution) Wait() (*Result, error) {
	<-x.done
	st := x.Status()
	r := &Result{State: st.State, Duration: time.Since(x.begun), Status: st, Subtasks: x.Subtasks()}
	if st.State == scheduler.Failed {
		return r, fmt.Errorf("job %s failed: %w", x.graph.Name, errors.New(st.Reason))
	}
	return r, nil
}

// Close ends what is left: actors, goroutines, files. A job that still runs is cancelled without a checkpoint.
func (x *Execution) Close() {
	if !x.closed {
		x.closed = true
		_ = x.node.Shutdown() // times out when user code hangs: nothing more can be done about that here
	}
}
