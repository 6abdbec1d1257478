package codec

import (
	"encoding/binary"
	"slices"
)

// maxDepth bounds how deeply MessagePack arrays and maps may be nested: deeper ones would exhaust the stack.
const maxDepth = 512

// token is the head of one MessagePack value.
type token struct {
	head  int  // bytes of the head
	body  int  // bytes that follow it
	count int  // values within
	isMap bool // they are pairs
}

// readToken reads the head of the value in front of buf and checks that its body is there, and a byte at least for every
// value within it.
func readToken(buf []byte) (t token, err error) {
	if len(buf) == 0 {
		return t, short(1, buf)
	}
	const inBytes, inValues, inPairs = 1, 2, 3
	width, fixed, unit := 0, 0, 0 // bytes of the length, bytes of a fixed body, and what the length counts
	n := uint64(0)
	switch c := buf[0]; {
	case c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3: // small integers, nil, booleans
	case c <= 0x8f:
		n, unit = uint64(c&0x0f), inPairs
	case c <= 0x9f:
		n, unit = uint64(c&0x0f), inValues
	case c <= 0xbf:
		n, unit = uint64(c&0x1f), inBytes
	case c == 0xc1:
		return t, damaged("0xc1 begins no MessagePack value")
	case c <= 0xc6: // bytes
		width, unit = 1<<(c-0xc4), inBytes
	case c <= 0xc9: // extensions: the type's byte follows the length
		width, unit, fixed = 1<<(c-0xc7), inBytes, 1
	case c <= 0xcb: // floats
		fixed = 4 << (c - 0xca)
	case c <= 0xcf: // unsigned integers
		fixed = 1 << (c - 0xcc)
	case c <= 0xd3: // signed integers
		fixed = 1 << (c - 0xd0)
	case c <= 0xd8: // extensions of fixed length
		fixed = 1 + 1<<(c-0xd4)
	case c <= 0xdb: // strings
		width, unit = 1<<(c-0xd9), inBytes
	case c <= 0xdd:
		width, unit = 2<<(c-0xdc), inValues
	default:
		width, unit = 2<<(c-0xde), inPairs
	}
	t.head = 1 + width
	if len(buf) < t.head {
		return t, short(uintptr(t.head), buf)
	}
	var length [8]byte
	copy(length[8-width:], buf[1:t.head])
	n += binary.BigEndian.Uint64(length[:])
	left, body, count := uint64(len(buf)-t.head), uint64(fixed), uint64(0)
	switch unit {
	case inBytes:
		body += n
	case inValues:
		count = n
	case inPairs:
		count, t.isMap = 2*n, true
	}
	if body > left || count > left {
		return t, damaged("a MessagePack value of %d bytes and %d values, and %d bytes left", body, count, left)
	}
	t.body, t.count = int(body), int(count)
	return t, nil
}

// skipValue returns what follows the value in front of buf.
func skipValue(buf []byte, depth int) (_ []byte, err error) {
	if depth > maxDepth {
		return nil, damaged("MessagePack nested more than %d deep", maxDepth)
	}
	t, err := readToken(buf)
	if err != nil {
		return nil, err
	}
	buf = buf[t.head+t.body:]
	for range t.count {
		if buf, err = skipValue(buf, depth+1); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// sortMaps appends the value in front of in to out, with the entries of all its maps in the order of their keys' bytes. It
// returns what follows in in. in may be the bytes behind out in the same array, which it then sorts in place.
func sortMaps(out, in []byte, depth int) (_, rest []byte, err error) {
	if depth > maxDepth {
		return nil, nil, damaged("MessagePack nested more than %d deep", maxDepth)
	}
	t, err := readToken(in)
	if err != nil {
		return nil, nil, err
	}
	out, rest = append(out, in[:t.head+t.body]...), in[t.head+t.body:]
	if !t.isMap {
		for range t.count {
			if out, rest, err = sortMaps(out, rest, depth+1); err != nil {
				return nil, nil, err
			}
		}
		return out, rest, nil
	}
	var scratch []byte
	entries := make([]mapEntry, 0, t.count/2)
	for range t.count / 2 {
		e := mapEntry{from: len(scratch)}
		if scratch, rest, err = sortMaps(scratch, rest, depth+1); err != nil {
			return nil, nil, err
		}
		e.value = len(scratch)
		if scratch, rest, err = sortMaps(scratch, rest, depth+1); err != nil {
			return nil, nil, err
		}
		e.to = len(scratch)
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b mapEntry) int { return compareEntries(scratch, a, b) })
	for _, e := range entries {
		out = append(out, scratch[e.from:e.to]...)
	}
	return out, rest, nil
}
