package lake

import "errors"

// WithHint attaches what a user can do next to an error. The hint is printed
// on a line of its own; it is not part of the error's text.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{err: err, hint: hint}
}

// HintOf gives the outermost hint of an error: of any error in the chain that
// has a method Hint() string. It is empty where there is none.
func HintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }
func (h *hinted) Hint() string  { return h.hint }
