package recorder

import (
	"sync"

	"k8s.io/apimachinery/pkg/watch"
)

// changedWatch passes on the events of a watch that change returns true for, as
// watch.Filter does, which may wait for ever after a Stop.
type changedWatch struct {
	watch.Interface
	events chan watch.Event
	done   chan struct{}
	stop   sync.Once
}

func newChangedWatch(w watch.Interface, change func(*watch.Event) bool) *changedWatch {
	s := &changedWatch{Interface: w, events: make(chan watch.Event), done: make(chan struct{})}
	go s.run(change)
	return s
}

// run ends with the watch, or when it is stopped.
func (s *changedWatch) run(change func(*watch.Event) bool) {
	defer close(s.events)
	for e := range s.Interface.ResultChan() {
		if !change(&e) {
			continue
		}
		select {
		case s.events <- e:
		case <-s.done:
			return
		}
	}
}

// ResultChan implements watch.Interface.
func (s *changedWatch) ResultChan() <-chan watch.Event { return s.events }

// Stop implements watch.Interface.
func (s *changedWatch) Stop() {
	s.stop.Do(func() { close(s.done) })
	s.Interface.Stop()
}
