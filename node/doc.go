// Package node is what a Weir process is: the commands of the node binary, and Main, over which users build their own
// binary with their own jobs.
//
//	func main() { node.Main(myJobs...) }
//
// Read in this order: main.go, run.go, view.go.
//
// It runs on the main goroutine; the signal handler is the one other.
package node
