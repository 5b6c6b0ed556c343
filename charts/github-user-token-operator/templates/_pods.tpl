{{/*
operator.pods gives a Deployment, which it changes, what the values say of all pods of the release, whichever program runs in
them. Takes a dict: root; deployment, as operator.own has left it.
*/}}
{{- define "operator.pods" -}}
{{- $values := .root.Values -}}
{{- with $values.deploymentAnnotations -}}
{{- $_ := set $.deployment.metadata "annotations" (merge (deepCopy .) (default dict $.deployment.metadata.annotations)) -}}
{{- end -}}
{{- $spec := .deployment.spec -}}
{{- $metadata := $spec.template.metadata -}}
{{- $_ := set $metadata "labels" (merge (deepCopy $spec.selector.matchLabels) $metadata.labels (deepCopy $values.podLabels) (deepCopy $values.commonLabels)) -}}
{{- $_ := set $metadata "annotations" (merge (deepCopy $values.podAnnotations) $metadata.annotations (deepCopy $values.commonAnnotations)) -}}
{{- $pod := $spec.template.spec -}}
{{- with $values.image.pullSecrets -}}
{{- $_ := set $pod "imagePullSecrets" . -}}
{{- end -}}
{{- /* What is not shipped. */ -}}
{{- range $key := list "tolerations" "priorityClassName" "runtimeClassName" "hostAliases" "dnsPolicy" "dnsConfig" -}}
{{- with index $values $key -}}
{{- $_ := set $pod $key . -}}
{{- end -}}
{{- end -}}
{{- if not (kindIs "invalid" $values.hostUsers) -}}
{{- $_ := set $pod "hostUsers" $values.hostUsers -}}
{{- end -}}
{{- $_ := set $pod "nodeSelector" (merge (deepCopy $values.nodeSelector) $pod.nodeSelector) -}}
{{- $_ := set $pod "securityContext" (merge (deepCopy $values.podSecurityContext) $pod.securityContext) -}}
{{- $container := first $pod.containers -}}
{{- $_ := set $container "image" (include "operator.image" .root) -}}
{{- $_ := set $container "imagePullPolicy" $values.image.pullPolicy -}}
{{- $_ := set $container "securityContext" (merge (deepCopy $values.securityContext) $container.securityContext) -}}
{{- end -}}
