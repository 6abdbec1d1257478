// Package jobgraph is the shape of a job: the operators that a user wired, the vertices that they are chained into, the
// subtasks that a vertex is run as, and the channels between them.
//
// Read in this order: graph.go (what the API builds), chaining.go (operators into vertices), channels.go (subtasks, lanes
// and channels), regions.go, fingerprint.go.
//
// It is data: nobody runs it, and every node that runs a job makes the same graph from the same code and arguments.
//
//	I1  Vertices are in topological order: every edge leads from a lower to a higher VertexID.
//	I2  Lanes and channels are numbered the same way by both ends of a channel.
//	I3  The fingerprint does not depend on parallelism: state may be restored at another one.
package jobgraph
