// Package stack holds a stack of integers.
package stack

import "errors"

// ErrEmpty is returned when a value is asked of an empty stack.
var ErrEmpty = errors.New("stack is empty")

// Stack is a last-in, first-out list. The zero value is ready to use.
type Stack struct {
	items []int
}

// Len returns the number of values.
func (s *Stack) Len() int {
	return len(s.items)
}

// Push adds a value.
func (s *Stack) Push(item int) {
	s.items = append(s.items, item)
}

// Peek returns the value added last.
func (s *Stack) Peek() (int, error) {
	if len(s.items) == 0 {
		return 0, ErrEmpty
	}
	return s.items[len(s.items)-1], nil
}

// Pop returns the value added last and removes it.
func (s *Stack) Pop() (int, error) {
	if len(s.items) == 0 {
		return 0, ErrEmpty
	}
	item := s.items[len(s.items)-1]
	s.items = s.items[:len(s.items)-1]
	return item, nil
}
