package files

import (
	"errors"
	"fmt"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// reader opens splits, and keeps the window of a closed one for the next.
type reader[T any] struct {
	ctx     connectors.ReaderContext
	options options
	format  format[T]
	window  []byte
}

func (r *reader[T]) Open(s connectors.Split) (connectors.SplitReader[T], error) {
	state, err := decodeSplit(s.State)
	if err != nil {
		return nil, fmt.Errorf("files: the state of split %s: %w", s.ID, err)
	}
	in, err := openInput(state.path, state.size)
	if err != nil {
		return nil, err
	}
	sc := newScanner(in, r.options, r.format.csv, r.window)
	r.window = nil
	sr := &splitReader[T]{reader: r, state: state, in: in, scanner: sc, decode: r.format.decode}
	if r.format.csv {
		return sr, nil // the header comes first, then the position
	}
	if err := sr.seek(); err != nil {
		in.Close()
		return nil, err
	}
	return sr, nil
}

func (r *reader[T]) Close() error { return nil }

// splitReader reads one split.
type splitReader[T any] struct {
	reader  *reader[T]
	state   splitState
	in      *input
	scanner *scanner
	decode  decode[T] // nil until the header of a CSV file was read
	v       T
}

// seek brings the scanner from where it is to the split's position.
func (r *splitReader[T]) seek() error {
	s := r.scanner
	if s.pos < r.state.pos && isGzip(r.state.path) {
		have := int64(s.w - s.r)
		if ahead := r.state.pos - s.pos; ahead <= have {
			s.r += int(ahead)
		} else {
			s.r, s.w, s.drop = 0, 0, ahead-have
		}
	} else if s.pos < r.state.pos {
		s.r, s.w, s.eof = 0, 0, false
		if err := r.in.seek(r.state.pos, r.state.size); err != nil {
			return err
		}
	}
	s.end = r.state.end
	if s.pos <= r.state.pos {
		s.pos, s.line, s.skip = r.state.pos, r.state.line, r.state.skip
	}
	return nil
}

func (r *splitReader[T]) Poll(max int, emit func(v *T, t flow.Time)) (connectors.Status, flow.Time, error) {
	r.scanner.budget = maxPollBytes
	var zero T
	for n := 0; n < max; {
		t := r.scanner.next()
		switch {
		case t.kind == tokenRecord && r.decode != nil:
			r.v = zero
			ok, err := r.decode(withoutBOM(t), &r.v)
			if err != nil {
				if err := r.reject(t, err); err != nil {
					return connectors.More, flow.MinTime, err
				}
			} else if ok {
				emit(&r.v, flow.MinTime)
				n++
			}
		case t.kind == tokenReject && r.decode != nil:
			if err := r.reject(t, t.err); err != nil {
				return connectors.More, flow.MinTime, err
			}
		case t.kind == tokenRecord || t.kind == tokenReject:
			if ok, err := r.header(t); err != nil || !ok {
				return connectors.SplitDone, flow.MaxTime, err
			}
		case t.kind == tokenStarved:
			return connectors.More, flow.MinTime, nil
		case t.kind == tokenFailed:
			return connectors.SplitDone, flow.MaxTime, r.failed(t)
		default:
			return connectors.SplitDone, flow.MaxTime, nil
		}
	}
	return connectors.More, flow.MinTime, nil
}

// header reads the first record of a CSV file and goes on to the position. ok is false when the file has no usable
// header, which is a reject, and the end of the split.
func (r *splitReader[T]) header(t token) (ok bool, err error) {
	err = t.err
	if err == nil {
		data := withoutBOM(t)
		if len(data) == 0 {
			return true, nil // an empty line before the header
		}
		r.decode, err = r.reader.format.bind(data)
	}
	if err != nil {
		return false, r.reject(t, fmt.Errorf("the header, so that the file is not read: %w", err))
	}
	return true, r.seek()
}

// failed says what it means that nothing more can be read: damaged compressed bytes are a reject, and the end of the
// split; a file that cannot be read fails the job.
func (r *splitReader[T]) failed(t token) error {
	switch {
	case r.in.err != nil:
		return r.in.err
	case errors.Is(t.err, errShorter):
		return fmt.Errorf("files: %s: %w", r.state.path, t.err)
	}
	return r.reject(t, fmt.Errorf("damaged gzip data, the rest of the file is not read: %w", t.err))
}

func (r *splitReader[T]) reject(t token, why error) error {
	return r.reader.ctx.Reject(connectors.Reject{
		Source: r.state.path, Offset: t.off, Line: t.line, Reason: why.Error(),
		Data: string(t.data[:min(len(t.data), connectors.MaxRejectData)]),
	})
}

func (r *splitReader[T]) Position() []byte {
	s := r.state
	if r.decode != nil { // otherwise still at the header
		s.pos, s.line, s.skip = r.scanner.pos, r.scanner.line, r.scanner.skip
	}
	return s.encode()
}

func (r *splitReader[T]) Close() error {
	r.reader.window = r.scanner.buf[:min(len(r.scanner.buf), bufferSize)]
	if err := r.in.Close(); err != nil {
		return fmt.Errorf("files: %w", err)
	}
	return nil
}
