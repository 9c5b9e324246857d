#!/bin/bash
# Runs examples/eval-array.slurm under a real Slurm of one node, which it starts and stops, on the embedded model: an array of
# four, of which one task is cancelled and submitted again, merged, and compared with one process. As root, in a built checkout, after
#   apt-get install --no-install-recommends slurmctld slurmd slurm-client munge
set -euo pipefail
cd "$(dirname "$0")/.."
fail() {
  echo "$1" >&2
  exit 1
}
root=$PWD
egps=$root/dist/src/cli/main.js
for daemon in munged slurmctld slurmd; do
  command -v $daemon >/dev/null || fail "$daemon is missing"
  if pgrep -x $daemon >/dev/null; then fail "$daemon is running here already"; fi
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/egps-slurm.XXXXXX")
chmod 755 "$dir"
finish() {
  trap - EXIT
  scancel --full --user=root 2>/dev/null || true
  for pid in "$dir"/slurmd.pid "$dir"/slurmctld.pid "$dir"/munge/munged.pid; do
    [ -s "$pid" ] && kill "$(cat "$pid")" 2>/dev/null || true
  done
  if [ "$1" = 0 ]; then rm -rf "$dir"; else echo "what there was is in $dir" >&2; fi
  exit "$1"
}
trap 'finish $?' EXIT
trap 'exit 1' INT TERM

# One node that pretends to have what four tasks of the example ask for.
export SLURM_CONF=$dir/slurm.conf
host=$(hostname -s)
mkdir "$dir/state" "$dir/spool"
install -d -o munge -g munge "$dir/munge"
cat > "$SLURM_CONF" <<CONF
ClusterName=egps
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
ReturnToService=2
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=16 RealMemory=270000 Gres=gpu:4 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
CONF
touch "$dir"/gpu{0..3}
echo "Name=gpu File=$dir/gpu[0-3]" > "$dir/gres.conf"

runuser -u munge -- munged --socket="$dir/munge/socket" --pid-file="$dir/munge/munged.pid" \
  --log-file="$dir/munge/munged.log" --seed-file="$dir/munge/seed"
slurmctld
slurmd
for i in {1..100}; do
  [ "$(sinfo -h -o %t)" != idle ] || break
  [ "$i" -lt 100 ] || fail "the node is not idle: $(sinfo -h -N -l)"
  sleep 0.2
done

measurement=(--task abacus --limit 40 --sampler 'greedy,egps:particles=8:final-steps=4' --concurrency 1 --no-traces)
export OUT=$dir/out EGPS=$egps
submit() { sbatch --parsable --chdir="$dir" "$@" "$root/examples/eval-array.slurm" "${measurement[@]}"; }
results() { cat "$OUT/shard-$1-of-4/results.jsonl" 2>/dev/null | wc -l; }
wait_for() { while [ -n "$(squeue -h -j "$1" 2>/dev/null)" ]; do sleep 0.2; done; }

first=$(submit --array=0-3)
until [ "$(results 2)" -ge 3 ]; do
  [ -n "$(squeue -h -j "${first}_2" 2>/dev/null)" ] || fail "task 2 has ended: $(cat "$dir/egps-2.log")"
  sleep 0.1
done
scancel "${first}_2"
wait_for "$first"
for task in 0 1 2 3; do echo "task $task: $(results $task) of 40 results"; done
[ "$(results 2)" -lt 40 ] || fail 'task 2 was through before it was cancelled'
grep -H 'egps: stopped with' "$dir/egps-2.log"
if node "$egps" eval merge "$OUT"; then fail 'what is not complete was merged'; fi

wait_for "$(submit --array=2)"
echo "task 2 again: $(results 2) of 40 results"
node "$egps" eval merge "$OUT"

node "$egps" eval "${measurement[@]}" --out "$dir/one"
diff <(sort "$dir/one/results.jsonl") <(sort "$OUT/results.jsonl")
echo "the same $(wc -l < "$OUT/results.jsonl") results as of one process"
