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
