package main

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

const demoNamespace = "shop"

// demoService is one Deployment with one Service of the demo's application.
type demoService struct {
	name     string
	replicas int32
	cpu      string
}

// demoServices is a web shop of twelve services. Its shape is that of the
// usual microservice demonstrations: a front end, a fan-out behind it, stores
// at the leaves.
func demoServices() []demoService {
	return []demoService{
		{"ads", 2, "200m"},
		{"cart", 3, "300m"},
		{"cart-store", 2, "500m"},
		{"catalog", 3, "300m"},
		{"catalog-store", 2, "500m"},
		{"checkout", 2, "300m"},
		{"currency", 2, "200m"},
		{"frontend", 3, "500m"},
		{"payment", 2, "200m"},
		{"recommendation", 2, "400m"},
		{"search", 2, "400m"},
		{"shipping", 2, "200m"},
	}
}

// demoCalls is who calls whom in the application.
func demoCalls() []mesh.Call {
	call := func(from, to string, rps, request, response float64, protocol string) mesh.Call {
		return mesh.Call{
			From: demoNamespace + "/" + from, To: demoNamespace + "/" + to,
			RequestsPerSecond: rps, RequestBytes: request, ResponseBytes: response, Protocol: protocol,
		}
	}
	const kib = 1024
	return []mesh.Call{
		call("frontend", "catalog", 200, 1*kib, 24*kib, "grpc"),
		call("frontend", "cart", 100, 1*kib, 6*kib, "grpc"),
		call("frontend", "currency", 200, 512, 512, "grpc"),
		call("frontend", "ads", 80, 512, 4*kib, "http"),
		call("frontend", "recommendation", 80, 1*kib, 6*kib, "grpc"),
		call("frontend", "search", 60, 1*kib, 40*kib, "http"),
		call("frontend", "checkout", 10, 4*kib, 4*kib, "grpc"),
		call("recommendation", "catalog", 80, 1*kib, 30*kib, "grpc"),
		call("search", "catalog-store", 60, 2*kib, 80*kib, "tcp"),
		call("catalog", "catalog-store", 150, 1*kib, 32*kib, "tcp"),
		call("cart", "cart-store", 200, 2*kib, 8*kib, "tcp"),
		call("checkout", "cart", 10, 1*kib, 8*kib, "grpc"),
		call("checkout", "payment", 10, 2*kib, 1*kib, "grpc"),
		call("checkout", "shipping", 10, 2*kib, 2*kib, "grpc"),
		call("checkout", "currency", 30, 512, 512, "grpc"),
		call("checkout", "catalog", 20, 1*kib, 4*kib, "grpc"),
	}
}

func (s demoService) labels() map[string]string { return map[string]string{"app": s.name} }

func (s demoService) deployment() *appsv1.Deployment {
	surge, unavailable := intstr.FromInt32(1), intstr.FromInt32(0)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: demoNamespace, Name: s.name, Labels: s.labels()},
		Spec: appsv1.DeploymentSpec{
			Replicas: &s.replicas,
			Selector: &metav1.LabelSelector{MatchLabels: s.labels()},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &unavailable},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: s.labels()},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name:  "app",
					Image: "example.com/" + s.name + ":1",
					Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
						corev1.ResourceCPU:    resource.MustParse(s.cpu),
						corev1.ResourceMemory: resource.MustParse("256Mi"),
					}},
				}}},
			},
		},
	}
}

func (s demoService) service() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: demoNamespace, Name: s.name, Labels: s.labels()},
		Spec: corev1.ServiceSpec{
			Selector: s.labels(),
			Ports:    []corev1.ServicePort{{Name: "main", Port: 8080}},
		},
	}
}
