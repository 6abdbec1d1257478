package files

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
)

// input is the bytes of a file, decompressed if its name says so.
type input struct {
	path string
	f    *os.File
	left int64 // bytes of the file still to read
	gz   *gzip.Reader
	err  error // of the file itself, as opposed to what its bytes say
}

// openInput opens a file of which size bytes are to be read; -1 for all.
func openInput(path string, size int64) (*input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("files: %w", err)
	}
	if size < 0 {
		size = info.Size()
	}
	if info.Size() < size {
		f.Close()
		return nil, fmt.Errorf("files: %s had %d bytes when it was found and has %d now; input must not change while a job reads it", path, size, info.Size())
	}
	return &input{path: path, f: f, left: size}, nil
}

// seek goes to an offset of a plain file of which size bytes are to be read.
func (in *input) seek(pos, size int64) error {
	if _, err := in.f.Seek(pos, io.SeekStart); err != nil {
		return fmt.Errorf("files: %w", err)
	}
	in.left = size - pos
	return nil
}

// Read implements io.Reader. If it fails while in.err is nil, the compressed bytes are damaged.
func (in *input) Read(p []byte) (int, error) {
	if !isGzip(in.path) {
		return in.raw(p)
	}
	if in.gz == nil {
		gz, err := gzip.NewReader(bufio.NewReaderSize(rawReader{in}, bufferSize))
		if err == io.EOF { // not even a header
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		in.gz = gz
	}
	return in.gz.Read(p)
}

type rawReader struct{ *input }

func (r rawReader) Read(p []byte) (int, error) { return r.raw(p) }

func (in *input) raw(p []byte) (int, error) {
	if in.left <= 0 {
		return 0, io.EOF
	}
	n, err := in.f.Read(p[:min(int64(len(p)), in.left)])
	in.left -= int64(n)
	switch {
	case err == io.EOF && in.left > 0:
		err = fmt.Errorf("%s has become shorter while it was read", in.path)
		fallthrough
	case err != nil && err != io.EOF:
		in.err = fmt.Errorf("files: %w", err)
		err = in.err
	}
	return n, err
}

func (in *input) Close() error { return in.f.Close() }
