{{/* What objects of this release are called. The objects in files/ are called github-user-token-operator, or begin with it. */}}

{{- define "operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "operator.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "operator.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Where the login page is; empty when there is none. */}}
{{- define "operator.loginPageURL" -}}
{{- if .Values.loginPage.enabled -}}
{{- required "loginPage.url is needed: the URL at which people reach the login page" .Values.loginPage.url -}}
{{- else -}}
{{- .Values.loginPage.url -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the certificate of the metrics. */}}
{{- define "operator.metricsCertificate" -}}
{{- include "operator.fullname" . -}}-metrics-certificate
{{- end -}}

{{- define "operator.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository $tag -}}
{{- end -}}
{{- end -}}

{{/* Labels that say which release an object is of. */}}
{{- define "operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ default .Chart.AppVersion .Values.image.tag | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
operator.selector is which objects a deployment serves, as the operator itself spells a selector. Takes a dict: root; shard, the
name of a further deployment, empty for the main one.
*/}}
{{- define "operator.selector" -}}
{{- $key := .root.Values.sharding.key -}}
{{- if .shard -}}
{{- printf "%s=%s" $key .shard -}}
{{- else -}}
{{- $names := list -}}
{{- range .root.Values.sharding.shards }}{{ $names = append $names .name }}{{ end -}}
{{- $names = sortAlpha (uniq $names) -}}
{{- if ne (len $names) (len .root.Values.sharding.shards) }}{{ fail "sharding.shards names one twice" }}{{ end -}}
{{- if eq (len $names) 1 -}}
{{- printf "%s!=%s" $key (first $names) -}}
{{- else -}}
{{- printf "%s notin (%s)" $key (join "," $names) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* operator.share is a part of GitHub's limits as a number: of 1/3, 25% or 1. */}}
{{- define "operator.share" -}}
{{- $parts := splitList "/" (trimSuffix "%" .) -}}
{{- $whole := ternary "100" "1" (hasSuffix "%" .) -}}
{{- if gt (len $parts) 1 }}{{ $whole = last $parts }}{{ end -}}
{{- divf (first $parts | float64) (float64 $whole) -}}
{{- end -}}

{{/* operator.shares refuses parts of GitHub's limits that are no parts, or more than all together. */}}
{{- define "operator.shares" -}}
{{- $sum := include "operator.share" .Values.sharding.limitShare | float64 -}}
{{- $shares := list .Values.sharding.limitShare -}}
{{- if and (not .Values.sharding.shards) (ne $sum 1.0) -}}
{{- fail (printf "sharding.limitShare is %s, and there are no sharding.shards to have the rest: make it 1" .Values.sharding.limitShare) -}}
{{- end -}}
{{- if and .Values.sharding.shards (eq $sum 1.0) -}}
{{- fail "sharding.limitShare is 1: where there are sharding.shards, give the main deployment its part of GitHub's limits as well, so that all parts are 1 together" -}}
{{- end -}}
{{- range .Values.sharding.shards -}}
{{- $sum = addf $sum (include "operator.share" .limitShare | float64) -}}
{{- $shares = append $shares .limitShare -}}
{{- end -}}
{{- range $share := $shares -}}
{{- if gt (include "operator.share" $share | float64) 1.0 }}{{ fail (printf "a limitShare of sharding is %s, which is more than all of GitHub's limits" $share) }}{{ end -}}
{{- end -}}
{{- /* Thirds are not exact. */ -}}
{{- if gt $sum 1.000000001 }}{{ fail (printf "the parts of GitHub's limits in sharding are more than 1 together: %s" (join ", " $shares)) }}{{ end -}}
{{- end -}}

{{/* operator.component goes through a value, and says of a further deployment's pods, wherever they are selected, which they are.
Takes a dict: value, which it changes; name. */}}
{{- define "operator.component" -}}
{{- $call := . -}}
{{- if kindIs "map" .value -}}
{{- if eq (toString (get .value "app.kubernetes.io/component")) "manager" }}{{ $_ := set .value "app.kubernetes.io/component" .name }}{{ end -}}
{{- range .value }}{{ include "operator.component" (dict "value" . "name" $call.name) }}{{ end -}}
{{- else if kindIs "slice" .value -}}
{{- range .value }}{{ include "operator.component" (dict "value" . "name" $call.name) }}{{ end -}}
{{- end -}}
{{- end -}}
