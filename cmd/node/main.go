package main

import (
	"github.com/weirstream/weir/examples"
	"github.com/weirstream/weir/node"
)

func main() {
	var jobs []node.Job
	for _, j := range examples.All() {
		n := node.Job{Name: j.Name, Doc: j.Doc, Build: j.Build, Verify: j.Verify}
		for _, p := range j.Params {
			n.Params = append(n.Params, node.Param(p))
		}
		jobs = append(jobs, n)
	}
	node.Main(jobs...)
}
