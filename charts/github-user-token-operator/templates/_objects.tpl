{{/*
operator.objects prints the objects of a glob in files/, as those of this release.
Takes a dict: root; glob; optionally namespace, and without, a list of kinds to leave out; and only, a list of kinds to
print alone.
*/}}
{{- define "operator.objects" -}}
{{- $root := .root -}}
{{- $call := . -}}
{{- range $path, $_ := $root.Files.Glob .glob -}}
{{- $object := $root.Files.Get $path | fromYaml -}}
{{- if $object.Error }}{{ fail (printf "%s: %s" $path $object.Error) }}{{ end -}}
{{- if not (or (has $object.kind (default list $call.without)) (and $call.only (not (has $object.kind $call.only)))) -}}
{{- include "operator.own" (dict "root" $root "object" $object "namespace" $call.namespace) }}
---
{{ toYaml $object }}
{{ end -}}
{{- end -}}
{{- end -}}

{{/*
operator.own makes an object, which it changes, one of this release: its name and namespace, labels and annotations, and
whatever refers to another object of the release. Takes a dict: root; object; optionally namespace.
*/}}
{{- define "operator.own" -}}
{{- $root := .root -}}
{{- $object := .object -}}
{{- $metadata := $object.metadata -}}
{{- $kind := $object.kind -}}
{{- include "operator.refer" (dict "root" $root "value" $object) -}}
{{- /* The lease of a deployment follows from its selector, and those of before may be had while selectors change. */ -}}
{{- if and $root.Values.sharding.shards (eq $kind "Role") (hasSuffix "-leader-election" $metadata.name) -}}
{{- range $rule := $object.rules }}{{ $_ := unset $rule "resourceNames" }}{{ end -}}
{{- end -}}
{{- if eq $metadata.name "github-user-token-operator" -}}
{{- $_ := set $metadata "name" (include "operator.fullname" $root) -}}
{{- end -}}
{{- if not (has $kind (list "CustomResourceDefinition" "ClusterRole" "ClusterRoleBinding" "FlowSchema" "PriorityLevelConfiguration" "ValidatingAdmissionPolicy" "ValidatingAdmissionPolicyBinding")) -}}
{{- $_ := set $metadata "namespace" (default $root.Release.Namespace .namespace) -}}
{{- end -}}
{{- $_ := set $metadata "labels" (merge (include "operator.labels" $root | fromYaml) (default dict $metadata.labels)) -}}
{{- with $root.Values.commonAnnotations -}}
{{- $_ := set $metadata "annotations" (merge (deepCopy .) (default dict $metadata.annotations)) -}}
{{- end -}}
{{- end -}}

{{/* operator.renamed is the name in this release of what is called github-user-token-operator… in files/. */}}
{{- define "operator.renamed" -}}
{{- if hasPrefix "github-user-token-operator" .name -}}
{{- printf "%s%s" (include "operator.fullname" .root) (trimPrefix "github-user-token-operator" .name) -}}
{{- else -}}
{{- .name -}}
{{- end -}}
{{- end -}}

{{/*
operator.refer goes through a value, and changes what refers to other objects of the release: selectors; the fields in
$exact, which may name the operator's own objects; and every name that begins as theirs do.
*/}}
{{- define "operator.refer" -}}
{{- $root := .root -}}
{{- $parent := .value -}}
{{- $exact := list "roleRef" "priorityLevelConfiguration" "paramRef" "serviceAccount" -}}
{{- if kindIs "map" .value -}}
{{- range $key, $value := .value -}}
{{- if kindIs "map" $value -}}
{{- if and (has $key (list "matchLabels" "selector")) (hasKey $value "app.kubernetes.io/name") -}}
{{- /* The pods of the login page have a name that begins so. */ -}}
{{- $_ := set $value "app.kubernetes.io/name" (printf "%s%s" (include "operator.name" $root) (trimPrefix "github-user-token-operator" (index $value "app.kubernetes.io/name"))) -}}
{{- $_ := set $value "app.kubernetes.io/instance" $root.Release.Name -}}
{{- else if has $key $exact -}}
{{- include "operator.reference" (dict "root" $root "reference" $value) -}}
{{- end -}}
{{- else if eq $key "subjects" -}}
{{- range $value -}}
{{- if .name }}{{ include "operator.reference" (dict "root" $root "reference" .) }}{{ end -}}
{{- end -}}
{{- else if and (has $key (list "name" "policyName" "secretName" "kubernetes.io/service-account.name")) (kindIs "string" $value) (hasPrefix "github-user-token-operator-" $value) -}}
{{- $_ := set $parent $key (include "operator.renamed" (dict "root" $root "name" $value)) -}}
{{- end -}}
{{- include "operator.refer" (dict "root" $root "value" $value) -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- range .value -}}
{{- include "operator.refer" (dict "root" $root "value" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* operator.reference changes a reference by name, and by namespace where it has one. */}}
{{- define "operator.reference" -}}
{{- $reference := .reference -}}
{{- $isAccount := and (eq $reference.name "github-user-token-operator") (hasKey $reference "namespace") -}}
{{- if hasKey $reference "namespace" -}}
{{- $_ := set $reference "namespace" .root.Release.Namespace -}}
{{- end -}}
{{- if $isAccount -}}
{{- $_ := set $reference "name" (include "operator.serviceAccountName" .root) -}}
{{- else -}}
{{- $_ := set $reference "name" (include "operator.renamed" (dict "root" .root "name" $reference.name)) -}}
{{- end -}}
{{- end -}}
