package score

// numbering gives each key in use a number, from 0 on. A number that is no longer used
// goes to another key, so that slices by number stay as short as the most keys that
// were in use together.
type numbering[K comparable] struct {
	numbers map[K]int32
	keys    []K     // by number
	users   []int32 // by number
	free    []int32
}

func newNumbering[K comparable]() numbering[K] {
	return numbering[K]{numbers: map[K]int32{}}
}

// use returns the number of a key, which has one more user from now on, and whether
// the key is new.
func (n *numbering[K]) use(key K) (number int32, isNew bool) {
	number, ok := n.numbers[key]
	if !ok {
		number = n.unused()
		n.numbers[key] = number
		n.keys[number] = key
	}
	n.users[number]++
	return number, !ok
}

func (n *numbering[K]) unused() int32 {
	if last := len(n.free) - 1; last >= 0 {
		number := n.free[last]
		n.free = n.free[:last]
		return number
	}
	var none K
	n.keys = append(n.keys, none)
	n.users = append(n.users, 0)
	return int32(len(n.keys) - 1)
}

// release takes one user from a number and reports whether it was the last.
func (n *numbering[K]) release(number int32) (last bool) {
	n.users[number]--
	if n.users[number] > 0 {
		return false
	}
	var none K
	delete(n.numbers, n.keys[number])
	n.keys[number] = none
	n.free = append(n.free, number)
	return true
}

// size is one more than the highest number that was ever in use.
func (n *numbering[K]) size() int { return len(n.keys) }
