package stream

import "github.com/weirstream/weir/jobgraph"

// Option sets something on a step. Every function that makes a step takes options last.
type Option func(*jobgraph.Node)

// Name is what people see: in the live view, in logs and in errors.
func Name(name string) Option { return func(n *jobgraph.Node) { n.Name = name } }

// UID is what the step's state is found by when the job is restored after it was changed. Set it on every step with state
// of a job that is to live long.
func UID(uid string) Option { return func(n *jobgraph.Node) { n.UID = uid } }

// Parallelism is the number of subtasks of this step, instead of the job's.
func Parallelism(p int) Option { return func(n *jobgraph.Node) { n.Parallelism = p } }

// MaxParallelism is the number of key groups, and so the highest parallelism that the step's state can be restored at.
// It cannot be changed once there is state. The default is 128.
func MaxParallelism(p int) Option { return func(n *jobgraph.Node) { n.MaxParallelism = p } }

// SlotSharingGroup puts the step, and those behind it that name no other, into slots of their own. Steps of one group
// share slots: slot i runs subtask i of each.
func SlotSharingGroup(name string) Option { return func(n *jobgraph.Node) { n.Group = name } }

// DisableChaining runs the step as a subtask of its own.
func DisableChaining() Option {
	return func(n *jobgraph.Node) { n.NoChainBefore, n.NoChainAfter = true, true }
}

// StartNewChain does not chain the step to the one before it.
func StartNewChain() Option { return func(n *jobgraph.Node) { n.NoChainBefore = true } }
