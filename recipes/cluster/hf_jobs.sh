#!/bin/bash
# Workers of quest22 as jobs of Hugging Face (hf jobs, which costs money by the minute):
#
#   quest22 plan DATASET … --store s3://BUCKET/PREFIX
#   ./hf_jobs.sh 8 work s3://BUCKET/PREFIX
#   ./hf_jobs.sh 2 retry s3://BUCKET/PREFIX     once these have ended
#
# HF_OPTIONS adds options of hf jobs run, such as --dry-run, --flavor cpu-xl or --namespace.
# AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and HF_TOKEN travel as secrets.
set -euo pipefail
workers=$1 command=$2 store=$3

# A bucket of the Hub that is mounted as a folder is no store: it knows no hard links.
for worker in $(seq "$workers"); do
    # shellcheck disable=SC2086 -- several options
    hf jobs run --detach --name "quest22-$command-$worker" --label quest22="$command" \
        --flavor cpu-performance --timeout 24h --attempts 5 \
        --secrets AWS_ACCESS_KEY_ID --secrets AWS_SECRET_ACCESS_KEY --secrets HF_TOKEN \
        ${HF_OPTIONS:-} python:3.13 \
        bash -c "pip install --quiet 'quest22[cluster]' && exec quest22 $command $store"
done
