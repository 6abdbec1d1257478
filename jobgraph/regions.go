package jobgraph

import "github.com/weirstream/weir/flow"

// Regions cuts the job into the parts that fail and restart on their own: subtasks joined by channels are in one region.
// It returns the region of every subtask, numbered from 0 in the order of Subtasks.
func (j *JobGraph) Regions() (of map[flow.SubtaskID]int, count int) {
	all := j.Subtasks()
	parent := make(map[flow.SubtaskID]flow.SubtaskID, len(all))
	for _, s := range all {
		parent[s] = s
	}
	find := func(s flow.SubtaskID) flow.SubtaskID {
		for parent[s] != s {
			parent[s] = parent[parent[s]]
			s = parent[s]
		}
		return s
	}
	for _, s := range all {
		for _, l := range j.Lanes(s) {
			parent[find(l.From)] = find(s)
		}
	}
	of = make(map[flow.SubtaskID]int, len(all))
	roots := map[flow.SubtaskID]int{}
	for _, s := range all {
		r, seen := roots[find(s)]
		if !seen {
			r = len(roots)
			roots[find(s)] = r
		}
		of[s] = r
	}
	return of, len(roots)
}
