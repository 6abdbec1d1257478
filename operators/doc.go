// Package operators is what a subtask does with a record: the operators, the chain they are wired into, the exchange at
// its end, the gate at its beginning, and the runner that holds these together.
//
// Read in this order: operator.go (the contract, and who calls what when), port.go (how records pass from one operator to
// the next), partition.go and exchange.go (how they leave the subtask), gate.go (how several lanes become one event time and
// one barrier), chain.go, task.go (the order in which everything happens). Then the operators, each for itself:
//
//   - source.go, sink.go and timestamps.go are the ends, and event time made anew in the middle.
//   - map.go and reduce.go are one call per record, without and with state.
//   - process.go, process_keyed.go, connect.go and broadcast.go are functions of users with side outputs, state and timers;
//     process_open.go and process_timers.go are what they stand on.
//   - window.go says what windows are; assigner.go, trigger.go and aggregate.go are its parts. slices.go with
//     window_running.go is the fast way for aligned windows, window_panes.go with session.go the way for sessions and
//     triggers, and window_snapshot.go writes both down.
//
// Everything runs on the goroutine of the subtask that owns it: nothing here has a lock or starts a goroutine. Two kinds of
// work are handed out through Task.Go and Snapshot, to be done elsewhere: commits of sinks, and the writing of state that
// was frozen. Types end at the batch: operators and partitions are generic, and what is around them is not.
//
// Package operatortest runs operators as a subtask does. One that passes its Verify keeps these invariants:
//
//	I1  A record is borrowed: it is valid during the call, and nobody writes to it.
//	I2  Outputs depend on the order of records, watermarks and barriers alone: not on how they were cut into batches.
//	I3  A snapshot holds exactly what came before its barrier; an operator that goes on does not change it.
//	I4  An operator that is restored from a snapshot goes on as the one that took it, at any parallelism.
//	I5  Watermarks do not go back. Results that a watermark completes leave before it.
//	I6  No record costs an allocation, a lock or a reading of the clock; windows and timers over processing time read the
//	    clock once a batch.
//	I7  What takes long (firings, the end of the input) is cut into turns, by the head of a chain alone.
package operators
