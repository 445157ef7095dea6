#!/usr/bin/env bash
# Check and time everything on one GPU in at most 8 minutes, without network.
#
#   tools/benchmark_gpu.sh [--wheels DIR] [--output DIR] [--stages NAME,NAME] [--dry-run] [--list]
#
#   --wheels DIR   wheels of packages that are missing here, installed first
#   --output DIR   JSON file and log of each stage, and table.md (default: output/benchmark_gpu)
#   --stages NAMES only these stages; --list prints all with their time limits
#   --dry-run      tiny models on the CPU, one round: tries the script itself
#
# PYTHON names the interpreter (default: python). Each stage has a time limit, and the time that the stages before it have
# left over; one that fails or exceeds it is named, and the others run. Exit code: 1 if a stage failed.
set -u

python=${PYTHON:-python} wheels="" output=output/benchmark_gpu only="" dry_run="" list=""
while [ $# -gt 0 ]; do
    case $1 in
        --wheels) wheels=$2; shift 2 ;;
        --output) output=$2; shift 2 ;;
        --stages) only=,$2,; shift 2 ;;
        --dry-run) dry_run=yes; shift ;;
        --list) list=yes; shift ;;
        *) echo "Unknown argument '$1': see the first lines of $0." >&2; exit 2 ;;
    esac
done

root=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH="$root:$root/tools${PYTHONPATH:+:$PYTHONPATH}"
tools=$root/tools configs=$root/configs
device=cuda image=(--sizes 800x1067 --output-size 480x640) crop=(--sizes 1024x1024) rounds=5 batches=1,8
operator=(--dtypes float32,float16,bfloat16) fast=(MODEL.PRECISION fast) compiled=(MODEL.COMPILE default) small=() patience=1
r50=fcclip/r50 convnext=fcclip/convnext_large frozenseg=frozenseg/convnext_large train_batches=1,4,16
amp=(SOLVER.AMP.ENABLED True SOLVER.AMP.DTYPE bfloat16)
if [ -n "$dry_run" ]; then
    device=cpu image=(--sizes 64x64 --classes 3) crop=(--sizes 64x64 --classes 3) rounds=1 batches=1 train_batches=1
    r50=toyworld/fcclip_tiny convnext=$r50 frozenseg=toyworld/frozenseg_tiny operator=(--size 64x64)
    small=(MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS 8) patience=5 # processors are slower
fi
failed=() due=0

# stage NAME LIMIT COMMAND...: run a command with a time limit, its output in a log
stage() {
    local name=$1 limit=$(($2 * patience)) start=$SECONDS
    shift 2
    case $only in "" | *,$name,*) ;; *) return ;; esac
    if [ -n "$list" ]; then
        printf '%-20s %4d s  %s\n' "$name" "$limit" "$*"
        return
    fi
    due=$((due + limit)) # seconds after the start of the script
    limit=$((due - SECONDS))
    if timeout --kill-after=5 "$limit" "$@" >"$output/$name.log" 2>&1; then
        echo "$name: $((SECONDS - start)) s"
    else
        local code=$?
        failed+=("$name")
        [ $code -eq 124 ] && echo "$name: FAILED, exceeded $limit s" || echo "$name: FAILED with code $code"
        tail -n 3 "$output/$name.log"
    fi
}

model() {
    local name=$1 limit=$2 config=$3
    shift 3
    stage "$name" "$limit" "$python" "$tools/benchmark_model.py" --config-file "$configs/$config.yaml" "${image[@]}" \
        --batches $batches --rounds $rounds --json "$output/$name.json" MODEL.DEVICE $device "${small[@]}" "$@"
}

training() {
    local name=$1 limit=$2 counts=$3
    shift 3
    stage "$name" "$limit" "$python" "$tools/benchmark_training.py" --config-file "$configs/$frozenseg.yaml" \
        "${crop[@]}" --batches "$counts" --rounds 2 --json "$output/$name.json" MODEL.DEVICE $device "${small[@]}" "$@"
}

[ -n "$list" ] || mkdir -p "$output"
[ -z "$wheels" ] || stage wheels 25 "$python" -m pip install --no-index --no-deps "$wheels"/*.whl
stage operator 50 "$python" "$tools/benchmark_operator.py" --device $device "${operator[@]}" --check --rounds $rounds \
    --json "$output/operator.json"
model frozenseg_full 35 $frozenseg
model frozenseg_fast 30 $frozenseg "${fast[@]}"
model frozenseg_compiled 50 $frozenseg "${fast[@]}" "${compiled[@]}"
model convnext_full 30 $convnext
model convnext_fast 25 $convnext "${fast[@]}"
model convnext_compiled 40 $convnext "${fast[@]}" "${compiled[@]}"
model r50_full 25 $r50
model r50_fast 25 $r50 "${fast[@]}"
model r50_compiled 35 $r50 "${fast[@]}" "${compiled[@]}"
training training_full 30 1
training training_fast 60 $train_batches MODEL.FROZEN_DTYPE bfloat16 "${amp[@]}"
stage table 10 "$python" -m lab.operator_timing.summary "$output"
[ -n "$list" ] && exit 0
[ -f "$output/table.md" ] && cat "$output/table.md"
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
