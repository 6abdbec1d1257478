package actors

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/flow"
)

// node is the root of a process' actors: it keeps the JobManager and the TaskManagers running, whatever ends them.
type node struct {
	env          *Env
	taskManagers int
	slots        int // of each TaskManager
	jobManager   *actor.PID
	incarnations []int
	stopping     bool
}

// Node is a running process' root.
type Node struct {
	env  *Env
	root *actor.PID
	name string

	taskManagers int
}

// StartNode starts a JobManager and so many TaskManagers, each with so many slots, under a root actor called name.
func StartNode(env *Env, name string, taskManagers, slots int) (*Node, error) {
	n := &Node{env: env, name: name, taskManagers: taskManagers}
	env.Members = n.TaskManagers
	root, err := env.System.Root.SpawnNamed(env.props(func() actor.Actor {
		return &node{env: env, taskManagers: taskManagers, slots: slots, incarnations: make([]int, taskManagers)}
	}), name)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	n.root = root
	return n, nil
}

const (
	jobManagerName    = "jobmanager"
	taskManagerPrefix = "taskmanager-"
)

// JobManager is the PID of the node's JobManager.
func (n *Node) JobManager() *actor.PID {
	return actor.NewPID(n.env.System.Address(), n.name+"/"+jobManagerName)
}

// TaskManagers are the PIDs of the node's TaskManagers that live; the slots of the others are stopped.
func (n *Node) TaskManagers() []*actor.PID {
	var pids []*actor.PID
	for i := range n.taskManagers {
		pid := actor.NewPID(n.env.System.Address(), fmt.Sprintf("%s/%s%d", n.name, taskManagerPrefix, i))
		if _, alive := n.env.System.ProcessRegistry.GetLocal(pid.Id); alive {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Submit starts a job that was added to Env.Jobs.
func (n *Node) Submit(id flow.JobID) { n.env.System.Root.Send(n.root, submitJob{id}) }

// Stop asks a job to end with a checkpoint.
func (n *Node) Stop(id flow.JobID) { n.env.System.Root.Send(n.root, StopJob{id}) }

// Cancel asks a job to end at once.
func (n *Node) Cancel(id flow.JobID) { n.env.System.Root.Send(n.root, CancelJob{id}) }

// Shutdown stops all actors, and waits for them.
func (n *Node) Shutdown() error { return n.env.System.Root.StopFuture(n.root).Wait() }

// Receive implements actor.Actor.
func (n *node) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		n.spawnJobManager(c)
		for i := range n.taskManagers {
			n.spawnTaskManager(c, i)
		}
	case *actor.Stopping:
		n.stopping = true
	case submitJob, StopJob, CancelJob:
		c.Send(n.jobManager, m)
	case *actor.Terminated:
		if n.stopping {
			return
		}
		if m.Who.Equal(n.jobManager) {
			n.spawnJobManager(c)
			return
		}
		for i := range n.taskManagers {
			if m.Who.Id == fmt.Sprintf("%s/%s%d", c.Self().Id, taskManagerPrefix, i) {
				n.spawnTaskManager(c, i)
			}
		}
	}
}

func (n *node) spawnJobManager(c actor.Context) {
	pid, err := c.SpawnNamed(jobManagerProps(n.env), jobManagerName)
	if err != nil {
		panic(&Failure{Cause: fmt.Errorf("spawn of the JobManager: %w", err)})
	}
	n.jobManager = pid
}

func (n *node) spawnTaskManager(c actor.Context, i int) {
	props := taskManagerProps(n.env, n.slots, n.jobManager, &n.incarnations[i])
	if _, err := c.SpawnNamed(props, fmt.Sprintf("%s%d", taskManagerPrefix, i)); err != nil {
		panic(&Failure{Cause: fmt.Errorf("spawn of TaskManager %d: %w", i, err)})
	}
}

// HandleFailure implements actor.SupervisorStrategy: whatever fails is restarted.
func (n *node) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	f := failureOf(reason)
	n.env.Log.Error("actor has failed and is restarted", "actor", child.Id, "error", f.Error(), "stack", f.Stack)
	sup.RestartChildren(child)
}
