package local

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/weirstream/weir/actors"
	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/scheduler"
)

// Config says how a job is run. The zero value is a sensible choice: parallelism 1, checkpoints in memory, restarts for
// ever with growing delays.
type Config struct {
	// Parallelism is the number of subtasks of steps that do not say otherwise; 0 is 1. parallelism.default
	Parallelism int
	// TaskManagers share the slots that the job needs; 0 is 1. Several let one fail without the others.
	TaskManagers int
	// CheckpointDir is where checkpoints are kept; "" keeps them in memory, for this run only.
	// execution.checkpointing.dir
	CheckpointDir string
	// CheckpointInterval from one checkpoint to the next; 0 takes only the last one. execution.checkpointing.interval
	CheckpointInterval time.Duration
	// Checkpointing overrides all other settings of checkpoints; nil takes defaults.
	Checkpointing *checkpoint.Config
	// Restart says what happens when something fails; nil restarts for ever with growing delays. restart-strategy
	Restart *scheduler.RestartConfig
	// Restore is the checkpoint to start from: "latest", an id such as "chk-7", or a path; "" starts afresh.
	Restore string
	// DisableChaining runs every step as a subtask of its own. pipeline.operator-chaining.enabled
	DisableChaining bool
	// Log gets what people should know of; nil drops it.
	Log *slog.Logger
	// Events is told what happens, from any goroutine; nil for nobody.
	Events func(actors.Event)
}

// Limits of Config.
const (
	maxParallelism  = 1024
	maxTaskManagers = 64
	// retainedCheckpoints is how many are kept: one to fall back to when the newest is damaged.
	retainedCheckpoints = 2
	// tolerableFailures lets a checkpoint or two fail for a reason that passes.
	tolerableFailures = 10
	// Restarts in one process cost little: a short pause, in milliseconds, that grows while failures follow each other.
	firstBackoff, maxBackoff, resetBackoff flow.Time = 50, 5_000, 10_000
)

func (c *Config) check() error {
	if c.Parallelism < 0 || c.Parallelism > maxParallelism {
		return fmt.Errorf("parallelism %d is not within 1 to %d", c.Parallelism, maxParallelism)
	}
	if c.TaskManagers < 0 || c.TaskManagers > maxTaskManagers {
		return fmt.Errorf("%d TaskManagers are not within 1 to %d", c.TaskManagers, maxTaskManagers)
	}
	if c.CheckpointInterval < 0 {
		return fmt.Errorf("checkpoint interval %v is negative", c.CheckpointInterval)
	}
	if c.Restore != "" && c.CheckpointDir == "" {
		return fmt.Errorf("restore %q needs the directory of the checkpoints", c.Restore)
	}
	return nil
}

func (c *Config) checkpointing() checkpoint.Config {
	if c.Checkpointing != nil {
		return *c.Checkpointing
	}
	cfg := checkpoint.DefaultConfig()
	cfg.Interval = checkpointInterval(c.CheckpointInterval)
	cfg.Retained, cfg.Tolerable = retainedCheckpoints, tolerableFailures
	return cfg
}

func (c *Config) restart() scheduler.RestartConfig {
	if c.Restart != nil {
		return *c.Restart
	}
	r := scheduler.DefaultRestartConfig()
	r.InitialBackoff, r.MaxBackoff, r.ResetThreshold = firstBackoff, maxBackoff, resetBackoff
	return r
}
