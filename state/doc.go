// Package state keeps what operators know between records, and writes and reads it in snapshots.
//
// Read in this order: snapshot.go (the file of one subtask), table.go, shards.go, batch.go over index.go, blocks.go,
// pool.go, arena.go (keyed values in memory), frozen.go and keyedtable.go (how they are written and read back);
// backend.go, directory.go, column.go, value.go, list.go, map.go, reducing.go, aggregating.go, ttl.go (the handles of
// user functions); operatorstates.go, operatorlist.go, broadcast.go (state without keys).
//
// Everything here runs on the goroutine of the subtask that owns it, but for what Snapshot.Add was given, which runs on
// an upload's goroutine and reads only what was frozen. The one thing both touch is the count of holders of a table.
//
//	I1  A snapshot has the state as it was when it was taken, whatever is written meanwhile.
//	I2  What a snapshot wrote is read back over any other ranges of key groups, each key once.
//	I3  A block of rows that a Frozen holds is copied before it is written to.
//	I4  No call stops the world to grow: at most one segment of an index is rehashed, one block of rows allocated, at a
//	    time.
//	I5  Bytes of an arena are never overwritten.
//	I6  The order of rows, and so of everything that is written or visited, follows from the calls alone.
package state
