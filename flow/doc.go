// Package flow is the vocabulary of Weir: what time is, what travels between subtasks, how keys are grouped, and how
// things are named. It imports the standard library only and every other package may import it.
//
// Read in this order: time.go, element.go, keygroup.go, codec.go, ids.go.
//
// Nobody runs it: it holds plain values. Invariants, cited elsewhere by their number:
//
//	I1  Elements of one channel are consumed in the order in which they were sent.
//	I2  A Frame has one owner at a time. Whoever holds it last calls Origin.Recycle, once.
//	I3  Watermarks of one channel never go back.
//	I4  KeyGroup(hash, max) and the hashes of keys never change between releases: state on disk depends on them.
package flow
