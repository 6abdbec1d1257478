package node

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirstream/weir/local"
	"github.com/weirstream/weir/scheduler"
)

// runFlags are the flags of node run.
type runFlags struct {
	local        bool
	parallelism  int
	params       []string
	dir          string
	interval     time.Duration
	backend      string
	restore      string
	taskManagers int
	failAfter    time.Duration
	verify       bool
	verbose      bool
}

// How often people hear of a running job.
const (
	viewEvery = 500 * time.Millisecond // on a terminal
	lineEvery = 3 * time.Second        // elsewhere
	newsEvery = 50 * time.Millisecond  // failures, recoveries and the like
)

func runCommand(jobs []Job) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use: "run JOB", Short: "Run a job in this process", Args: cobra.ArbitraryArgs,
		Long: "Run a job in this process. Ctrl-C stops it with a checkpoint to go on from; twice quits at once.",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("node run takes the name of one job, not %d: node jobs lists them", len(args))}
			}
			job, err := find(jobs, args[0])
			if err != nil {
				return err
			}
			return f.run(c.OutOrStdout(), job)
		},
	}
	fl := c.Flags()
	fl.BoolVar(&f.local, "local", false, "run in this process (the only way so far)")
	fl.IntVar(&f.parallelism, "parallelism", 1, "subtasks of each step")
	fl.StringArrayVar(&f.params, "param", nil, "a parameter of the job, as name=value; may be repeated")
	fl.StringVar(&f.dir, "checkpoint-dir", "", "directory for checkpoints; without it they are kept in memory")
	fl.DurationVar(&f.interval, "checkpoint-interval", time.Second, "from one checkpoint to the next; 0 for none but the last")
	fl.StringVar(&f.backend, "state-backend", "heap", "where state is kept: heap")
	fl.StringVar(&f.restore, "restore", "", "checkpoint to start from: latest, an id such as chk-7, or a path")
	fl.IntVar(&f.taskManagers, "taskmanagers", 1, "TaskManagers to share the slots among")
	fl.DurationVar(&f.failAfter, "fail-after", 0, "panic a subtask on purpose after this time, to see the recovery")
	fl.BoolVar(&f.verify, "verify", false, "at the end compare the committed output with a plain loop's")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "log what happens inside")
	return c
}

func (f *runFlags) run(out io.Writer, job Job) error {
	if f.backend != "heap" {
		return usageError{fmt.Errorf("unknown state backend %q: there is heap", f.backend)}
	}
	if !f.local {
		return usageError{errors.New("say --local: running on a cluster is not there yet")}
	}
	if f.verify && job.Verify == nil {
		return usageError{fmt.Errorf("job %s cannot verify its output", job.Name)}
	}
	params, err := job.params(f.params)
	if err != nil {
		return err
	}
	graph, err := job.Build(params)
	if err != nil {
		return fmt.Errorf("job %s: %w", job.Name, err)
	}
	v := newView(out, f.verbose)
	cfg := local.Config{
		Parallelism: f.parallelism, TaskManagers: f.taskManagers, CheckpointDir: f.dir, CheckpointInterval: f.interval,
		Restore: f.restore, Events: v.event,
	}
	if f.verbose {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	x, err := local.Start(graph, cfg)
	if err != nil {
		return err
	}
	defer x.Close()
	for _, n := range x.Notes() {
		v.note("restore: " + n)
	}
	if err := f.follow(x, v); err != nil {
		return err
	}
	r, err := x.Wait()
	v.summary(x, r)
	if err != nil {
		return err
	}
	if f.verify && r.State == scheduler.Finished {
		verdict, err := job.Verify(params)
		if err != nil {
			return fmt.Errorf("the output is not what a plain loop computes: %w", err)
		}
		fmt.Fprintln(out, verdict)
	}
	return nil
}

// follow shows the job until it has ended, and passes on signals.
func (f *runFlags) follow(x *local.Execution, v *view) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	every := lineEvery
	if v.terminal {
		every = viewEvery
	}
	tick, news := time.NewTicker(every), time.NewTicker(newsEvery)
	defer tick.Stop()
	defer news.Stop()
	var fail <-chan time.Time
	if f.failAfter > 0 {
		fail = time.After(f.failAfter)
	}
	stopping := false
	for {
		select {
		case <-x.Done():
			return nil
		case <-tick.C:
			v.show(x)
		case <-news.C:
			v.flush()
		case <-fail:
			v.note(panicSubtask(x))
		case <-signals:
			if stopping {
				return errors.New("quit without a checkpoint")
			}
			stopping = true
			v.note("stopping with a checkpoint; Ctrl-C again quits at once")
			x.Stop()
		}
	}
}

// panicSubtask makes the last subtask fail and says which that was.
func panicSubtask(x *local.Execution) string {
	pids := x.Actors()
	for i := len(pids) - 1; i >= 0; i-- {
		if strings.Contains(pids[i].Id, "#") {
			x.Inject(pids[i], "a panic on purpose")
			return "panicking subtask " + pids[i].Id + " on purpose"
		}
	}
	return "no subtask to panic"
}
