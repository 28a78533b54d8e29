#!/bin/bash
# Plan a corpus, transcribe it with an array of workers, and try again what failed:
#
#   ./submit.sh STORE WORKERS DATASET [options of quest22 plan and sbatch's SBATCH_… variables]
#
# STORE is a folder on a shared file system, or s3://BUCKET/PREFIX. The same command again
# continues. Logs come into the folder where it is called.
set -euo pipefail
worker=$(dirname "$0")/worker.sbatch
store=$1 workers=$2
shift 2

srun --job-name=quest22-plan --mem=8G quest22 plan "$@" --store "$store"
work=$(sbatch --parsable --array="1-$workers" "$worker" work "$store")
retry=$(sbatch --parsable --array="1-$workers" --dependency="afterany:$work" "$worker" retry "$store")

echo "job $work transcribes, then job $retry tries again what failed"
echo "watch: quest22 status $store"
echo "stop:  scancel $work $retry"
