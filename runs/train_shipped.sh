#!/bin/sh
# The model in the package, from nothing: simulated calls teach the trunk, EfficientAT
# teaches the layers behind it, and the protocol says what that is worth.
#
#     sh runs/train_shipped.sh RECORDINGS WEIGHTS OUT
#
# RECORDINGS: folder of recordings with manifest.csv (see runs/shipped_table.py).
# WEIGHTS: EfficientAT mn04's checkpoint, a path, or "download".
# OUT: gets everything, the finished model in OUT/shipped. Stopped, it goes on where it
# was when it is given again.
set -eu

if [ $# -ne 3 ]; then
    sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 2
fi
recordings=$1
weights=$2
out=$3
here=$(dirname "$0")

# What is shipped. Less of it, to try: SIMULATION="--n-clips 1 ..." SEEDS=1 sh ...
simulation=${SIMULATION:-"--n-deployments 24 --n-clips 2 --seed 7 --recorders any"}
pretrain=${PRETRAIN:-"--epochs 15 --learning-rate 3e-3 --batch-size 32"}
distill=${DISTILL:-"--seed 0"}
seeds=${SEEDS:-3}
calibrate=${CALIBRATE:-"--simulated-unknown"}
about=${ABOUT:-"$here/shipped.toml"}
workers=${WORKERS:-1}

step() { echo "== $1" >&2; }
# 3: some recordings were left out, which the command has listed.
some_left_out() { "$@" >&2 || [ $? -eq 3 ]; }
# A run that was killed has a checkpoint.
resume() { if [ -e "$1/checkpoint.pt" ]; then echo --resume; fi; }

mkdir -p "$out"
if [ ! -e "$out/simulated/recordings.csv" ]; then
    step "simulate"
    rm -rf "$out/simulated"
    # shellcheck disable=SC2086
    seacall simulate -o "$out/simulated" --workers "$workers" $simulation >&2
fi
if [ ! -e "$out/simulated-dataset/dataset.json" ]; then
    step "prepare the simulated recordings"
    some_left_out seacall prepare "$out/simulated" -o "$out/simulated-dataset" \
        --workers "$workers"
fi
if [ ! -e "$out/trunk/card.json" ]; then
    step "pretrain the trunk"
    # shellcheck disable=SC2046,SC2086  # options, not one word
    some_left_out seacall pretrain "$out/simulated-dataset" -o "$out/trunk" \
        --weights "$weights" --workers "$workers" $pretrain $(resume "$out/trunk")
fi
if [ ! -e "$out/dataset/dataset.json" ]; then
    step "prepare the recordings"
    mkdir -p "$out/recordings"
    cp "$recordings/manifest.csv" "$out/recordings"
    for name in watkins sanctsound killer_whale_calls; do
        cp -R "$recordings/$name" "$out/recordings"
    done
    python "$here/steady_noise.py" "$out/recordings/steady_noise" >&2
    python "$here/shipped_table.py" "$out/recordings" "$out/table.csv" >&2
    some_left_out seacall prepare "$out/recordings" --table "$out/table.csv" \
        -o "$out/dataset" --workers "$workers"
fi
if [ ! -e "$out/teacher/card.json" ]; then
    step "train the teacher on all clips"
    some_left_out seacall train "$out/dataset" -o "$out/teacher" \
        --network efficientat --weights "$weights" --all-clips --workers "$workers"
fi
if [ ! -e "$out/student/card.json" ]; then
    step "distil the student on all clips"
    # shellcheck disable=SC2046,SC2086
    some_left_out seacall distill "$out/teacher" "$out/dataset" -o "$out/student" \
        --start "$out/trunk" --config "$here/frozen.toml" --all-clips \
        --workers "$workers" $distill $(resume "$out/student")
fi
if [ ! -e "$out/protocol/protocol.json" ]; then
    step "measure on deployments never heard"
    {
        cat "$here/shipped_protocol.toml"
        printf '\n[teacher]\nweights = "%s"\n' "$weights"
    } >"$out/protocol.toml"
    some_left_out seacall evaluate "$out/dataset" -o "$out/protocol" \
        --protocol deployments --recipe efficientat --recipe student-distilled \
        --start "$out/trunk" --seeds "$seeds" --config "$out/protocol.toml" \
        --workers "$workers"
fi
if [ ! -e "$out/calibrated/card.json" ]; then
    step "calibrate with the answers to held-out clips"
    answers=$out/protocol/predictions/deployments-student-distilled.csv
    # shellcheck disable=SC2086
    some_left_out seacall calibrate "$out/student" -o "$out/calibrated" \
        --predictions "$answers" --workers "$workers" $calibrate
fi
if [ ! -e "$out/shipped/card.json" ]; then
    step "make the folder for the package"
    python "$here/ship_model.py" "$out/calibrated" --about "$about" \
        --protocol "$out/protocol/protocol.json" --recipe student-distilled \
        --out "$out/shipped" >&2
fi
cat "$out/protocol/protocol.md"
