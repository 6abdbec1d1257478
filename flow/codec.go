package flow

// Codec turns values of T into bytes and back. A Codec is stateless and safe for use by many goroutines.
type Codec[T any] interface {
	// Append writes *v behind buf and returns the longer slice.
	Append(buf []byte, v *T) ([]byte, error)
	// Read fills *v from the front of buf and returns the rest of buf. Strings and byte slices in *v may share buf's
	// memory, so buf must not be written to afterwards. Damaged input gives an error, never a panic, and never makes
	// Read allocate much more than len(buf).
	Read(buf []byte, v *T) ([]byte, error)
	// Fingerprint names the format: equal fingerprints read each other's bytes.
	Fingerprint() string
}
