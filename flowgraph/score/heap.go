package score

// These keep a heap in a slice, for which container/heap would allocate with each element:
// the first is before all others, by a function that says what is before what.

// siftUp moves the element at i to where the one above it is before it.
func siftUp[T any](h []T, i int, before func(a, b T) bool) {
	for i > 0 {
		parent := (i - 1) / 2
		if !before(h[i], h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// siftDown moves the element at i to where it is before those below it.
func siftDown[T any](h []T, i int, before func(a, b T) bool) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && before(h[child+1], h[child]) {
			child++
		}
		if !before(h[child], h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// pop takes the first element.
func pop[T any](h *[]T, before func(a, b T) bool) T {
	all := *h
	first, last := all[0], len(all)-1
	all[0] = all[last]
	*h = all[:last]
	siftDown(*h, 0, before)
	return first
}
