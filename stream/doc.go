// Package stream is how a job is written: typed functions over Stream[T] and Keyed[K, T], wired into a graph.
//
//	job := stream.NewJob("wordcount")
//	lines := stream.From(job, files.Lines("input"), stream.NoWatermarks[string]())
//	words := stream.FlatMap(lines, func(l *string, out *stream.Collector[Word]) { … })
//	counts := stream.KeyBy(words, func(w *Word) string { return w.Text }).Reduce(func(sum, w *Word) { sum.N += w.N })
//	counts.To(print.Sink[Word](os.Stdout))
//
// A job is data until package local or a node runs it. Mistakes in the wiring are collected, and Job.Build reports them
// with the name of the step: nothing panics at run time because of them.
//
// # Borrowed records
//
// User functions get records as *T. Such a pointer is borrowed: it is valid during the call, and the record must not be
// changed, because others may be looking at it. Copy what is to be kept (v := *p; mind slices and maps inside). Inside a
// process nothing else is copied or encoded.
//
// # One function, many subtasks
//
// Functions given to Map, Filter and the like are shared by all subtasks of the step, which run at the same time: they
// must not write to variables that they capture. Functions with state are made per subtask; see Process.
//
// Read in this order: job.go, stream.go, options.go, keyed.go, window.go, process.go.
//
// It runs in the user's program, before anything else does.
//
//	I1  An edge leads to a step that was made later: graphs have no cycles.
//	I2  Without a UID of the user's, a step's UID is its kind and its number among that kind.
package stream
