#!/bin/bash
# Holds the Kubernetes Jobs of examples/ against the schemas of several versions of Kubernetes, without a cluster. The schemas come with
# a Python package, which is installed apart and removed again.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --quiet install kubernetes-validate==1.37.0
for version in 1.29 1.33 1.37; do
  "$dir/bin/kubernetes-validate" --strict --kubernetes-version "$version" examples/*-job.yaml
done
