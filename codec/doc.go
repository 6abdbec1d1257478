// Package codec turns values into bytes and back: records between processes, and state in snapshots. It also holds what
// keyed operators need to know of a key type: how it is hashed, ordered and stored.
//
// Read in this order: codec.go (For and the errors), plan.go (the tree of functions), scalars.go, struct.go, collections.go,
// maps.go, marshaler.go (the kinds of types), layout.go (what a type has in it), key.go, and apart from these msgpack.go
// with msgpackscan.go.
//
// A type is inspected by reflection once, by For. What comes out is a tree of functions over unsafe.Pointer that knows sizes
// and offsets; only maps, pointers, and slices whose elements are not plain bytes ask reflection for memory again. The
// format has no tags: both sides have the type, and the fingerprint says which.
//
//	bool                 1 byte, 0 or 1
//	integers, floats     little-endian, 1 to 8 bytes; int and uint are 8
//	string               length, bytes
//	struct               its fields in order, those named _ left out
//	array                its elements
//	slice                0 for nil, or length + 1 and the elements
//	map                  0 for nil, or length + 1 and key, value, key, value, ... by the order of the keys' bytes
//	pointer              0 for nil, or 1 and what it points to
//	time.Time            seconds since 1970 in 8 bytes, nanoseconds in 4
//	encoding.BinaryMarshaler, where a type cannot be stored otherwise    length, bytes
//
// Lengths are unsigned varints. Integers are not: three of them take 22 ns to write and read as varints, and 12 ns as the
// one copy of 24 bytes that neighbours in a struct become.
//
// Nobody runs it: codecs have no state and may be used by many goroutines. Invariants:
//
//	I1  Read of what Append wrote gives an equal value and leaves exactly the bytes behind it.
//	I2  Equal values have equal bytes, whatever the order of their maps in memory.
//	I3  Read of any bytes gives a value or an error, and allocates no more than a fixed multiple of what it was given.
//	I4  Formats and hashes do not change between releases without a change of the fingerprint.
package codec
