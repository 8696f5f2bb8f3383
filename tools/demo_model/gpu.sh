#!/usr/bin/env bash
# One run of the demo model's training on a machine with a GPU, from the repository's root, within a time limit.
#
#   tools/demo_model/gpu.sh OUT [--smoke] [more options of train.py]
#
# OUT receives at most eight files of at most 16 MiB: weights in parts, config.json, tokenizer.json, state.json, log.txt.
# With --smoke: about half a minute, to set --budget by: steps and tokens a second, memory, the parts of a step.
# INIT: the folder to begin with (default models/demo; a checkpoint is grown first, the OUT of an earlier run is not). LIMIT: seconds for
# everything (default 585). RUN: a folder for what stays on the machine. Fonts: QVL_DEMO_FONTS (pack_fonts.py), pictures
# from other programs: QVL_DEMO_POOL.
set -euo pipefail
started=$(date +%s)
out=${1:?usage: tools/demo_model/gpu.sh OUT [--smoke] [options of train.py]}
shift
here=$(dirname "$0")
run=${RUN:-$(mktemp -d)}
init=${INIT:-models/demo}
if [ -z "${QVL_DEMO_FONTS:-}" ] && [ -d build/demo_fonts ]; then export QVL_DEMO_FONTS=build/demo_fonts; fi
export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
export PYTORCH_CUDA_ALLOC_CONF=${PYTORCH_CUDA_ALLOC_CONF:-expandable_segments:True}

mkdir -p "$out" "$run"
if [ ! -f "$run/tags.json" ] && [ -f "${QVL_DEMO_FONTS:-}/tags.json" ]; then cp "$QVL_DEMO_FONTS/tags.json" "$run/tags.json"; fi
if [ -f "$init/model.safetensors" ]; then # a checkpoint, not what an earlier run exported
  base=$init
  init=$run/grown
  [ -d "$init" ] || python3 "$here/grow.py" --base "$base" --out "$init" --vision "${VISION:-10}" --language "${LANGUAGE:-9}"
fi
options=(--out "$run" --init "$init" --lr 4e-3 --vision-lr 0.5 --validate 2 --log 15 --save 1000)
if [ "${1:-}" = --smoke ]; then
  shift
  options+=(--minutes 0.5 --smoke "${SMOKE_STEPS:-80}" --log 5 --validate 100 --valid-pictures 8 --learn 20)
else
  left=$((${LIMIT:-585} - ($(date +%s) - started)))
  options+=(--minutes 60 --deadline "$left" --export "$out")
fi
exec python3 "$here/train.py" "${options[@]}" "$@"
