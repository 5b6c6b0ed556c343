package shard

import (
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// Events lets those events of resources through that concern a deployment: of its own resources those that news lets through,
// and whatever makes a resource its own, of which arrived is told, or another's. Of a resource of another's a change is let
// through when something is remembered of it: it is forgotten then. Deletions always are, for what a resource may leave behind
// is everybody's to release.
func Events(selector Selector, news predicate.Predicate, arrived func(types.UID), known func(types.UID) bool) predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return selector.Selects(e.Object) && news.Create(e) },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, after := selector.Selects(e.ObjectOld), selector.Selects(e.ObjectNew)
			switch isOne := e.ObjectOld.GetUID() == e.ObjectNew.GetUID(); {
			case !before && after:
				if isOne {
					arrived(e.ObjectNew.GetUID())
				}
				return true
			case before && !after:
				return true
			case !after:
				return known(e.ObjectNew.GetUID()) || !isOne && known(e.ObjectOld.GetUID())
			default:
				return news.Update(e)
			}
		},
		DeleteFunc:  news.Delete,
		GenericFunc: news.Generic,
	}
}

// Moved lets through whatever makes an object a deployment's own, or another's.
func Moved(selector Selector) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return selector.Selects(e.ObjectOld) != selector.Selects(e.ObjectNew)
	}}
}
