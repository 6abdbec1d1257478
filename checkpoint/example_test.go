package checkpoint_test

import (
	"fmt"
	"hash/crc32"

	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/flow"
)

// shell carries out what a coordinator decides. The actor of a job does the same with messages and helper goroutines; here
// everything is done at once, and answers are queued so that Handle is never called from within an effect.
type shell struct {
	coordinator *checkpoint.Coordinator
	store       checkpoint.Store
	dir         string // of the job
	plan        checkpoint.Plan
	now, alarm  flow.Time
	inbox       []checkpoint.Event
}

func (s *shell) post(ev checkpoint.Event) { s.inbox = append(s.inbox, ev) }

// run works until nothing is left to do.
func (s *shell) run() {
	for len(s.inbox) > 0 {
		ev := s.inbox[0]
		s.inbox = s.inbox[1:]
		for _, fx := range s.coordinator.Handle(s.now, ev) {
			fmt.Println(fx)
			s.do(fx)
		}
	}
}

func (s *shell) do(fx checkpoint.Effect) {
	switch e := fx.(type) {
	case checkpoint.SendTrigger:
		// The enumerators first, then the barriers. Here the subtasks answer on the spot.
		s.post(checkpoint.EnumeratorsSaved{ID: e.ID, Sources: []checkpoint.EnumeratorState{{UID: "numbers", State: []byte("all found")}}})
		for _, v := range s.plan.Vertices {
			for i, attempt := range v.Attempts {
				s.snapshot(e.ID, flow.SubtaskID{Vertex: v.ID, Index: i}, attempt)
			}
		}
	case checkpoint.WriteManifest:
		if err := checkpoint.CreateManifest(s.store, s.dir, e.Manifest); err != nil {
			s.post(checkpoint.ManifestFailed{ID: e.Manifest.ID, Err: err})
		} else {
			s.post(checkpoint.ManifestWritten{ID: e.Manifest.ID})
		}
	case checkpoint.Delete:
		s.post(checkpoint.FilesDeleted{ID: e.ID, Err: checkpoint.Remove(s.store, s.dir, e.ID)})
	case checkpoint.ScheduleTick:
		s.alarm = e.At
	case checkpoint.NotifyComplete, checkpoint.NotifyAborted: // a message to every subtask
	case checkpoint.Answer, checkpoint.Report: // to whoever asked; to log, metrics and web
	case checkpoint.FailJob, checkpoint.Settled: // to the job's state machine
	}
}

// snapshot is what a subtask does when the barrier has passed it.
func (s *shell) snapshot(id flow.CheckpointID, subtask flow.SubtaskID, attempt flow.Attempt) {
	file, state := checkpoint.StateFile(subtask, attempt), []byte("the state of "+subtask.String())
	w, err := s.store.Create(checkpoint.FileName(s.dir, id, file))
	if err == nil {
		defer w.Abort()
		if _, err = w.Write(state); err == nil {
			err = w.Commit()
		}
	}
	if err != nil {
		s.post(checkpoint.Decline{ID: id, Subtask: subtask, Attempt: attempt, Reason: err.Error()})
		return
	}
	s.post(checkpoint.Ack{ID: id, Subtask: subtask, Attempt: attempt, Info: checkpoint.AckInfo{
		File: file, Size: int64(len(state)), Sum: crc32.Checksum(state, crc32.MakeTable(crc32.Castagnoli)),
	}})
}

func ExampleCoordinator() {
	config := checkpoint.DefaultConfig()
	config.Interval = 1000
	job := checkpoint.Job{Name: "sums", Run: "r1", Term: 1}
	coordinator, err := checkpoint.New(config, job)
	if err != nil {
		fmt.Println(err)
		return
	}
	dir, err := checkpoint.JobDir(job.Name)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := &shell{coordinator: coordinator, store: checkpoint.NewMemory(nil), dir: dir, plan: checkpoint.Plan{
		Fingerprint: "5ca1ab1e",
		Sources:     []string{"numbers"},
		Vertices: []checkpoint.PlanVertex{
			{ID: 0, Name: "numbers", UIDs: []string{"numbers"}, MaxParallelism: 128, Attempts: []flow.Attempt{1}},
			{ID: 1, Name: "sum", UIDs: []string{"sum"}, MaxParallelism: 128, Attempts: []flow.Attempt{1}},
		},
	}}
	next, err := checkpoint.NextID(s.store, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	s.post(checkpoint.Start{Plan: s.plan, NextID: next})
	s.run()
	for range 2 { // the alarm rings
		s.now = s.alarm
		s.post(checkpoint.Tick{})
		s.run()
	}

	found, err := checkpoint.FindRestore(s.store, "latest", checkpoint.Expect{Job: "sums", Fingerprint: "5ca1ab1e"})
	if err != nil {
		fmt.Println(err)
		return
	}
	sum := found.Manifest.Operator("sum").Subtasks[0]
	state, err := checkpoint.ReadAll(s.store, checkpoint.FileName(found.Dir, found.Manifest.ID, sum.File), 1<<20)
	fmt.Println("restore", found.Manifest.ID, string(state), err)
	// Output:
	// schedule tick at 1000
	// send trigger chk-1 periodic
	// schedule tick at 601000
	// write manifest chk-1 periodic, 2 vertices
	// notify complete chk-1 periodic
	// report chk-1 periodic completed after 0 ms: 2 of 2 subtasks, 32 bytes, failures in a row 0
	// schedule tick at 2000
	// send trigger chk-2 periodic
	// schedule tick at 602000
	// write manifest chk-2 periodic, 2 vertices
	// notify complete chk-2 periodic
	// report chk-2 periodic completed after 0 ms: 2 of 2 subtasks, 32 bytes, failures in a row 0
	// delete chk-1: subsumed
	// schedule tick at 3000
	// restore chk-2 the state of 1.0 <nil>
}
