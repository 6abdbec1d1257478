package actors

import (
	"fmt"
	"sync"

	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/scheduler"
)

// JobSpec is a job as it is submitted.
type JobSpec struct {
	ID    flow.JobID
	Graph *jobgraph.JobGraph
	// Run is fresh at every submission.
	Run           string
	Checkpointing checkpoint.Config
	Restart       scheduler.RestartConfig
	// Restore is the checkpoint to start from; nil for a fresh start.
	Restore *checkpoint.Found
	// Rand gives numbers in [0,1) for the jitter of restarts.
	Rand func() float64
}

// Status is what is known of a job.
type Status struct {
	State  scheduler.State
	Reason string
	// Attempt is the highest given out.
	Attempt flow.Attempt
	// Restarts counts the failures of regions that were answered by a restart.
	Restarts int
	// Checkpoints are the counters and the newest completed checkpoint.
	Completed, Failed int64
	Last              checkpoint.Stats
}

// Jobs is what must outlive a JobManager: the jobs, how far their attempts have been numbered, and what became of them.
// In one process it lies in memory; a cluster replicates it. Any goroutine may use it.
type Jobs struct {
	mu   sync.Mutex // guards the map and the records
	jobs map[flow.JobID]*jobRecord
}

type jobRecord struct {
	spec    JobSpec
	status  Status
	started bool
	done    chan struct{}
}

// NewJobs makes an empty Jobs.
func NewJobs() *Jobs { return &Jobs{jobs: map[flow.JobID]*jobRecord{}} }

// Add registers a job before it is submitted. done is closed when it has ended.
func (j *Jobs) Add(spec JobSpec) (done <-chan struct{}, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.jobs[spec.ID] != nil {
		return nil, fmt.Errorf("job %s exists already", spec.ID)
	}
	r := &jobRecord{spec: spec, done: make(chan struct{})}
	j.jobs[spec.ID] = r
	return r.done, nil
}

// Graph is the graph of a job.
func (j *Jobs) Graph(id flow.JobID) (*jobgraph.JobGraph, error) {
	r, ok := j.get(id)
	if !ok {
		return nil, fmt.Errorf("no job %s", id)
	}
	return r.spec.Graph, nil
}

// Status is what is known of a job.
func (j *Jobs) Status(id flow.JobID) Status {
	r, _ := j.get(id)
	return r.status
}

func (j *Jobs) get(id flow.JobID) (jobRecord, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r := j.jobs[id]; r != nil {
		return *r, true
	}
	return jobRecord{}, false
}

func (j *Jobs) update(id flow.JobID, f func(r *jobRecord)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.jobs[id]
	was := r.status.State.Terminal()
	f(r)
	if !was && r.status.State.Terminal() {
		close(r.done)
	}
}

// unfinished lists the jobs that were started and have not ended, by id.
func (j *Jobs) unfinished() []flow.JobID {
	j.mu.Lock()
	defer j.mu.Unlock()
	var ids []flow.JobID
	for id, r := range j.jobs {
		if r.started && !r.status.State.Terminal() {
			ids = append(ids, id)
		}
	}
	return sortedIDs(ids)
}
