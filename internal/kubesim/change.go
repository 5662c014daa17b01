package kubesim

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// SetNode implements sim.ClusterPlacer.
func (p *Placer) SetNode(node int32) error {
	if p.there[node] == p.input.Nodes[node] {
		return nil
	}
	p.node(node)
	return p.engine.update(p.logger)
}

// node brings the cache up to date about a node.
func (p *Placer) node(position int32) {
	object := p.input.Nodes[position]
	if old := p.there[position]; old != nil {
		p.engine.cache.UpdateNode(p.logger, old, object)
	} else {
		p.engine.cache.AddNode(p.logger, object)
	}
	p.position[object.Name], p.there[position] = position, object
}

// RemoveNode implements sim.ClusterPlacer.
func (p *Placer) RemoveNode(node int32) error {
	object := p.there[node]
	if object == nil {
		return fmt.Errorf("removing node %d, which is not there", node)
	}
	delete(p.there, node)
	if err := p.engine.cache.RemoveNode(p.logger, object); err != nil {
		return fmt.Errorf("removing node %s: %w", object.Name, err)
	}
	return p.engine.update(p.logger)
}

// Advance implements sim.ClusterPlacer.
func (p *Placer) Advance(now time.Time) { p.at = now }

// Change takes over a change of what scheduler plugins look up.
func (p *Placer) Change(c kube.ObjectChange) error {
	for _, object := range p.withNext(c.Object) {
		if err := p.engine.put(kube.ObjectChange{Object: object, Deleted: c.Deleted}); err != nil {
			return err
		}
	}
	return nil
}

// withNext returns an object, and with a ReplicaSet that of the next rollout.
func (p *Placer) withNext(object runtime.Object) []runtime.Object {
	all := []runtime.Object{object}
	if rs, ok := object.(*appsv1.ReplicaSet); ok && p.rollout {
		if next := kube.NextReplicaSet(rs); next != nil {
			all = append(all, next)
		}
	}
	return all
}
