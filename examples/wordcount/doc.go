// Package wordcount counts words: the smallest job with state.
//
// Read: wordcount.go.
//
// Who runs it: Build is called before the job starts, split by subtasks. Invariant:
//
//	I1  A word is letters and digits, in lower case; everything else separates words.
package wordcount
