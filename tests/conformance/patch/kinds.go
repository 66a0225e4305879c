package patch

import (
	"reflect"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kind is a built-in kind, and the Go type whose field tags say how Kubernetes merges it.
type kind struct {
	schema.GroupVersionKind
	object any
}

// The kinds that the cases are drawn from. Those that come twice come more often.
var kinds = gather(map[schema.GroupVersion][]any{
	corev1.SchemeGroupVersion: {
		corev1.Pod{}, corev1.Pod{}, corev1.Pod{}, corev1.Service{}, corev1.Service{}, corev1.ConfigMap{}, corev1.Secret{},
		corev1.Namespace{}, corev1.Node{}, corev1.Node{}, corev1.PersistentVolume{}, corev1.PersistentVolumeClaim{},
		corev1.ServiceAccount{}, corev1.ResourceQuota{}, corev1.LimitRange{}, corev1.ReplicationController{},
		corev1.PodTemplate{}, corev1.Event{}, corev1.Endpoints{}, corev1.ComponentStatus{},
	},
	appsv1.SchemeGroupVersion: {
		appsv1.Deployment{}, appsv1.Deployment{}, appsv1.Deployment{}, appsv1.StatefulSet{}, appsv1.DaemonSet{},
		appsv1.ReplicaSet{},
	},
	batchv1.SchemeGroupVersion:       {batchv1.Job{}, batchv1.CronJob{}},
	autoscalingv2.SchemeGroupVersion: {autoscalingv2.HorizontalPodAutoscaler{}},
	networkingv1.SchemeGroupVersion: {
		networkingv1.Ingress{}, networkingv1.NetworkPolicy{}, networkingv1.IngressClass{}, networkingv1.ServiceCIDR{},
	},
	policyv1.SchemeGroupVersion: {policyv1.PodDisruptionBudget{}, policyv1.PodDisruptionBudget{}},
	rbacv1.SchemeGroupVersion:   {rbacv1.Role{}, rbacv1.ClusterRole{}, rbacv1.RoleBinding{}},
	storagev1.SchemeGroupVersion: {
		storagev1.CSINode{}, storagev1.StorageClass{}, storagev1.VolumeAttachment{}, storagev1.CSIDriver{},
	},
	admissionv1.SchemeGroupVersion: {
		admissionv1.ValidatingWebhookConfiguration{}, admissionv1.ValidatingAdmissionPolicy{},
	},
	certificatesv1.SchemeGroupVersion: {certificatesv1.CertificateSigningRequest{}},
	discoveryv1.SchemeGroupVersion:    {discoveryv1.EndpointSlice{}},
	resourcev1.SchemeGroupVersion:     {resourcev1.ResourceClaim{}, resourcev1.ResourceSlice{}},
})

func gather(objects map[schema.GroupVersion][]any) []kind {
	var all []kind
	for gv, objects := range objects {
		for _, o := range objects {
			all = append(all, kind{gv.WithKind(reflect.TypeOf(o).Name()), o})
		}
	}
	slices.SortStableFunc(all, func(a, b kind) int { return strings.Compare(a.String(), b.String()) })
	return all
}
