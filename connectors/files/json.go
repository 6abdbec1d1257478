package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

func lines(*options) (format[string], error) {
	return format[string]{decode: func(data []byte, v *string) (bool, error) {
		*v = string(data)
		return true, nil
	}}, nil
}

func jsonLines[T any](*options) (format[T], error) { return format[T]{decode: decodeJSON[T]}, nil }

func decodeJSON[T any](data []byte, v *T) (bool, error) {
	data = bytes.Trim(data, " \t\r")
	switch {
	case len(data) == 0:
		return false, nil
	case !utf8.Valid(data):
		return false, errors.New("not valid UTF-8")
	case string(data) == "null":
		return false, errors.New("null is no record")
	}
	err := json.Unmarshal(data, v)
	if err == nil {
		return true, nil
	}
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return false, err
	}
	if wrong.Field == "" {
		return false, fmt.Errorf("a JSON %s does not fit %v", wrong.Value, wrong.Type)
	}
	return false, fmt.Errorf("field %s: a JSON %s does not fit %v", wrong.Field, wrong.Value, wrong.Type)
}
