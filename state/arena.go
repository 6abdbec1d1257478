package state

import (
	"errors"
	"unsafe"
)

var errKeyTooLong = errors.New("state: a key is longer than 16 MiB when encoded: use a hash of it as the key")

// Sizes of an arena's chunks.
const (
	minChunk = 512
	maxChunk = 1 << refOffset // longer keys get a chunk of their own
	// deadBytes is how many bytes of deleted keys are tolerated beside as many bytes as the living have.
	deadBytes = 64 << 10
)

// ref is where the bytes of a key are: chunk, offset within it, length.
type ref uint64

const (
	refLen    = 24 // bits
	refOffset = 16
	maxKeyLen = 1<<refLen - 1 // bytes
)

func (r ref) len() int { return int(r & maxKeyLen) }

// arena keeps the bytes of keys. It only ever appends (I5): whoever holds a string that points in here may keep it.
type arena struct {
	chunks []*byte
	cur    []byte // the rest of the last chunk
	size   int    // of the last chunk
	bytes  int64  // in all chunks
	used   int64  // by keys, dead or alive
	dead   int64
}

func (a *arena) add(b []byte) ref {
	if len(b) > maxKeyLen {
		panic(errKeyTooLong)
	}
	if len(b) > len(a.cur) || len(a.chunks) == 0 {
		a.chunk(len(b))
	}
	off := a.size - len(a.cur)
	if len(b) == 0 { // may be said to lie anywhere, but not behind the end
		off = 0
	}
	copy(a.cur, b)
	a.cur = a.cur[len(b):]
	a.used += int64(len(b))
	return ref(len(a.chunks)-1)<<(refOffset+refLen) | ref(off)<<refLen | ref(len(b))
}

func (a *arena) chunk(need int) {
	size := max(minChunk, min(2*a.size, maxChunk), need)
	c := make([]byte, size)
	a.chunks = append(a.chunks, unsafe.SliceData(c))
	a.cur, a.size = c, size
	a.bytes += int64(size)
}

func (a *arena) get(r ref) []byte { return refBytes(a.chunks, r) }

// touch reads one byte of r, so that the others are near when they are wanted.
func (a *arena) touch(r ref) byte {
	return *(*byte)(unsafe.Add(unsafe.Pointer(a.chunks[r>>(refOffset+refLen)]), uintptr(r>>refLen&(maxChunk-1))))
}

func refBytes(chunks []*byte, r ref) []byte {
	p := unsafe.Add(unsafe.Pointer(chunks[r>>(refOffset+refLen)]), uintptr(r>>refLen&(maxChunk-1)))
	return unsafe.Slice((*byte)(p), r.len())
}

func (a *arena) wasteful() bool { return a.dead > a.used-a.dead+deadBytes }
