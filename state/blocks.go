package state

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// Limits of a block of rows. A block is what is copied when it is written to for the first time after a Freeze: that
// copy is the longest pause a snapshot causes, so blocks are small.
const (
	blockBytes   = 8 << 10 // aim; wide rows make larger blocks
	minBlockRows = 16
	maxBlockRows = 512
	firstRows    = 8 // rows of the first block of a small table; it doubles until it is full size
)

// blocks is an array of rows that grows without moving them, but for those of the first block while it is small. It is
// copied on write, block by block, while a Frozen holds its rows (I3).
type blocks[E any] struct {
	base  []*E     // the first row of each block
	epoch []uint32 // when each block was made or copied
	now   uint32   // goes up at every freeze; blocks of an older epoch may be held
	rows  uint32   // how many rows there is room for
	mask  uint32   // rows of a full block, less one
	shift uint8
	held  *atomic.Int32        // how many Frozen hold rows
	clone func(r uint32, e *E) // makes a copied row independent of the original; nil when copying does
}

func newBlocks[E any](held *atomic.Int32, clone func(r uint32, e *E)) blocks[E] {
	per := maxBlockRows
	if size := int(unsafe.Sizeof(*new(E))); size > 0 {
		per = min(max(blockBytes/size, minBlockRows), maxBlockRows)
	}
	shift := bits.Len(uint(per)) - 1
	return blocks[E]{shift: uint8(shift), mask: 1<<shift - 1, held: held, clone: clone}
}

// at is row r, to be read.
func (b *blocks[E]) at(r uint32) *E {
	return (*E)(unsafe.Add(unsafe.Pointer(b.base[r>>(b.shift&31)]), uintptr(r&b.mask)*unsafe.Sizeof(*new(E))))
}

// cow reports whether writes must look out for held blocks.
func (b *blocks[E]) cow() bool { return b.held.Load() > 0 }

// write is row r, to be written.
func (b *blocks[E]) write(r uint32) *E {
	if b.cow() {
		b.own(r >> (b.shift & 31))
	}
	return b.at(r)
}

// own makes sure that nobody else reads block i.
func (b *blocks[E]) own(i uint32) {
	if b.epoch[i] != b.now {
		b.copyBlock(i, b.sizeOf(i))
	}
}

func (b *blocks[E]) sizeOf(i uint32) uint32 { return min(b.rows, b.mask+1) }

// copyBlock replaces block i by a copy with room for size rows.
func (b *blocks[E]) copyBlock(i, size uint32) {
	old := unsafe.Slice(b.base[i], b.sizeOf(i))
	fresh := append([]E(nil), old...) // clears nothing before it copies
	if size > b.sizeOf(i) {
		fresh = append(make([]E, 0, size), old...)[:size]
	}
	if b.clone != nil && b.epoch[i] != b.now && b.cow() {
		for j := range old {
			b.clone(i<<b.shift+uint32(j), &fresh[j])
		}
	}
	b.base[i], b.epoch[i] = unsafe.SliceData(fresh), b.now
}

// extend makes room for row r.
func (b *blocks[E]) extend(r uint32) {
	if r < b.rows {
		return
	}
	per := b.mask + 1
	if b.rows < per {
		size := min(per, max(firstRows, uint32(1)<<bits.Len32(r)))
		if len(b.base) == 0 {
			b.base, b.epoch = append(b.base, unsafe.SliceData(make([]E, size))), append(b.epoch, b.now)
		} else {
			b.copyBlock(0, size)
		}
		b.rows = size
	}
	for b.rows <= r {
		b.base, b.epoch = append(b.base, unsafe.SliceData(make([]E, per))), append(b.epoch, b.now)
		b.rows += per
	}
}

// freeze starts a new epoch and returns the blocks as they are. The caller has counted itself in held.
func (b *blocks[E]) freeze() frozenBlocks[E] {
	b.now++
	return frozenBlocks[E]{base: append([]*E(nil), b.base...), mask: b.mask, shift: b.shift}
}

// drop forgets all blocks.
func (b *blocks[E]) drop() { b.base, b.epoch, b.rows = nil, nil, 0 }

// clearAll zeroes every row, so that nothing is kept alive by them.
func (b *blocks[E]) clearAll() {
	for i := range b.base {
		clear(unsafe.Slice(b.base[i], b.sizeOf(uint32(i))))
	}
}

func (b *blocks[E]) bytes() int64 {
	return int64(b.rows)*int64(unsafe.Sizeof(*new(E))) + int64(cap(b.base))*12
}

// frozenBlocks are the rows as they were at a freeze; any one goroutine may read them.
type frozenBlocks[E any] struct {
	base  []*E
	mask  uint32
	shift uint8
}

func (b *frozenBlocks[E]) at(r uint32) *E {
	return (*E)(unsafe.Add(unsafe.Pointer(b.base[r>>(b.shift&31)]), uintptr(r&b.mask)*unsafe.Sizeof(*new(E))))
}
